"""The look of all figures: colours and lines that colour-blind readers tell apart."""

import matplotlib.pyplot as plt
from cycler import cycler

# Load the backend now: loaded within `rc_context`, its choice to show every figure would end with the context.
plt.switch_backend(plt.get_backend())

# Okabe and Ito (2008), "Color universal design"; black last, since axes and text are black already.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "sky": "#56B4E9",
    "pink": "#CC79A7",
    "yellow": "#F0E442",
    "black": "#000000",
}
LINES = ("-", "--", "-.", ":", "-", "--", "-.", ":")

STYLE = {
    "axes.prop_cycle": cycler(color=list(COLOURS.values())) + cycler(linestyle=LINES),
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "legend.framealpha": 1.0,  # a line that marks a threshold does not run through the words
    "legend.edgecolor": "none",
    "image.cmap": "cividis",
}


def figure(rows: int = 1, columns: int = 1, width: float = 5.0, height: float = 3.4, **options):
    """Return a figure in the course's style and its axes, as `plt.subplots` does; sizes are of one panel, in inches."""
    with plt.rc_context(STYLE):
        return plt.subplots(rows, columns, figsize=(width * columns, height * rows), **options)
