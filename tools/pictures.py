"""`python -m tools.pictures`: draw docs/result.png and the pictures at the top of the notebooks, from the sample's model."""

import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
from PIL import Image

from facecourse.core.figures import COLOURS, figure
from facecourse.core.paths import DATA, ROOT, outputs_for
from facecourse.embedding.embeddings import embed_manifest
from lambda_function.crops import crop_face
from lambda_function.gallery import UNKNOWN
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser
from tools.published import few_colours, small

GROUP = DATA / "group/group_03.jpg"  # four enrolled people and one who is not
ROWS = slice(215, 575)  # heads and shoulders


def result(recogniser: Recogniser, manifest: pd.DataFrame) -> Image.Image:
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
    picture.savefig(buffer, format="png", dpi=100, bbox_inches="tight", pad_inches=0.04)
    plt.close(picture)
    return Image.open(buffer).convert("RGB")


def people(recogniser: Recogniser, manifest: pd.DataFrame) -> Image.Image:
    """Notebook 01: the people of the sample, a photo each."""
    folders = sorted((DATA / "people").iterdir())
    picture, axes = figure(2, 6, width=1.5, height=1.75)
    for panel, folder in zip(axes.ravel(), folders, strict=False):
        panel.imshow(open_photo(sorted(folder.glob("*.jpg"))[0]))
        panel.set_title(folder.name.replace("_", " "), fontsize=9)
        panel.axis("off")
    return _as_image(picture)


def detections(recogniser: Recogniser, manifest: pd.DataFrame) -> Image.Image:
    """Notebook 02: boxes and landmarks on a group picture."""
    photo = open_photo(DATA / "group/group_01.jpg")[240:560]
    picture, axes = figure(width=9, height=9 * photo.shape[0] / photo.shape[1])
    axes.imshow(photo)
    axes.axis("off")
    for face in recogniser.detector.detect([photo])[0]:
        x0, y0, x1, y1 = face.box
        axes.add_patch(
            plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=COLOURS["sky"], lw=2.5)
        )
        axes.scatter(
            *np.asarray(face.landmarks).T, s=22, color=COLOURS["yellow"], edgecolor="black", zorder=3
        )
    return _as_image(picture)


def similar_faces(recogniser: Recogniser, manifest: pd.DataFrame) -> Image.Image:
    """Notebook 03: three faces, and how alike their embeddings are."""
    paths = [f"people/Ada_Ferro/Ada_Ferro_{number:04d}.jpg" for number in (1, 3)]
    photos = [open_photo(DATA / path) for path in (*paths, "people/Ines_Valkamo/Ines_Valkamo_0001.jpg")]
    faces = [recogniser.detector.detect([photo])[0][0] for photo in photos]
    crops = np.stack(
        [
            crop_face(photo, face, recogniser.embedder.preprocessing)
            for photo, face in zip(photos, faces, strict=True)
        ]
    )
    vectors = np.concatenate(
        [recogniser.embed(photo, [face]) for photo, face in zip(photos, faces, strict=True)]
    )
    picture, axes = figure(1, 5, width=1.8, height=1.9, width_ratios=[2, 1.3, 2, 1.3, 2])
    for place, crop in zip((0, 2, 4), crops, strict=True):
        axes[place].imshow(crop)
    for place, (i, j), who in ((1, (0, 1), "same person"), (3, (1, 2), "someone else")):
        text = f"{vectors[i] @ vectors[j]:.2f}\n\u2194\n{who}"
        axes[place].text(
            0.5, 0.5, text, ha="center", va="center", fontsize=12, transform=axes[place].transAxes
        )
    for panel in axes:
        panel.axis("off")
    return _as_image(picture)


