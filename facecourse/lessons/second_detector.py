"""MTCNN beside a newer detector: faces found, false alarms, time."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from facecourse.core.sources import SourceError
from facecourse.detection.centerface import second_opinion
from facecourse.detection.detector import detector
from facecourse.lessons.stages import boxes_of, hits
from lambda_function.faces import Face
from lambda_function.photos import open_photo

CONFIRMED = 0.3  # intersection over union from which a true face counts as found
SAME = 0.5  # intersection over the smaller box from which two detectors mean the same face, cut off or not
DOUBTFUL = 0.2  # probability at which the second detector has at least a suspicion


def detectors() -> dict:
    """Return MTCNN, and CenterFace where it can be had, by name; prints why if it cannot."""
    both = {"MTCNN": detector()}
    try:
        both["CenterFace"] = second_opinion()
    except SourceError as error:
        print(f"CenterFace cannot be had here, so MTCNN stands alone: {str(error).splitlines()[0]}")
    return both


def compare_on_truth(truth: pd.DataFrame, progress: bool = True) -> pd.DataFrame:
    """Compare the detectors on photos whose true boxes are known.

    Parameters
    ----------
    truth : DataFrame
        path and box of every true face, from `true_faces`.
    progress : bool

    Returns
    -------
    DataFrame
        detector, photos, faces, found, false alarms, milliseconds (per photo).
    """
    boxes = truth.groupby("path", sort=False)["box"].apply(lambda own: np.stack(list(own)))
    found = _both(list(boxes.index), progress)
    rows = []
    for name, (faces, milliseconds) in found.items():
        counts = [hits(boxes_of(own), true, CONFIRMED) for own, true in zip(faces, boxes, strict=True)]
        rows.append(
            {
                "detector": name,
                "photos": len(boxes),
                "faces": len(truth),
                "found": sum(count[0] for count in counts),
                "false alarms": sum(count[1] for count in counts),
                "milliseconds": milliseconds,
            }
        )
    return pd.DataFrame(rows)


def compare_on_portraits(paths: list[Path], progress: bool = True) -> pd.DataFrame:
    """Compare the detectors on photos of which is known only that each shows one person in the middle.

    Parameters
    ----------
    paths : list of path
    progress : bool

    Returns
    -------
    DataFrame
        detector, photos, with a face (photos), in the middle (photos with a box over the middle), boxes,
        alone (boxes that the other detector does not even suspect: most are false alarms), milliseconds.
    """
    found = _both(paths, progress)
    sizes = [open_photo(path).shape[1::-1] for path in paths]
    rows = []
    for name, (faces, milliseconds) in found.items():
        others = [other for other in found if other != name]
        witness = _suspected(others[0], paths) if others else None
        rows.append(
            {
                "detector": name,
                "photos": len(paths),
                "with a face": sum(len(own) > 0 for own in faces),
                "in the middle": sum(_over(own, size) for own, size in zip(faces, sizes, strict=True)),
                "boxes": sum(map(len, faces)),
                "alone": sum(len(unconfirmed(*pair)) for pair in zip(faces, witness, strict=True))
                if witness
                else np.nan,
                "milliseconds": milliseconds,
            }
        )
    return pd.DataFrame(rows)


def _both(paths: list[Path], progress: bool) -> dict[str, tuple[list[list[Face]], float]]:
    """Return each detector's faces of every photo, and its median milliseconds per photo."""
    from tqdm.auto import tqdm

    tools = detectors()
    faces, spent = {name: [] for name in tools}, {name: [] for name in tools}
    for path in tqdm(paths, desc="compare", unit="photo", disable=not progress):
        image = open_photo(path)
        for name, tool in tools.items():
            begin = time.perf_counter()
            faces[name] += tool.detect([image])
            spent[name].append((time.perf_counter() - begin) * 1000)
    return {name: (faces[name], float(np.median(spent[name]))) for name in tools}


def _suspected(name: str, paths: list[Path]) -> list[list[Face]]:
    """Return what a detector finds when it is asked to be easily convinced."""
    tool = second_opinion(DOUBTFUL) if name == "CenterFace" else detector(thresholds=(0.6, 0.4, DOUBTFUL))
    return [tool.detect([open_photo(path)])[0] for path in paths]


def _over(faces: list[Face], size: tuple[int, int]) -> bool:
    middle = np.array(size) / 2
    return any((face.box[:2] <= middle).all() and (middle <= face.box[2:]).all() for face in faces)


def unconfirmed(faces: list[Face], witness: list[Face]) -> list[Face]:
    """Return the faces that share with none of the other detector's half of the smaller of both boxes."""
    if not faces or not witness:
        return list(faces)
    own, other = boxes_of(faces), boxes_of(witness)
    sides = np.minimum(own[:, None, 2:], other[None, :, 2:]) - np.maximum(
        own[:, None, :2], other[None, :, :2]
    )
    shared = np.prod(np.maximum(sides, 0), axis=2)
    area = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1), axis=1) for boxes in (own, other)]
    best = (shared / np.minimum(area[0][:, None], area[1][None, :])).max(axis=1)
    return [face for face, share in zip(faces, best, strict=True) if share < SAME]
