"""Pictures of straightened faces, and of photos where detection goes wrong or is in doubt."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.detection import detect_photos
from facecourse.plotting import figure
from facecourse.plotting_detection import draw_faces
from facecourse.plotting_faces import show_pairs
from facecourse.settings import ROOT
from lambda_function.crops import Preprocessing, crop_face
from lambda_function.mtcnn import Face, select_face
from lambda_function.photos import open_photo


def show_aligned(found: pd.DataFrame, most: int = 20):
    """Draw the most tilted faces, cut along the box (left) and straightened by the landmarks (right).

    Parameters
    ----------
    found : DataFrame
        From `find_true_faces`: path, face, roll.
    most : int

    Returns
    -------
    Figure
    """
    usable = found[found["face"].notna()]
    worst = usable.loc[usable["roll"].abs().sort_values(ascending=False).index[:most]]
    pairs, texts = [], []
    for row in worst.itertuples():
        image = open_photo(row.path)
        pairs.append(tuple(crop_face(image, row.face, Preprocessing(align=align)) for align in (False, True)))
        texts.append(f"{row.roll:+.0f} degrees")
    return show_pairs(pairs, texts, title="Cut along the box, and straightened")


@dataclass
class Failure:
    """A photo where detection failed or is in doubt.

    Attributes
    ----------
    path : path
    kind : str
        "no face", "choice in doubt" or "unsure".
    why : str
        In words, with the figure that says so.
    faces : list of Face
    """

    path: object
    kind: str
    why: str
    faces: list[Face]


def failures(manifest: pd.DataFrame) -> list[Failure]:
    """Look for photos without a face, with a debatable choice of face, and with a low score.

    Parameters
    ----------
    manifest : DataFrame
        path, sha256, width, height of readable photos.

    Returns
    -------
    list of Failure
        By kind; within a kind the worst first.
    """
    readable = manifest[manifest["width"] > 0]
    found = detect_photos([ROOT / path for path in readable["path"]], readable["sha256"].tolist())
    none, doubt, unsure = [], [], []
    for row in readable.itertuples():
        faces, path = found[row.sha256], ROOT / row.path
        if not faces:
            none.append((0, Failure(path, "no face", _why_none(path), faces)))
            continue
        chosen = select_face(faces, row.width, row.height)
        largest = select_face(faces, row.width, row.height, "largest")
        if chosen != largest:
            ratio = _area(faces[largest]) / _area(faces[chosen])
            doubt.append((-ratio, Failure(path, "choice in doubt", f"rival {ratio:.1f} x as large", faces)))
        elif faces[chosen].score < 0.95:
            score = faces[chosen].score
            unsure.append((score, Failure(path, "unsure", f"score only {score:.2f}", faces)))
    return [failure for kind in (none, doubt, unsure) for _, failure in sorted(kind, key=lambda f: f[0])]


def _area(face: Face) -> float:
    return float(max(np.prod(face.box[2:] - face.box[:2]), 1e-6))


def _why_none(path) -> str:
    """Say what is measurably unusual about a photo in which nothing was found."""
    grey = open_photo(path).mean(axis=2)
    detail = float(np.abs(np.diff(grey, axis=1)).mean())
    if grey.mean() < 60:
        return f"dark: mean {grey.mean():.0f} of 255"
    return f"little detail: {detail:.1f}" if detail < 3 else "turned, covered or cut off"


def show_failures(found: list[Failure], each: int = 4):
    """Draw up to `each` photos of every kind of failure, with what was found in them; None if there are none."""
    kinds = list(dict.fromkeys(failure.kind for failure in found))
    part = [f for kind in kinds for f in [f for f in found if f.kind == kind][:each]]
    if not part:
        return None
    columns = min(4, len(part))
    picture, axes = figure(-(-len(part) // columns), columns, width=2.6, height=2.7, squeeze=False)
    for panel in axes.ravel():
        panel.axis("off")
    for panel, failure in zip(axes.ravel(), part, strict=False):
        draw_faces(panel, open_photo(failure.path), failure.faces, f"{failure.kind}: {failure.why}")
    return picture
