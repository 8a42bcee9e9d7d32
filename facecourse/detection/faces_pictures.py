"""Faces as pictures: rows of crops with a line of text below each."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from facecourse.core import paths
from facecourse.core.figures import STYLE, figure
from lambda_function.boxes import to_square
from lambda_function.crops import Preprocessing, crop_face
from lambda_function.faces import Face
from lambda_function.photos import open_photo


def square_crop(image: np.ndarray, face: Face, size: int = 112) -> np.ndarray:
    """Cut a face for looking at, (size, size, 3) uint8: a square around its box, so that nothing is stretched."""
    square = replace(face, box=to_square(face.box[None])[0])
    return crop_face(image, square, Preprocessing(size=size, margin=size // 4))


def face_crop(row: pd.Series, size: int = 112) -> np.ndarray:
    """Cut the face of one row of the manifest for looking at: (size, size, 3) uint8; the whole photo without a box."""
    image = open_photo(paths.ROOT / row["path"])
    if row["box"] is not None and np.size(row["box"]) == 4:
        return square_crop(
            image, Face(np.asarray(row["box"], np.float32), np.zeros((5, 2), np.float32), 1.0), size
        )
    return np.asarray(ImageOps.pad(Image.fromarray(image), (size, size), color="white"))


def show_faces(crops: list[np.ndarray], texts: list[str], columns: int = 8, title: str = ""):
    """Draw crops, (height, width, 3) uint8 of one shape, in a grid, each with its text below; None without crops."""
    if not crops:
        return None
    columns = min(columns, len(crops))
    wide = 1.45 * crops[0].shape[1] / crops[0].shape[0]
    lines = max(text.count("\n") + 1 for text in texts)
    rows = -(-len(crops) // columns)
    picture, axes = figure(rows, columns, width=wide, height=1.5 + 0.15 * lines, squeeze=False)
    with plt.rc_context(STYLE):
        for panel in axes.ravel():
            panel.set(xticks=[], yticks=[])
            panel.grid(False)
            panel.spines[:].set_visible(False)
        for panel, crop, text in zip(axes.ravel(), crops, texts, strict=False):
            panel.imshow(crop)
            panel.set_xlabel(text, fontsize=7)
        picture.suptitle(title, fontsize=10)
    return picture


def show_pairs(
    pairs: list[tuple[np.ndarray, np.ndarray]], texts: list[str], columns: int = 4, title: str = ""
):
    """Draw pairs of crops side by side, each pair with its text below."""
    return show_faces([np.concatenate(pair, axis=1) for pair in pairs], texts, columns, title)
