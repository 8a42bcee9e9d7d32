"""`python -m tools.pictures`: draw docs/result.png and the pictures at the top of the notebooks, from the sample's model."""

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from facecourse.plotting import COLOURS, figure
from facecourse.settings import DATA, ROOT, outputs_for
from lambda_function.gallery import UNKNOWN
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser
from tools.published import few_colours

GROUP = DATA / "group/group_03.jpg"  # four enrolled people and one who is not
ROWS = slice(215, 575)  # heads and shoulders


def result(recogniser: Recogniser) -> Image.Image:
    """Draw what the sample's model says about a group picture: boxes, names, confidences.

    Raises
    ------
    ValueError
        If the picture would not show both names and an "unknown".
    """
    photo = open_photo(GROUP)[ROWS]
    faces = recogniser.recognise(photo)
    strangers = [face for face in faces if face["name"] == UNKNOWN]
    if len(faces) < 4 or len(strangers) != 1:
        raise ValueError(f"{len(faces)} faces and {len(strangers)} strangers make no front page")
    picture, axes = figure(width=photo.shape[1] / 100, height=photo.shape[0] / 100)
    axes.imshow(photo)
    axes.axis("off")
    for face in faces:
        label = face["name"].replace("_", " ")
        colour = COLOURS["orange"] if face["name"] == UNKNOWN else COLOURS["sky"]
        if face["name"] != UNKNOWN:
            label += f"\n{face['confidence']:.0%}"
        _label(axes, face["box"], label, colour, dashed=face["name"] == UNKNOWN)
    return _as_image(picture)


def _label(axes, box, label: str, colour: str, dashed: bool) -> None:
    """Draw a box and its label below; the stranger's line is dashed, so that grey tells them apart too."""
    x0, y0, x1, y1 = box
    style = {"fill": False, "edgecolor": colour, "linewidth": 3, "linestyle": "--" if dashed else "-"}
    axes.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, **style))
    axes.text(
        (x0 + x1) / 2,
        y1 + 12,
        label,
        ha="center",
        va="top",
        fontsize=14,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "none"},
    )


def _as_image(picture) -> Image.Image:
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", dpi=100, bbox_inches="tight", pad_inches=0)
    plt.close(picture)
    return Image.open(buffer).convert("RGB")


def save(image: Image.Image, path: Path, width: int = 1000) -> None:
    """Write a small PNG: at most `width` pixels wide, 256 colours."""
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    few_colours(image).save(path, optimize=True)


def main(model: Path | None = None) -> None:
    """Draw everything with the bundle in `model`, by default that of outputs/sample."""
    np.random.seed(0)
    recogniser = Recogniser.load(model or outputs_for("sample") / "model")
    save(result(recogniser), ROOT / "docs/result.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of the model's bundle")
    main(parser.parse_args().model)
