"""Pictures of straightened faces, of two detectors' answers, and of photos where detection goes wrong."""

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from facecourse.core.figures import COLOURS, figure
from facecourse.lessons.faces_pictures import show_pairs
from facecourse.lessons.failures import KINDS, Failure
from facecourse.lessons.stages_pictures import draw_faces
from lambda_function.crops import Preprocessing, crop_face
from lambda_function.photos import open_photo


def show_aligned(found: pd.DataFrame, most: int = 20):
    """Draw the most tilted faces, cut along the box (left) and straightened by the landmarks (right).

    Parameters
    ----------
    found : DataFrame
        path, face, roll (degrees).
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


def show_failures(found: list[Failure], each: int = 8, columns: int = 4):
    """Draw up to `each` photos of every kind of failure: in red what it is about, in yellow what was found.

    Parameters
    ----------
    found : list of Failure
        From `failures`.
    each : int
    columns : int

    Returns
    -------
    Figure or None
        None if there are no failures.
    """
    part = [f for kind in KINDS for f in [f for f in found if f.kind == kind][:each]]
    if not part:
        return None
    columns = min(columns, len(part))
    picture, axes = figure(-(-len(part) // columns), columns, width=2.7, height=2.95, squeeze=False)
    for panel in axes.ravel():
        panel.axis("off")
    for panel, failure in zip(axes.ravel(), part, strict=False):
        draw_faces(panel, open_photo(failure.path), failure.faces, f"{failure.kind}\n{_broken(failure.why)}")
        x0, y0, x1, y1 = np.asarray(failure.marked, float)
        panel.add_patch(
            Rectangle(
                (x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=COLOURS["red"], linewidth=2, linestyle="--"
            )
        )
    return picture


def _broken(text: str, width: int = 36) -> str:
    """Break a caption into two lines where it is long."""
    if len(text) <= width:
        return text
    place = text.rfind(" ", 0, width)
    return f"{text[:place]}\n{text[place + 1 :]}"
