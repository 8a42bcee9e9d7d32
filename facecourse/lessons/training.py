"""What notebook 03 draws while a head is trained."""

import time

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from facecourse.core.figures import COLOURS, STYLE, figure
from facecourse.heads.training import History


def plot_learning_rate_range(rates: np.ndarray, losses: np.ndarray, suggested: float) -> Figure:
    """Draw the learning-rate range test: validation loss in nats against the rate, the suggestion marked."""
    picture, axes = figure()
    with plt.rc_context(STYLE):
        axes.semilogx(rates, losses, color=COLOURS["blue"])
        axes.axvline(suggested, color=COLOURS["red"], linestyle="--", label=f"suggested: {suggested:.1e}")
        axes.set(xlabel="learning rate", ylabel="validation loss (nats)", title="Learning-rate range test")
        axes.legend()
    return picture


class LiveHistory:
    """A figure that grows while a head is trained: loss, accuracy and learning rate per epoch.

    It is drawn every so many seconds at most: drawing costs more than an epoch on the sample.
    """

    def __init__(self, title: str = "", every: float = 1.0):
        self.title, self.every = title, every
        self.handle, self.drawn = None, 0.0

    def update(self, history: History, last: bool = False) -> None:
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


def plot_history(history: History, title: str = "") -> Figure:
    """Draw loss, accuracy and learning rate of every epoch; the best epoch is marked."""
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
