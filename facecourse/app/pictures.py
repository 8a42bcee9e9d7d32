"""A result as a figure: the photo with names, and beside it the candidates of each face."""

import textwrap

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from facecourse.app.pages import shown_name
from facecourse.app.session import Result
from facecourse.core.figures import COLOURS, STYLE, figure
from lambda_function.gallery import UNKNOWN

SHOWN_FACES = 6


def plot_result(result: Result, threshold: float):
    """Draw one result; returns None, and prints what went wrong, when there is no face to draw.

    Parameters
    ----------
    result : Result
    threshold : float
        Score from which on a name is given.

    Returns
    -------
    Figure or None
        Left the photo, boxes solid for a name and dashed for "unknown"; right the similarity of each face
        (the first six) to its best candidates, with the threshold as a line.
    """
    if result.problem:
        print(f"{result.photo}: {result.problem}")
        return None
    names = result.names(threshold)
    shown = list(zip(result.faces, names, strict=True))[:SHOWN_FACES]
    columns = 1 if len(shown) < 3 else 2
    rows = -(-len(shown) // columns)
    height, width = result.image.shape[:2]
    tall = max(1.5 * rows, 6.0 * height / width if width > height else 4.5)
    wide = 6.0 if width > height else 4.5 * width / height + 0.5
    picture, _ = figure(1, 1, width=wide + 3.4 * columns, height=tall)
    picture.clear()
    with plt.rc_context(STYLE):
        left, right = picture.subfigures(1, 2, width_ratios=[wide, 3.4 * columns])
        _photo(left.subplots(), result, names)
        panels = right.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for place, panel in enumerate(panels):
            if place < len(shown):
                _bars(panel, place + 1, *shown[place], threshold)
            else:
                panel.axis("off")
        right.supxlabel("score", fontsize=9)
    return picture


def _photo(axes, result: Result, names: list[str]) -> None:
    axes.imshow(result.image)
    axes.axis("off")
    axes.set_title(textwrap.shorten(result.photo, 50), fontsize=10)
    for place, (face, name) in enumerate(zip(result.faces, names, strict=True), 1):
        x0, y0, x1, y1 = face["box"]
        known = name != UNKNOWN
        colour = COLOURS["blue"] if known else COLOURS["orange"]
        axes.add_patch(
            Rectangle(
                (x0, y0), x1 - x0, y1 - y0, fill=False, ec=colour, lw=2, ls="-" if known else (0, (4, 2))
            )
        )
        text = f"{place} {shown_name(name)}" if len(names) <= SHOWN_FACES else str(place)
        axes.text(
            (x0 + x1) / 2,
            y1,
            text.replace(" ", "\n", 2) if known else text.replace(" ", "\n", 1),
            ha="center",
            va="top",
            fontsize=7.5,
            color="white",
            bbox={"facecolor": colour if known else "#8A5A00", "edgecolor": "none", "pad": 1.5},
        )


def _bars(axes, place: int, face: dict, name: str, threshold: float) -> None:
    candidates = face["top"][::-1]
    scores = [one["score"] for one in candidates]
    colours = [COLOURS["blue"] if score >= threshold else "#999999" for score in scores]
    axes.barh([shown_name(one["name"]) for one in candidates], scores, color=colours, height=0.7)
    axes.axvline(threshold, color=COLOURS["red"], linestyle="--", linewidth=1.2)
    sure = f" {face['confidence']:.0%}" if name != UNKNOWN else ""
    axes.set_title(f"{place} {shown_name(name)}{sure}", fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    axes.set_xlim(0, 1)
    axes.grid(False)
