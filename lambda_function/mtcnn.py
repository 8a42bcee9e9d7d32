"""MTCNN face detection (Zhang et al. 2016): three small networks, each more careful than the one before.

Same results as facenet-pytorch's MTCNN with the same settings, without torch.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from .area import IntegralImage
from .boxes import apply_offsets, clip_boxes, nms, to_square
from .faces import Face
from .photos import shrink
from .sessions import onnx_session

CELL, STRIDE = 12, 2  # P-Net's window and its step, in pixels of a pyramid level
MAX_SIDE = 1600  # longer photos are searched at this size: faces of 20 pixels there are still found
# At most so many windows, candidates and faces are looked at, the likeliest first: a picture tiled with tiny faces
# has 120,000 windows and would take a minute. A photo of a hundred people stays below.
MOST_WINDOWS, MOST_CANDIDATES, MOST_FACES = 10_000, 3_000, 1_000
# So many pixels of a level, and crops, go through a network at once: its layers then stay in the CPU's cache.
STRIP, CROPS = 32 * 1024, 16


@dataclass
class HeatMap:
    """P-Net's answers on one level of the pyramid: one for the 12 x 12 window at every second pixel."""

    scale: float  # pixels of the level per pixel of the photo
    size: tuple[int, int]  # height and width of the level
    probability: np.ndarray  # (rows, columns) float32, of a face in the window at (2 row, 2 column)
    offsets: np.ndarray  # (4, rows, columns) float32: by which fraction of its side each edge should move


