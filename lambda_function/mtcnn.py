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

from .area import Pixels
from .boxes import shift, square, suppress, within
from .faces import Face
from .sessions import onnx_session

CELL, STRIDE = 12, 2  # P-Net's window and its step, in pixels of a pyramid level
# At most so many windows, candidates and faces are looked at, the likeliest first: a picture tiled with tiny faces
# has 120,000 windows and would take a minute. A photo of a hundred people stays below.
MOST_WINDOWS, MOST_CANDIDATES, MOST_FACES = 10_000, 3_000, 1_000
STRIP = 48 * 1024  # pixels of a level that go through P-Net at once: its layers then stay in the CPU's cache


@dataclass
class HeatMap:
    """What P-Net says about one level of the pyramid.

    Attributes
    ----------
    scale : float
        Pixels of the level per pixel of the photo.
    size : (int, int)
        Height and width of the level.
    probability : ndarray of shape (rows, columns), float32
        Of a face in the 12 x 12 window at (2 row, 2 column) of the level.
    shift : ndarray of shape (4, rows, columns), float32
        By which fraction of its side each edge of the window should move.
    """

    scale: float
    size: tuple[int, int]
    probability: np.ndarray
    shift: np.ndarray


class Mtcnn:
    """The detector.

    Parameters
    ----------
    folder : path
        Holds pnet.onnx, rnet.onnx and onet.onnx, which take pixels 0 to 255.
    threads : int, optional
        Photos, or parts of one, worked on side by side. Default: the CPUs this process may use, at most 8.
    min_face_size : int
        Smallest face looked for, in pixels.
    thresholds : tuple of three floats
        Least probability to stay, after P-Net, R-Net and O-Net.
    factor : float
        Ratio of neighbouring pyramid levels, between 0 and 1.

    Raises
    ------
    ValueError
        If a setting makes no sense.
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
        self.threads = threads or min(_cores(), 8)
        self._pnet, self._rnet, self._onet = (
            onnx_session(Path(folder) / f"{name}.onnx", any_size=True) for name in ("pnet", "rnet", "onet")
        )
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def detect(self, images: list[np.ndarray]) -> list[list[Face]]:
        """Find the faces of photos of any sizes.

        Parameters
        ----------
        images : list of ndarray of shape (height, width, 3), uint8, RGB
            Grey pictures of shape (height, width) are taken too.

        Returns
        -------
        list of list of Face
            Per photo, best score first; empty where there is no face.
        """
        if self._pool and len(images) > 1:
            return list(self._pool.map(self._search, images))
        return [self._search(image, self._pool.map if self._pool else map) for image in images]

    def _search(self, image: np.ndarray, each: Callable = map) -> list[Face]:
        if min(image.shape[:2]) * CELL / self.min_face_size < CELL:
            return []  # no face of the smallest size fits in
        pixels = Pixels(image, each)
        return self.output(
            pixels, self.refine(pixels, self.propose(self.heat_maps(pixels, each)), each), each
        )

    def scales(self, height: int, width: int) -> list[float]:
        """Return the pyramid's scales, largest first: at the first, the smallest face is 12 pixels."""
        scale, scales = CELL / self.min_face_size, []
        while min(height, width) * scale >= CELL:
            scales.append(scale)
            scale *= self.factor
        return scales

    def heat_maps(self, pixels: Pixels, each: Callable = map) -> list[HeatMap]:
        """Run P-Net over every level of the pyramid."""
        scales = self.scales(pixels.height, pixels.width)
        sizes = [(int(pixels.height * s + 1), int(pixels.width * s + 1)) for s in scales]
        jobs = [(level, rows) for level, size in enumerate(sizes) for rows in _strips(*size)]
        parts = list(each(lambda job: self._scan(pixels, sizes[job[0]], job[1]), jobs))
        maps = []
        for level, (scale, size) in enumerate(zip(scales, sizes, strict=True)):
            own = [part for (of, _), part in zip(jobs, parts, strict=True) if of == level]
            shifts, faces = (np.concatenate(arrays, axis=1) for arrays in zip(*own, strict=True))
            maps.append(HeatMap(scale, size, faces[0], shifts))
        return maps

    def _scan(self, pixels: Pixels, size: tuple[int, int], rows: slice) -> tuple[np.ndarray, np.ndarray]:
        shifts, faces = _run(self._pnet, pixels.level(*size, rows)[None])
        return shifts[0], faces[0]

    def propose(self, maps: list[HeatMap]) -> np.ndarray:
        """Turn heat maps into square candidate boxes.

        Returns
        -------
        ndarray of shape (n, 4), float32
            Candidates after suppression within each level and across levels, moved and made square.
        """
        found = likeliest([windows_of(level, self.thresholds[0]) for level in maps], MOST_WINDOWS)
        rows = np.concatenate([np.zeros((0, 9), np.float32), *found])
        rows = rows[suppress_within([len(part) for part in found], rows, 0.5)]
        rows = rows[suppress(rows[:, :4], rows[:, 4], 0.7)[:MOST_CANDIDATES]]
        return square(shift(rows[:, :4], rows[:, 5:], extra=0))

    def refine(self, pixels: Pixels, boxes: np.ndarray, each: Callable = map) -> np.ndarray:
        """Let R-Net look at each candidate at 24 x 24: (n, 4) -> (m, 4) float32 boxes, moved and square."""
        boxes, (shifts, faces) = self._look(self._rnet, pixels, boxes, 24, each)
        sure = faces[:, 0] > np.float32(self.thresholds[1])
        boxes, shifts, score = boxes[sure], shifts[sure], faces[sure, 0]
        kept = suppress(boxes, score, 0.7)[:MOST_FACES]
        return square(shift(boxes[kept], shifts[kept]))

    def output(self, pixels: Pixels, boxes: np.ndarray, each: Callable = map) -> list[Face]:
        """Let O-Net look at each candidate at 48 x 48: the last boxes, scores and landmarks, best first."""
        boxes, (shifts, points, faces) = self._look(self._onet, pixels, boxes, 48, each)
        sure = faces[:, 0] > np.float32(self.thresholds[2])
        boxes, shifts, points, score = boxes[sure], shifts[sure], points[sure], faces[sure, 0]
        sides = boxes[:, None, 2:] - boxes[:, None, :2] + np.float32(1)
        # The network gives all x, then all y, as fractions of its own, unmoved box.
        landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides + boxes[:, None, :2] - np.float32(1)
        moved = shift(boxes, shifts)
        return [
            Face(moved[i], landmarks[i], float(score[i])) for i in suppress(moved, score, 0.7, smaller=True)
        ]

    def _look(
        self, network, pixels: Pixels, boxes: np.ndarray, size: int, each: Callable
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the boxes that are not empty within the photo, and what a network says about each."""
        whole = within(boxes, pixels.width, pixels.height)
        inside = (whole[:, 2:] > whole[:, :2]).all(axis=1)
        boxes, whole = boxes[inside], whole[inside]
        parts = np.array_split(whole, max(1, min(self.threads, len(whole) // 4), len(whole) // 256))
        said = list(each(lambda part: _run(network, pixels.crops(part, size)), parts))
        return boxes, [np.concatenate(arrays) for arrays in zip(*said, strict=True)]


def windows_of(level: HeatMap, threshold: float) -> np.ndarray:
    """Return the windows of one heat map that may hold a face.

    Parameters
    ----------
    level : HeatMap
    threshold : float

    Returns
    -------
    ndarray of shape (n, 9), float32
        x0 y0 x1 y1 in pixels of the photo, probability, four shifts.
    """
    rows, columns = np.nonzero(level.probability >= np.float32(threshold))
    corner = np.column_stack([columns, rows]).astype(np.float32) * np.float32(STRIDE)
    scale = np.float32(level.scale)
    return np.column_stack(
        [
            np.floor((corner + np.float32(1)) / scale),
            np.floor((corner + np.float32(CELL)) / scale),
            level.probability[rows, columns],
            level.shift[:, rows, columns].T,
        ]
    )


def likeliest(found: list[np.ndarray], most: int) -> list[np.ndarray]:
    """Keep the `most` windows of highest probability over all levels; `found` is from `windows_of`."""
    sizes = [len(part) for part in found]
    if sum(sizes) <= most:
        return found
    probability = np.concatenate([part[:, 4] for part in found])
    kept = np.zeros(len(probability), bool)
    kept[np.argpartition(-probability, most)[:most]] = True
    masks = np.split(kept, np.cumsum(sizes)[:-1])
    return [part[mask] for part, mask in zip(found, masks, strict=True)]


def suppress_within(sizes: list[int], rows: np.ndarray, threshold: float) -> np.ndarray:
    """Suppress among windows of the same level only, all levels at once.

    Parameters
    ----------
    sizes : list of int
        Number of windows of each level.
    rows : ndarray of shape (sum of sizes, 9), float32
        From `windows_of`, level after level.
    threshold : float
        Intersection over union above which the lesser window goes.

    Returns
    -------
    ndarray of int
        Places of the windows kept, best first.
    """
    # Levels are moved out of each other's reach; windows have whole-numbered corners, so that costs no precision.
    reach = rows[:, :4].max(initial=0) + CELL
    level = np.repeat(np.arange(len(sizes), dtype=np.float32), sizes)
    return suppress(rows[:, :4] + (level * reach)[:, None], rows[:, 4], threshold)


def _strips(height: int, width: int) -> list[slice]:
    """Cut a level into bands of rows that overlap by the window, so that P-Net's answers just join."""
    answers = -(-height // 2) - 5
    step = max(STRIP // (2 * width), 8)
    starts = range(0, answers, step)
    return [slice(2 * s, 2 * (s + step) + 10 if s + step < answers else height) for s in starts]


def _run(session: onnxruntime.InferenceSession, pixels: np.ndarray) -> list[np.ndarray]:
    return session.run(None, {"pixels": pixels})


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
