"""A result as a figure: the photo with names, and beside it the candidates of each face."""

import textwrap

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from facecourse.app.pages import meaning, shown_name
from facecourse.app.session import Result
from facecourse.core.figures import COLOURS, STYLE, figure
from lambda_function.gallery import UNKNOWN

SHOWN_FACES = 6


def plot_result(result: Result, threshold: float):
    """Draw one result with the names that hold at `threshold` (a score); None, and a line of text, without a face.

    Left the photo, boxes solid for a name and dashed for "unknown"; right the score of each face (the first six) with
    its best candidates, and the threshold as a line.
    """
    if result.problem:
        print(f"{result.photo}: {result.problem}")
        return None
    faces = result.named(threshold)
    shown = faces[:SHOWN_FACES]
    columns = 1 if len(shown) < 3 else 2
    rows = -(-len(shown) // columns)
    height, width = result.image.shape[:2]
    tall = max(1.5 * rows, 6.0 * height / width if width > height else 4.5)
    wide = 6.0 if width > height else 4.5 * width / height + 0.5
    picture, _ = figure(1, 1, width=wide + 3.4 * columns, height=tall)
    picture.clear()
    with plt.rc_context(STYLE):
        left, right = picture.subfigures(1, 2, width_ratios=[wide, 3.4 * columns])
        _photo(left.subplots(), result, faces)
        panels = right.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for place, (panel, face) in enumerate(zip(panels, shown, strict=False), 1):
            _bars(panel, place, face, threshold)
        for panel in panels[len(shown) :]:
            panel.axis("off")
        right.supxlabel("score", fontsize=9)
    return picture


def _photo(axes, result: Result, faces: list[dict]) -> None:
    axes.imshow(result.image)
    axes.axis("off")
    axes.set_title(textwrap.shorten(result.photo, 50), fontsize=10)
    for place, face in enumerate(faces, 1):
        x0, y0, x1, y1 = face["box"]
        known = face["name"] != UNKNOWN
        colour, line = (COLOURS["blue"], "-") if known else (COLOURS["orange"], (0, (4, 2)))
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=colour, lw=2, ls=line))
        text = f"{place} {shown_name(face['name'])}" if len(faces) <= SHOWN_FACES else str(place)
        box = {"facecolor": colour if known else "#8A5A00", "edgecolor": "none", "pad": 1.5}
        look = {"ha": "center", "va": "top", "fontsize": 7.5, "color": "white", "bbox": box}
        axes.text((x0 + x1) / 2, y1, text.replace(" ", "\n", 2), **look)


def _bars(axes, place: int, face: dict, threshold: float) -> None:
    candidates = face["top"][::-1]
    scores = [one["score"] for one in candidates]
    colours = [COLOURS["blue"] if score >= threshold else "#999999" for score in scores]
    axes.barh([shown_name(one["name"]) for one in candidates], scores, color=colours, height=0.7)
    axes.axvline(threshold, color=COLOURS["red"], linestyle="--", linewidth=1.2)
    told = f": {meaning(face)}" if face["name"] != UNKNOWN and meaning(face) else ""
    axes.set_title(f"{place} {shown_name(face['name'])}{told}", fontsize=8.5, loc="left")
    axes.tick_params(labelsize=7)
    axes.set_xlim(0, 1)
    axes.grid(False)
