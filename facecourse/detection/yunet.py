"""YuNet (Wu et al. 2023): a newer detector, one small network without anchors, to compare MTCNN with."""

import functools
from pathlib import Path

import numpy as np
import onnx

from facecourse.core.cache import write_atomically
from facecourse.core.onnx_files import unblocked
from facecourse.core.paths import CACHE, THREADS
from facecourse.core.sources import YUNET, zoo_network
from lambda_function.boxes import nms
from lambda_function.faces import Face
from lambda_function.photos import shrink
from lambda_function.sessions import onnx_session

STRIDES = (8, 16, 32)  # pixels of the photo from cell to cell, of the three maps
MAX_SIDE = 640  # longer photos are searched at this size, that of its training


def yunet_network() -> Path:
    """Return yunet.onnx for photos of any size, fetched and converted at the first call.

    Raises facecourse.core.sources.SourceError if its archive is unavailable.
    """
    path = CACHE / "yunet-1.onnx"
    if not path.exists():
        model = unblocked(onnx.load(zoo_network(YUNET)))
        for value in (*model.graph.input, *model.graph.output):
            for axis in value.type.tensor_type.shape.dim:
                axis.Clear()
        write_atomically(path, model.SerializeToString())
    return path


class YuNet:
    """One network, one look at the photo: at each cell of three maps a score, a box and five landmarks.

    `threshold` is the least score of a face, 0 to 1; the default and the overlap of `nms` are OpenCV's.
    """

    def __init__(self, threshold: float = 0.9, threads: int = THREADS):
        self._session = onnx_session(yunet_network(), threads, any_size=True)
        self.threshold = threshold

    def detect(self, images: list[np.ndarray]) -> list[list[Face]]:
        """Find the faces of photos of any sizes, (height, width, 3) uint8 RGB: per photo, best score first."""
        return [self._search(image) for image in images]

    def _search(self, image: np.ndarray) -> list[Face]:
        image, scale = shrink(image, MAX_SIDE)
        height, width = image.shape[:2]
        rows, columns = (-(-side // STRIDES[-1]) for side in (height, width))
        pixels = np.zeros((1, 3, rows * STRIDES[-1], columns * STRIDES[-1]), np.float32)
        pixels[0, :, :height, :width] = image[..., ::-1].transpose(2, 0, 1)  # it was trained on BGR
        names = [f"{part}_{stride}" for stride in STRIDES for part in ("cls", "obj", "bbox", "kps")]
        answers = [answer[0] for answer in self._session.run(names, {"input": pixels})]
        found = []
        for level, stride in enumerate(STRIDES):
            face, centre, boxes, points = answers[4 * level : 4 * level + 4]
            score = np.sqrt(face * centre)[:, 0]  # of a face at all, and of one in the middle of the cell
            (place,) = np.nonzero(score >= np.float32(self.threshold))
            cell = np.column_stack(np.divmod(place, pixels.shape[3] // stride)[::-1])
            middle, sides = cell + boxes[place, :2], np.exp(boxes[place, 2:])
            landmarks = points[place].reshape(-1, 5, 2) + cell[:, None]
            corners = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)
            numbers = np.concatenate([corners, landmarks.reshape(-1, 10)], axis=1) * stride / scale
            found.append(np.column_stack([numbers, score[place]]).astype(np.float32))
        found = np.concatenate(found)
        kept = found[nms(found[:, :4], found[:, 14], 0.3)]
        return [Face(row[:4], row[4:14].reshape(5, 2), float(row[14])) for row in kept]


@functools.cache
def reference_detector(threshold: float = 0.9) -> YuNet:
    """Return the detector that MTCNN is compared with; the same one for the same threshold."""
    return YuNet(threshold)
