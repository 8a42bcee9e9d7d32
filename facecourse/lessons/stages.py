"""MTCNN step by step: every stage's boxes kept, counted and timed, for looking at."""

import copy
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.detection.detector import detector
from lambda_function.area import Pixels
from lambda_function.boxes import overlap, shift, square, suppress
from lambda_function.faces import Face
from lambda_function.mtcnn import HeatMap, windows_of


@dataclass
class Trace:
    """One photo's way through the three networks.

    Attributes
    ----------
    image : ndarray of shape (height, width, 3), uint8, RGB
    maps : list of HeatMap
        P-Net's answers, one per pyramid level.
    windows : list of ndarray of shape (n, 9)
        Per level, the windows above the threshold: box, probability, shifts.
    kept : list of ndarray of shape (n, 9)
        Those left after suppression within their level.
    across : ndarray of shape (n, 9)
        Those left after suppression across levels.
    proposals, refined : ndarray of shape (n, 4)
        Square boxes after P-Net and after R-Net.
    faces : list of Face
        O-Net's answer.
    milliseconds : dict of str to float
        Of each step, on one thread.
    """

    image: np.ndarray
    maps: list[HeatMap]
    windows: list[np.ndarray]
    kept: list[np.ndarray]
    across: np.ndarray
    proposals: np.ndarray
    refined: np.ndarray
    faces: list[Face]
    milliseconds: dict[str, float]


def trace(image: np.ndarray, maps: list[HeatMap] | None = None, **settings) -> Trace:
    """Send one photo through MTCNN and keep every intermediate result.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8, RGB
    maps : list of HeatMap, optional
        Of an earlier trace of the same photo with the same smallest face and factor: P-Net does not run again.
    **settings
        min_face_size, thresholds and factor, as for `Mtcnn`.

    Returns
    -------
    Trace
    """
    found = copy.copy(detector(threads=1))  # the networks are opened once, whatever the settings
    found.__dict__.update(settings)
    clock, took = _Clock(), {}
    pixels = Pixels(image)
    if maps is None:
        maps = found.heat_maps(pixels) if min(image.shape[:2]) >= found.min_face_size else []
    took["P-Net"] = clock.lap()
    windows = [windows_of(level, found.thresholds[0]) for level in maps]
    kept = [rows[suppress(rows[:, :4], rows[:, 4], 0.5)] for rows in windows]
    across = np.concatenate([np.zeros((0, 9), np.float32), *kept])
    across = across[suppress(across[:, :4], across[:, 4], 0.7)]
    proposals = square(shift(across[:, :4], across[:, 5:], extra=0))
    took["suppression"] = clock.lap()
    refined = found.refine(pixels, proposals)
    took["R-Net"] = clock.lap()
    faces = found.output(pixels, refined)
    took["O-Net"] = clock.lap()
    return Trace(image, maps, windows, kept, across, proposals, refined, faces, took)


class _Clock:
    def __init__(self):
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Return the milliseconds since the last call."""
        now, before = time.perf_counter(), self.last
        self.last = now
        return (now - before) * 1000


def stage_table(steps: Trace) -> pd.DataFrame:
    """Return candidates and milliseconds per stage of one photo.

    Parameters
    ----------
    steps : Trace
        From `trace`.
    """
    looked_at = sum(level.probability.size for level in steps.maps)
    rows = [
        ("P-Net: all windows", looked_at, steps.milliseconds["P-Net"]),
        ("above the threshold", sum(map(len, steps.windows)), np.nan),
        ("suppressed per level", sum(map(len, steps.kept)), np.nan),
        ("suppressed across levels", len(steps.proposals), steps.milliseconds["suppression"]),
        ("R-Net", len(steps.refined), steps.milliseconds["R-Net"]),
        ("O-Net", len(steps.faces), steps.milliseconds["O-Net"]),
    ]
    return pd.DataFrame(rows, columns=["stage", "candidates", "milliseconds"])


def lost_at(image: np.ndarray, box: np.ndarray, least: float = 0.3) -> str:
    """Say at which stage MTCNN loses a face whose box is known.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8, RGB
    box : ndarray of shape (4,)
    least : float
        Intersection over union from which a candidate counts as being on the face.

    Returns
    -------
    str
        "P-Net", "R-Net" or "O-Net"; "" where the face is found.
    """
    steps = trace(image)
    stages = (("P-Net", steps.proposals), ("R-Net", steps.refined), ("O-Net", boxes_of(steps.faces)))
    return next((name for name, boxes in stages if not hits(boxes, box[None], least)[0]), "")


def boxes_of(faces: list[Face]) -> np.ndarray:
    """Return the boxes of faces as one array of shape (n, 4), float32."""
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def hits(boxes: np.ndarray, truth: np.ndarray, least: float = 0.4) -> tuple[int, int, float]:
    """Compare boxes with the true ones.

    Parameters
    ----------
    boxes, truth : ndarray of shape (n, 4) and (m, 4)
    least : float
        Intersection over union from which a true face counts as found.

    Returns
    -------
    (int, int, float)
        True faces found, boxes that lie on none, mean overlap of the found faces' best boxes.
    """
    if not len(boxes) or not len(truth):
        return 0, len(boxes), float("nan")
    shared = overlap(np.asarray(boxes, np.float64), np.asarray(truth, np.float64))
    best = shared.max(axis=0)
    found = best >= least
    mean = float(best[found].mean()) if found.any() else float("nan")
    return int(found.sum()), int((shared.max(axis=1) < least).sum()), mean


def ablation(traces: list[Trace], truths: list[np.ndarray]) -> pd.DataFrame:
    """Return what P-Net alone, P + R and all three find over photos whose true boxes are known.

    Parameters
    ----------
    traces : list of Trace
        From `trace`, one per photo.
    truths : list of ndarray of shape (faces, 4)
        Each photo's true boxes, x0 y0 x1 y1 in pixels.
    """
    rows = []
    for name, of in (
        ("P", lambda steps: steps.proposals),
        ("P + R", lambda steps: steps.refined),
        ("P + R + O", lambda steps: boxes_of(steps.faces)),
    ):
        results = [hits(of(steps), truth) for steps, truth in zip(traces, truths, strict=True)]
        overlaps = [result[2] for result in results]
        rows.append(
            {
                "stages": name,
                "boxes": sum(len(of(steps)) for steps in traces),
                "faces": sum(map(len, truths)),
                "found": sum(result[0] for result in results),
                "false alarms": sum(result[1] for result in results),
                "mean overlap": float(np.nanmean(overlaps)) if np.isfinite(overlaps).any() else np.nan,
            }
        )
    return pd.DataFrame(rows)
