"""Figures of notebook 05: what goes where, a filter in 8 bits, what the precisions weigh and take; and live source."""

import inspect
import textwrap
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.patches import FancyBboxPatch

from facecourse.core.figures import COLOURS, STYLE, figure

STATIONS = {
    "photo": (0.0, 1.0, "phone, browser,\nnotebook"),
    "url": (1.0, 1.0, "Function URL\nsigned requests"),
    "function": (2.0, 1.0, "Lambda function\ndetect, align,\nembed, name"),
    "log": (3.0, 1.0, "CloudWatch\none line a request"),
    "model": (1.5, 0.0, "S3\nmodel and code"),
    "people": (2.5, 0.0, "S3\nenrolled people"),
}
ROUTES = (
    ("photo", "url", "POST"),
    ("url", "function", "event"),
    ("function", "log", ""),
    ("model", "function", "once a start,\nhash checked"),
    ("people", "function", "read and changed\nwithin seconds"),
)


def draw_route():
    """Draw the way of a photo through the deployed parts, and of the model and the people into the function."""
    picture, axes = figure(width=9.0, height=3.0)
    plain = {"facecolor": "white", "edgecolor": COLOURS["black"], "linewidth": 1}
    ours = {"facecolor": "#DCEBF5", "edgecolor": COLOURS["blue"], "linewidth": 2}
    arrow = {"arrowstyle": "->", "linewidth": 1.5, "color": COLOURS["black"]}
    with plt.rc_context(STYLE):
        axes.set(xlim=(-0.5, 3.5), ylim=(-0.4, 1.4))
        axes.axis("off")
        for name, (x, y, text) in STATIONS.items():
            look = ours if name == "function" else plain
            box = FancyBboxPatch((x - 0.32, y - 0.26), 0.64, 0.52, boxstyle="round,pad=0.02", **look)
            axes.add_patch(box)
            axes.text(x, y, text, ha="center", va="center", fontsize=9)
        for start, end, label in ROUTES:
            (x0, y0, _), (x1, y1, _) = STATIONS[start], STATIONS[end]
            if y0 == y1:
                x0, x1, place, align = x0 + 0.34, x1 - 0.34, (0, 4), {"ha": "center", "va": "bottom"}
            else:  # from below, each with its words on the outer side
                side = 1 if x0 > x1 else -1
                x1, y0, y1, place = x1 + 0.12 * side, y0 + 0.28, y1 - 0.28, (24 * side, 0)
                align = {"ha": "left" if side > 0 else "right", "va": "center"}
            both = {"arrowstyle": "<->"} if start == "people" else {}
            axes.annotate("", (x1, y1), (x0, y0), arrowprops=arrow | both)
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            axes.annotate(label, middle, place, textcoords="offset points", fontsize=8, **align)
    return picture


def plot_variants(table: pd.DataFrame, chosen: str):
    """Draw size and time of each precision, from `compare_variants`; the chosen one is filled, the others hatched."""
    picture, panels = figure(1, 2, width=4.2, height=2.6, sharey=True)
    labels = {"MB": "size (MB)", "ms per face": "time per face, one thread (ms)"}
    with plt.rc_context(STYLE):
        for panel, (column, label) in zip(panels, labels.items(), strict=True):
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


def show_filter(weights: np.ndarray, steps: np.ndarray, width: np.ndarray):
    """Draw a filter, (3 colours, 3, 3): its weights, the integers `steps`, and weights less `width` times steps."""
    rows = {
        "weights, 32 bits": np.round(weights, 2),
        "integers, 8 bits": steps,
        "lost, thousandths": np.round(1000 * (weights - width * steps), 1),
    }
    picture, panels = figure(3, 3, width=2.3, height=2.0)
    with plt.rc_context(STYLE):
        for line, (title, values) in zip(panels, rows.items(), strict=True):
            most = 1.6 * np.abs(values.astype(float)).max()  # pale enough to read the numbers
            for panel, colour, own in zip(line, ("red", "green", "blue"), values, strict=True):
                panel.imshow(own, cmap="RdBu_r", vmin=-most, vmax=most)
                for (row, column), value in np.ndenumerate(own):
                    panel.text(
                        column, row, f"{value + 0:g}", ha="center", va="center", fontsize=9
                    )  # + 0: no -0
                panel.set(xticks=[], yticks=[], title=colour if values is rows["weights, 32 bits"] else "")
                panel.grid(False)
            line[0].set_ylabel(title, fontsize=9)
    return picture


def show_source(*functions: Callable) -> None:
    """Show the source of functions as it runs here, each folded in under its name and module."""
    for function in functions:
        title = f"{function.__module__}.{function.__qualname__}"
        source = textwrap.dedent(inspect.getsource(function))
        display(
            Markdown(
                f"<details><summary><code>{title}</code></summary>\n\n```python\n{source}```\n\n</details>"
            )
        )
