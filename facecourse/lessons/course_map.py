"""The map at the head of every notebook: photo -> box -> crop -> embedding -> name, with the present step marked."""

import json

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from facecourse.core.figures import COLOURS, figure
from facecourse.core.paths import DATA
from facecourse.detection.detector import detect_photos
from facecourse.embedding.backbones import Backbone
from lambda_function.boxes import iou
from lambda_function.crops import crop_face
from lambda_function.photos import open_photo
from lambda_function.pipeline import Embedder, sha256_of

STEPS = ("photo", "box", "crop", "embedding", "name")


def draw_map(backbone: Backbone | Embedder, *here: str, picture: str = "group_03.jpg") -> Figure:
    """Draw the way of one face of a bundled group picture from photo to name, and frame the steps `here`, of STEPS."""
    embedder = backbone if isinstance(backbone, Embedder) else backbone.embedder()
    path = DATA / "group" / picture
    image, value = open_photo(path), sha256_of(path)
    faces = detect_photos([path], [value], progress=False)[value]
    truth = next(
        p["faces"] for p in json.loads((path.parent / "groups.json").read_text()) if p["file"] == picture
    )
    known = np.array([face["box"] for face in truth], np.float32)
    face = max(faces, key=lambda face: face.box[3] - face.box[1])
    name = truth[int(iou(face.box[None], known)[0].argmax())]["name"]
    crop = crop_face(image, face, embedder.preprocessing)
    vector = embedder.embed(crop[None, None])[0]

    drawn, axes = figure(1, 5, width=2.2, height=1.9, width_ratios=(1.5, 1, 1, 1, 1))
    middle, half = (face.box[:2] + face.box[2:]) / 2, 1.1 * (face.box[3] - face.box[1])
    axes[0].imshow(image)
    axes[1].imshow(image)
    axes[1].set(xlim=middle[0] + np.array([-half, half]), ylim=middle[1] + np.array([half, -half]))
    axes[1].scatter(
        *face.landmarks.T, s=9, color=COLOURS["sky"], edgecolors="black", linewidths=0.4, zorder=3
    )
    for panel in axes[:2]:
        x0, y0, x1, y1 = face.box
        panel.add_patch(
            Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=COLOURS["yellow"], linewidth=1.5)
        )
    axes[2].imshow(crop)
    limit = np.abs(vector).max()
    axes[3].imshow(
        np.resize(vector, (-(-len(vector) // 16), 16)), cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto"
    )
    axes[3].set_box_aspect(1)
    axes[3].set_xlabel(f"{len(vector)} numbers", fontsize=8)
    axes[4].text(0.5, 0.5, name.replace("_", "\n"), ha="center", va="center", fontsize=12)
    axes[4].set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    for panel, step in zip(axes, STEPS, strict=True):
        marked = step in here
        panel.set(xticks=[], yticks=[])
        panel.set_anchor("N")
        panel.grid(False)
        panel.spines[:].set(
            visible=True, color=COLOURS["red"] if marked else "#BBBBBB", linewidth=3 if marked else 0.8
        )
        arrow = "" if step == STEPS[-1] else "  \N{RIGHTWARDS ARROW}"
        panel.set_title(step + arrow, fontsize=10, color=COLOURS["red"] if marked else "black")
    return drawn
