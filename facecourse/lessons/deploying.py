"""Figures of the deployment: what goes where, and what the precisions weigh and take."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import FancyBboxPatch

from facecourse.core.figures import COLOURS, STYLE, figure

STATIONS = {
    "photo": (0.0, 1.0, "phone, browser,\nnotebook"),
    "url": (1.0, 1.0, "Function URL\nsigned requests"),
    "function": (2.0, 1.0, "Lambda function\ndetect, align,\nembed, name"),
    "log": (3.0, 1.0, "CloudWatch\none line a request"),
    "model": (2.0, 0.0, "S3 bucket\nmodel and code"),
}
ROUTES = (
    ("photo", "url", "POST"),
    ("url", "function", "event"),
    ("function", "log", ""),
    ("model", "function", "once a start, hash checked"),
)


def draw_route():
    """Draw the way of a photo through the deployed parts, and of the model into the function."""
    picture, axes = figure(width=9.0, height=3.0)
    with plt.rc_context(STYLE):
        axes.set(xlim=(-0.5, 3.5), ylim=(-0.4, 1.4))
        axes.axis("off")
        for name, (x, y, text) in STATIONS.items():
            ours = name == "function"
            axes.add_patch(
                FancyBboxPatch(
                    (x - 0.32, y - 0.26),
                    0.64,
                    0.52,
                    boxstyle="round,pad=0.02",
                    facecolor="#DCEBF5" if ours else "white",
                    edgecolor=COLOURS["blue" if ours else "black"],
                    linewidth=2 if ours else 1,
                )
            )
            axes.text(x, y, text, ha="center", va="center", fontsize=9)
        for start, end, label in ROUTES:
            _arrow(axes, STATIONS[start][:2], STATIONS[end][:2], label)
    return picture


def _arrow(axes, start: tuple[float, float], end: tuple[float, float], label: str) -> None:
    level = start[1] == end[1]
    a = (start[0] + 0.34, start[1]) if level else (start[0], start[1] + 0.28)
    b = (end[0] - 0.34, end[1]) if level else (end[0], end[1] - 0.28)
    axes.annotate("", b, a, arrowprops={"arrowstyle": "->", "linewidth": 1.5, "color": COLOURS["black"]})
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    place = (0, 4) if level else (6, 0)
    axes.annotate(
        label,
        middle,
        place,
        textcoords="offset points",
        ha="center" if level else "left",
        va="bottom" if level else "center",
        fontsize=8,
    )


def plot_variants(table: pd.DataFrame, chosen: str):
    """Draw size and time of each precision; the chosen one is filled, the others are hatched.

    Parameters
    ----------
    table : DataFrame
        One row per variant: size, time and accuracy.
    chosen : str
        The row's name to mark.
    """
    picture, panels = figure(1, 2, width=4.2, height=2.6, sharey=True)
    with plt.rc_context(STYLE):
        for panel, column, label in zip(
            panels, ("MB", "ms per face"), ("size (MB)", "time per face, one thread (ms)"), strict=True
        ):
            for name, value in table[column].iloc[::-1].items():
                own = name == chosen
                bar = panel.barh(name, value, height=0.6, color=COLOURS["blue"] if own else "#C8C8C8")
                bar[0].set_hatch("" if own else "//")
                panel.text(value, name, f" {value:.0f}", va="center")
            panel.set_xlabel(label)
            panel.set_xlim(0, table[column].max() * 1.15)
            panel.grid(axis="y", visible=False)
        picture.suptitle(f"chosen: {chosen}", fontsize=11)
    return picture