class Mtcnn:
    """The detector.

    `folder` holds pnet.onnx, rnet.onnx and onet.onnx, which take pixels 0 to 255. `threads` work on photos, or
    parts of one, side by side (default: the CPUs this process may use, at most 8). `min_face_size` is the
    smallest face looked for, in pixels; `thresholds` are the least probabilities to stay after P-Net, R-Net and
    O-Net; `factor` is the ratio of neighbouring pyramid levels, between 0 and 1.

    Raises ValueError if a setting makes no sense.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        threads: int | None = None,
        min_face_size: int = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
    ):
        if min_face_size < 1 or not 0 < factor < 1 or len(thresholds) != 3:
            raise ValueError("MTCNN needs min_face_size >= 1, 0 < factor < 1 and three thresholds")
        self.min_face_size, self.thresholds, self.factor = min_face_size, tuple(thresholds), factor
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = threads or min(cores, 8)
        self._pnet, self._rnet, self._onet = (
            onnx_session(Path(folder) / f"{name}.onnx", any_size=True) for name in ("pnet", "rnet", "onet")
        )
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def detect(self, images: list[np.ndarray]) -> list[list[Face]]:
        """Find the faces of photos of any sizes, (height, width, 3) or grey (height, width), uint8, RGB.

        Returned are, per photo, its faces in the photo's own pixels, best score first. Photos longer than
        MAX_SIDE are searched at that size.
        """
        if self._pool and len(images) > 1:
            return list(self._pool.map(self._search, images))
        return [self._search(image, self._pool.map if self._pool else map) for image in images]

    def _search(self, image: np.ndarray, map_fn: Callable = map) -> list[Face]:
        image, scale = shrink(image, MAX_SIDE)
        if min(image.shape[:2]) < self.min_face_size:
            return []  # no face of the smallest size fits in
        pixels = IntegralImage(image, map_fn)
        boxes = self.refine(pixels, self.propose(self.heat_maps(pixels, map_fn)), map_fn)
        scale = np.float32(scale)
        faces = self.output(pixels, boxes, map_fn)
        return [Face(face.box / scale, face.landmarks / scale, face.score) for face in faces]

    def heat_maps(self, pixels: IntegralImage, map_fn: Callable = map) -> list[HeatMap]:
        """Run P-Net over every level of the pyramid; on the first, the smallest face is 12 pixels."""
        scale, scales = CELL / self.min_face_size, []
        while min(pixels.height, pixels.width) * scale >= CELL:
            scales.append(scale)
            scale *= self.factor
        sizes = [(int(pixels.height * s + 1), int(pixels.width * s + 1)) for s in scales]
        jobs = [(level, rows) for level, size in enumerate(sizes) for rows in _strips(*size)]
        parts = list(map_fn(lambda job: _run(self._pnet, pixels.level(*sizes[job[0]], job[1])[None]), jobs))
        maps = []
        for level, (scale, size) in enumerate(zip(scales, sizes, strict=True)):
            strips = [part for (of, _), part in zip(jobs, parts, strict=True) if of == level]
            offsets, faces = (np.concatenate(arrays, axis=2)[0] for arrays in zip(*strips, strict=True))
            maps.append(HeatMap(scale, size, faces[0], offsets))
        return maps

    def propose(self, maps: list[HeatMap]) -> np.ndarray:
        """Turn heat maps into square candidate boxes, (n, 4) float32, after NMS within and across levels."""
        windows = [windows_of(level, self.thresholds[0]) for level in maps]
        rows = np.concatenate([np.zeros((0, 9), np.float32), *windows])
        level = np.repeat(np.arange(len(windows), dtype=np.float32), [len(part) for part in windows])
        if len(rows) > MOST_WINDOWS:
            likeliest = np.sort(np.argpartition(-rows[:, 4], MOST_WINDOWS)[:MOST_WINDOWS])
            rows, level = rows[likeliest], level[likeliest]
        # Levels are moved out of each other's reach; windows have whole-numbered corners, so that costs no precision.
        apart = level[:, None] * (rows[:, :4].max(initial=0) + CELL)
        rows = rows[nms(rows[:, :4] + apart, rows[:, 4], 0.5)]
        rows = rows[nms(rows[:, :4], rows[:, 4], 0.7)[:MOST_CANDIDATES]]
        return to_square(apply_offsets(rows[:, :4], rows[:, 5:], extra=0))

    def refine(self, pixels: IntegralImage, boxes: np.ndarray, map_fn: Callable = map) -> np.ndarray:
        """Let R-Net look at each candidate at 24 x 24: (n, 4) -> (m, 4) float32 boxes, moved and square."""
        boxes, offsets, score = self._run_on_crops(self._rnet, pixels, boxes, 24, self.thresholds[1], map_fn)
        kept = nms(boxes, score, 0.7)[:MOST_FACES]
        return to_square(apply_offsets(boxes[kept], offsets[kept]))

    def output(self, pixels: IntegralImage, boxes: np.ndarray, map_fn: Callable = map) -> list[Face]:
        """Let O-Net look at each candidate at 48 x 48: the last boxes, scores and landmarks, best first."""
        boxes, offsets, points, score = self._run_on_crops(
            self._onet, pixels, boxes, 48, self.thresholds[2], map_fn
        )
        sides = boxes[:, None, 2:] - boxes[:, None, :2] + np.float32(1)
        # The network gives all x, then all y, as fractions of its own, unmoved box.
        landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides + boxes[:, None, :2] - np.float32(1)
        moved = apply_offsets(boxes, offsets)
        return [Face(moved[i], landmarks[i], float(score[i])) for i in nms(moved, score, 0.7, smaller=True)]

    def _run_on_crops(
        self, network, pixels: IntegralImage, boxes: np.ndarray, size: int, threshold: float, map_fn: Callable
    ) -> list[np.ndarray]:
        """Return the boxes in which a network sees a face, and its answers for each, the probability last."""
        clipped = clip_boxes(boxes, pixels.width, pixels.height)
        inside = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
        boxes, clipped = boxes[inside], clipped[inside]
        parts = np.array_split(clipped, max(1, min(self.threads, len(boxes) // 4), -(-len(boxes) // CROPS)))
        answers = zip(*map_fn(lambda part: _run(network, pixels.crops(part, size)), parts), strict=True)
        *others, faces = (np.concatenate(answer) for answer in answers)
        sure = faces[:, 0] > np.float32(threshold)
        return [array[sure] for array in (boxes, *others, faces[:, 0])]


def windows_of(level: HeatMap, threshold: float) -> np.ndarray:
    """Return the windows of one heat map that may hold a face: (n, 9) float32.

    x0 y0 x1 y1 in pixels of the photo, probability, four offsets.
    """
    rows, columns = np.nonzero(level.probability >= np.float32(threshold))
    corner = np.column_stack([columns, rows]).astype(np.float32) * np.float32(STRIDE)
    scale = np.float32(level.scale)
    return np.column_stack(
        [
            np.floor((corner + np.float32(1)) / scale),
            np.floor((corner + np.float32(CELL)) / scale),
            level.probability[rows, columns],
            level.offsets[:, rows, columns].T,
        ]
    )


def _strips(height: int, width: int) -> list[slice]:
    """Cut a level into bands of rows that overlap by the window, so that P-Net's answers just join."""
    answers = -(-height // 2) - 5
    step = max(STRIP // (2 * width), 8)
    starts = range(0, answers, step)
    return [slice(2 * s, 2 * (s + step) + 10 if s + step < answers else height) for s in starts]


def _run(session: onnxruntime.InferenceSession, pixels: np.ndarray) -> list[np.ndarray]:
    return session.run(None, {"pixels": pixels})
