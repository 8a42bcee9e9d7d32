"""The look of all figures, and the curves of training: colours that colour-blind readers tell apart."""

import time

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython.display import display

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
    """Make a figure in the course's style.

    Parameters
    ----------
    rows, columns : int
        Number of panels.
    width, height : float
        Of one panel, in inches.
    **options
        For `plt.subplots`.

    Returns
    -------
    (Figure, Axes or ndarray of Axes)
    """
    with plt.rc_context(STYLE):
        return plt.subplots(rows, columns, figsize=(width * columns, height * rows), **options)


def plot_learning_rate_range(rates: np.ndarray, losses: np.ndarray, suggested: float):
    """Draw the learning-rate range test: validation loss in nats against the rate, the suggestion marked.

    Parameters
    ----------
    rates, losses : ndarray
        From `learning_rate_range`.
    suggested : float
        The rate to mark.
    """
    picture, axes = figure()
    with plt.rc_context(STYLE):
        axes.semilogx(rates, losses, color=COLOURS["blue"])
        axes.axvline(suggested, color=COLOURS["red"], linestyle="--", label=f"suggested: {suggested:.1e}")
        axes.set(xlabel="learning rate", ylabel="validation loss (nats)", title="Learning-rate range test")
        axes.legend()
    return picture


class LiveHistory:
    """A figure that grows while a head is trained: loss, accuracy and learning rate per epoch.

    Parameters
    ----------
    title : str
    every : float
        Seconds between two drawings at least; drawing costs more than an epoch on the sample.
    """

    def __init__(self, title: str = "", every: float = 1.0):
        self.title, self.every = title, every
        self.handle, self.drawn = None, 0.0

    def update(self, history, last: bool = False) -> None:
        """Draw the history as it stands, unless it was drawn a moment ago; `last` draws in any case."""
        if not last and time.monotonic() - self.drawn < self.every:
            return
        picture = plot_history(history, self.title)
        if self.handle is None:
            self.handle = display(picture, display_id=True)
        else:
            self.handle.update(picture)
        plt.close(picture)
        self.drawn = time.monotonic()


def plot_history(history, title: str = ""):
    """Draw loss, accuracy and learning rate of every epoch; the best epoch is marked.

    Parameters
    ----------
    history : History
        From a trainer.
    title : str
    """
    picture, (loss, accuracy, rate) = figure(1, 3, width=3.6, height=3.0)
    epochs = np.arange(1, len(history.train_loss) + 1)
    with plt.rc_context(STYLE):
        for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
            for side, colour, line in (("train", "blue", "-"), ("val", "red", "--")):
                values = getattr(history, f"{side}_{name}")
                label = "training" if side == "train" else "validation"
                axes.plot(epochs[: len(values)], values, line, color=COLOURS[colour], label=label, marker=".")
        loss.set(xlabel="epoch", ylabel="loss (nats)", title=title)
        accuracy.set(xlabel="epoch", ylabel="top-1 (share of photos)")
        rate.plot(epochs, history.learning_rate, color=COLOURS["green"], marker=".")
        rate.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
        if history.val_loss and np.isfinite(history.val_loss[0]):
            best = history.best_epoch
            accuracy.axvline(best + 1, color="#888888", linestyle=":", label=f"best: epoch {best + 1}")
        accuracy.legend(loc="lower right")
        for axes in (loss, accuracy, rate):
            axes.xaxis.get_major_locator().set_params(integer=True)
    return picture


def plot_recipes(original, ours):
    """Draw test top-1 against training time of two recipes, time on a logarithmic axis.

    Parameters
    ----------
    original, ours : Comparison
        From `run_original` and `run_ours`.
    """
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for label, run, colour, line in (
            ("original", original, "red", "--"),
            ("this course", ours, "blue", "-"),
        ):
            seconds = run.seconds_per_epoch * np.arange(1, len(run.top1) + 1)
            axes.plot(seconds, np.array(run.top1) * 100, line, color=COLOURS[colour], marker="o", label=label)
        axes.set(
            xscale="log", xlabel="training time (s, logarithmic)", ylabel="test top-1 (%)", ylim=(0, 103)
        )
        axes.set_title("One dot per epoch")
        axes.legend(loc="lower left")
    return picture
