"""Bounding boxes: overlap, suppression, correction. All boxes are float32 rows x0 y0 x1 y1 in pixels."""

import numpy as np


def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float, smaller: bool = False) -> np.ndarray:
    """Greedy non-maximum suppression: keep the best box, drop what overlaps it too much, and so on.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4)
    scores : ndarray of shape (n,)
    threshold : float
        Overlap above which the lesser box goes, 0 to 1.
    smaller : bool
        False: overlap is intersection over union, with box sides x1 - x0. True: intersection over the
        smaller box, with sides x1 - x0 + 1, so that a box inside another one goes ("Min" in Zhang et al. 2016's
        code; the sides are as facenet-pytorch has them).

    Returns
    -------
    ndarray of int
        Places of the boxes kept, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    extra = np.float32(1 if smaller else 0)
    x0, y0, x1, y1 = boxes[order].T
    area = (x1 - x0 + extra) * (y1 - y0 + extra)
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if not alive[i]:
            continue
        rest = i + 1 + np.flatnonzero(alive[i + 1 :])
        width = np.minimum(x1[i], x1[rest]) - np.maximum(x0[i], x0[rest]) + extra
        height = np.minimum(y1[i], y1[rest]) - np.maximum(y0[i], y0[rest]) + extra
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        whole = np.minimum(area[i], area[rest]) if smaller else area[i] + area[rest] - shared
        alive[rest[shared > np.float32(threshold) * whole]] = False
    return order[alive]


def shift(boxes: np.ndarray, by: np.ndarray, extra: float = 1.0) -> np.ndarray:
    """Move each edge of each box by a fraction of its side.

    Parameters
    ----------
    boxes, by : ndarray of shape (n, 4), float32
    extra : float
        Added to the side: R-Net and O-Net were trained with sides x1 - x0 + 1, P-Net with 0.
    """
    sides = boxes[:, 2:] - boxes[:, :2] + np.float32(extra)
    return boxes + by * np.concatenate([sides, sides], axis=1)


def square(boxes: np.ndarray) -> np.ndarray:
    """Grow the shorter side of each box to the longer one, about the centre."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * np.float32(0.5) - longest * np.float32(0.5)
    return np.concatenate([corner, corner + longest], axis=1)


def within(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cut boxes to whole pixels inside the photo: (n, 4) int64, some perhaps empty (x1 <= x0)."""
    whole = np.trunc(np.clip(boxes, -(2**30), 2**30)).astype(np.int64)
    start = np.maximum(whole[:, :2], 1) - 1  # the networks' boxes count pixels from 1
    end = np.minimum(whole[:, 2:], (width, height))
    return np.concatenate([start, end], axis=1)


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union of every pair: (n, 4) and (m, 4) -> (n, m), 0 to 1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=1) for b in (first, second)]
    whole = areas[0][:, None] + areas[1][None, :] - shared
    return shared / np.maximum(whole, 1e-12)
