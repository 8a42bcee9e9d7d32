"""Bounding boxes: non-maximum suppression, correction, overlap. Boxes are rows x0 y0 x1 y1 in pixels."""

import numpy as np

BLOCK = 256  # boxes compared all with all


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, smaller: bool = False) -> np.ndarray:
    """Greedy non-maximum suppression: keep the best box, drop what overlaps it too much, and so on.

    boxes (n, 4) and scores (n,) are float32; returned are the places of the boxes kept, best score first.
    Overlap, 0 to 1, is intersection over union; with `smaller`, over the smaller of both boxes, so that a box
    inside another one goes ("Min" in the code of Zhang et al. 2016; sides x1 - x0 + 1, and of equal scores
    the last first, as facenet-pytorch has them).
    """
    # Surely recognised faces have several boxes of the very same score, 1 - 2^-24: their order decides.
    order = np.argsort(scores, kind="stable")[::-1] if smaller else np.argsort(-scores, kind="stable")
    kept = np.zeros(0, int)
    while len(order):
        # By blocks: all overlaps of the best few hundred at once are faster than one box after the other.
        head, rest = order[:BLOCK], order[BLOCK:]
        close = overlapping(boxes[head], boxes[head], threshold, smaller)
        alive = np.ones(len(head), bool)
        for i in np.flatnonzero(close.sum(axis=1) > 1):  # each overlaps itself
            if alive[i]:
                alive[i + 1 :][close[i, i + 1 :]] = False
        head = head[alive]
        kept = np.concatenate([kept, head])
        order = rest[~overlapping(boxes[head], boxes[rest], threshold, smaller).any(axis=0)]
    return kept


def overlapping(first: np.ndarray, second: np.ndarray, threshold: float, smaller: bool) -> np.ndarray:
    """Tell of every pair whether it overlaps, as in `nms`, by more than `threshold`: (n, 4), (m, 4) -> (n, m)."""
    extra = np.float32(1 if smaller else 0)
    ax0, ay0, ax1, ay1 = first.T[:, :, None]
    bx0, by0, bx1, by1 = second.T[:, None, :]
    width = np.minimum(ax1, bx1) - np.maximum(ax0, bx0) + extra
    height = np.minimum(ay1, by1) - np.maximum(ay0, by0) + extra
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    one, other = (ax1 - ax0 + extra) * (ay1 - ay0 + extra), (bx1 - bx0 + extra) * (by1 - by0 + extra)
    whole = np.minimum(one, other) if smaller else one + other - shared
    return shared > np.float32(threshold) * whole


def apply_offsets(boxes: np.ndarray, offsets: np.ndarray, extra: float = 1.0) -> np.ndarray:
    """Move each edge of each box by a fraction of its side, (n, 4) float32 both.

    `extra` is added to the side: R-Net and O-Net were trained with sides x1 - x0 + 1, P-Net with 0.
    """
    sides = boxes[:, 2:] - boxes[:, :2] + np.float32(extra)
    return boxes + offsets * np.concatenate([sides, sides], axis=1)


def to_square(boxes: np.ndarray) -> np.ndarray:
    """Grow the shorter side of each box to the longer one, about the centre."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * np.float32(0.5) - longest * np.float32(0.5)
    return np.concatenate([corner, corner + longest], axis=1)


def clip_boxes(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cut boxes to whole pixels inside the photo: (n, 4) int64, some perhaps empty (x1 <= x0)."""
    whole = np.trunc(np.clip(boxes, -(2**30), 2**30)).astype(np.int64)
    start = np.maximum(whole[:, :2], 1) - 1  # the networks' boxes count pixels from 1
    end = np.minimum(whole[:, 2:], (width, height))
    return np.concatenate([start, end], axis=1)


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union of every pair: (n, 4) and (m, 4) -> (n, m), 0 to 1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=1) for b in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1] - shared, 1e-12)