def known_and_strangers(recogniser: Recogniser, manifest: pd.DataFrame) -> Image.Image:
    """Notebook 04: scores of known people and of strangers, and the threshold between them."""
    embeddings = embed_manifest(manifest, "msceleb1m", views=recogniser.views, progress=False)
    best = recogniser.gallery.scores(embeddings).max(1)
    picture, axes = figure(width=8, height=2.4)
    sides = (("test", "known people", "blue", None), ("unknown_test", "strangers", "orange", "//"))
    for side, label, colour, hatch in sides:
        scores = best[(manifest.course_split == side).to_numpy()]
        shares = np.full(len(scores), 1 / len(scores))
        style = {"color": COLOURS[colour], "hatch": hatch, "alpha": 0.75, "edgecolor": "white"}
        axes.hist(scores, bins=np.linspace(0.2, 1, 33), weights=shares, label=label, **style)
    threshold = recogniser.gallery.threshold
    axes.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.2f}")
    axes.set(xlabel="cosine similarity to the best person", ylabel="share of photos")
    axes.legend(loc="upper left")
    return _as_image(picture)


def route(recogniser: Recogniser, manifest: pd.DataFrame) -> Image.Image:
    """Notebook 05: what a request meets on its way."""
    stations = ["photo", "Function URL", "Lambda:\ndetect, align,\nembed, decide", "names and\nconfidences"]
    picture, axes = figure(width=8, height=2.0)
    axes.set(xlim=(0, 8), ylim=(0, 2))
    axes.axis("off")
    for place, text in enumerate(stations):
        style = {"boxstyle": "round,pad=0.5", "facecolor": "#D6EAF5", "edgecolor": COLOURS["blue"]}
        axes.text(0.8 + 2.1 * place, 1.35, text, ha="center", va="center", fontsize=11, bbox=style)
        if place:
            axes.annotate(
                "", (0.05 + 2.1 * place, 1.35), (2.1 * place - 0.5, 1.35), arrowprops={"arrowstyle": "->"}
            )
    style = {"boxstyle": "round,pad=0.4", "facecolor": "#FBF3C4", "edgecolor": COLOURS["orange"]}
    axes.text(5.0, 0.3, "S3: the model, checked by hash", ha="center", va="center", fontsize=10, bbox=style)
    axes.annotate("", (5.0, 0.85), (5.0, 0.55), arrowprops={"arrowstyle": "->"})
    return _as_image(picture)


# Notebook -> what draws its picture, and what the picture shows, for those who cannot see it.
PICTURES = {
    "01": (people, "The twelve invented people of the sample, one photo and the name of each"),
    "02": (
        detections,
        "A group picture: every face has a box, and dots on eyes, nose and corners of the mouth",
    ),
    "03": (
        similar_faces,
        "Three faces: two of one person are very similar, the third is someone else's and is not",
    ),
    "04": (
        known_and_strangers,
        "Histogram: known people score high, strangers low, and a threshold divides them",
    ),
    "05": (
        route,
        "The way of a photo: Function URL, Lambda function with its model from S3, names and confidences",
    ),
    "06": (
        result,
        "A group picture: enrolled people with name and confidence, and one stranger called unknown",
    ),
}


def save(image: Image.Image, path: Path, width: int = 1000) -> None:
    """Write a small PNG: at most `width` pixels wide, 256 colours."""
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    few_colours(image).save(path, optimize=True)


def put_on_top(path: Path, image: Image.Image, alt: str) -> None:
    """Put a picture below the title of a notebook, inside the file: Colab shows no other kind offline or on.

    An earlier picture is replaced.
    """
    kind, data = small(image, 760)
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0]
    text = re.sub(r"!\[[^\]]*\]\(data:image/[^)]*\)\n*", "", first.source)
    title = re.search(r"^# .*\n+", text, re.M)
    first.source = f"{text[: title.end()]}![{alt}](data:{kind};base64,{data})\n\n{text[title.end() :]}"
    nbformat.write(notebook, path)


def main(outputs: Path | None = None, project: Path = ROOT) -> None:
    """Draw everything with the model and the manifest in `outputs`, by default those of outputs/sample."""
    outputs = outputs or outputs_for("sample")
    recogniser = Recogniser.load(outputs / "model")
    manifest = pd.read_parquet(outputs / "manifest.parquet")
    for number, (draw, alt) in PICTURES.items():
        image = draw(recogniser, manifest)
        if draw is result:
            save(image, project / "docs/result.png")
        put_on_top(next(project.glob(f"notebooks/{number}_*.ipynb")), image, alt)


if __name__ == "__main__":
    main()
