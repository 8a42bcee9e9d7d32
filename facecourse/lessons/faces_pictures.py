"""Faces as pictures: rows of crops with a line of text below each."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from facecourse.core import paths
from facecourse.core.figures import STYLE, figure
from lambda_function.crops import Preprocessing, crop_face
from lambda_function.faces import Face
from lambda_function.photos import open_photo


def face_crop(row: pd.Series, size: int = 112) -> np.ndarray:
    """Cut the chosen face of one row of the manifest for looking at: (size, size, 3) uint8.

    A photo without a box is shown whole, scaled to the square.
    """
    image = open_photo(paths.ROOT / row["path"])
    height, width = image.shape[:2]
    box = row["box"] if row["box"] is not None and np.size(row["box"]) == 4 else (0, 0, width, height)
    margin = size // 4 if row["box"] is not None else 0
    face = Face(np.asarray(box, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return crop_face(image, face, Preprocessing(size=size, margin=margin))


def show_faces(crops: list[np.ndarray], texts: list[str], columns: int = 8, title: str = ""):
    """Draw crops in a grid, each with its text below; returns None when there are none.

    Parameters
    ----------
    crops : list of ndarray of shape (size, size, 3), uint8
    texts : list of str
        One per crop.
    columns : int
    title : str
    """
    if not crops:
        return None
    columns = min(columns, len(crops))
    rows = -(-len(crops) // columns)
    wide = 1.45 * crops[0].shape[1] / crops[0].shape[0]
    lines = max(text.count("\n") + 1 for text in texts)
    picture, axes = figure(rows, columns, width=wide, height=1.5 + 0.15 * lines, squeeze=False)
    with plt.rc_context(STYLE):
        for place, panel in enumerate(axes.ravel()):
            panel.set(xticks=[], yticks=[])
            panel.grid(False)
            panel.spines[:].set_visible(False)
            if place < len(crops):
                panel.imshow(crops[place])
                panel.set_xlabel(texts[place], fontsize=7)
        picture.suptitle(title, fontsize=10)
    return picture


def show_pairs(
    pairs: list[tuple[np.ndarray, np.ndarray]], texts: list[str], columns: int = 4, title: str = ""
):
    """Draw pairs of crops side by side, each with its text below.

    Parameters
    ----------
    pairs : list of two ndarrays of shape (size, size, 3), uint8
    texts : list of str
        One per pair.
    columns : int
    title : str
    """
    return show_faces([np.concatenate(pair, axis=1) for pair in pairs], texts, columns, title)


def short_name(path: str) -> str:
    """Return a photo's file name, broken into short lines for a caption."""
    return Path(path).stem.replace("_", " ")
