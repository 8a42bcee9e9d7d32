"""What notebook 03 draws: embeddings, margins, points on a circle, the network, and curves while it is trained."""

import time

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from facecourse.core.figures import COLOURS, LINES, STYLE, figure
from facecourse.heads.training import History

MARKERS = "os^DvP*X"
# Of Inception-ResNet V1: what is drawn together, its children in facenet-pytorch's class, and what comes out of it.
PARTS = (
    ("stem", "conv2d_1a conv2d_2a conv2d_2b conv2d_3b conv2d_4a conv2d_4b", "17 x 17 x 256"),
    ("5 blocks A", "repeat_1", "17 x 17 x 256"),
    ("reduce", "mixed_6a", "8 x 8 x 896"),
    ("10 blocks B", "repeat_2", "8 x 8 x 896"),
    ("reduce", "mixed_7a", "3 x 3 x 1792"),
    ("5 blocks C", "repeat_3", "3 x 3 x 1792"),
    ("last block", "block8", "3 x 3 x 1792"),
    ("mean", "avgpool_1a", "1792"),
    ("bottleneck", "last_linear last_bn", ""),
)


def show_embeddings(crops: np.ndarray, embeddings: np.ndarray, texts: list[str]) -> Figure:
    """Draw crops (n, size, size, 3), each with its embedding (n, d) as a strip of colours: blue below 0, red above."""
    picture, axes = figure(len(crops), 2, width=4.6, height=0.95, width_ratios=(1, 7), squeeze=False)
    limit = float(np.abs(embeddings).max())
    for (left, right), crop, vector, text in zip(axes, crops, embeddings, texts, strict=True):
        left.imshow(crop)
        right.imshow(vector[None], aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit)
        right.set_title(
            f"{text}: " + " ".join(f"{value:+.2f}" for value in vector[:6]) + " ...", fontsize=9, loc="left"
        )
        for panel in (left, right):
            panel.axis("off")
    return picture


def show_similarities(similarity: np.ndarray, names: list[str]) -> Figure:
    """Draw a matrix of cosine similarities, (n, n), of photos grouped by person; `names` has the person of each photo."""
    size = 0.42 * len(names) + 1.6
    picture, axes = figure(width=size + 1.0, height=size)
    drawn = axes.imshow(similarity, vmin=-0.2, vmax=1, cmap="cividis")
    for i, j in np.ndindex(*similarity.shape):
        colour = "black" if similarity[i, j] > 0.55 else "white"
        axes.text(j, i, f"{similarity[i, j]:.1f}", ha="center", va="center", fontsize=7, color=colour)
    places = [names.index(name) + names.count(name) / 2 - 0.5 for name in dict.fromkeys(names)]
    axes.set_yticks(places, [name.replace("_", " ") for name in dict.fromkeys(names)], fontsize=8)
    axes.set_xticks([])
    axes.grid(False)
    picture.colorbar(drawn, ax=axes, label="cosine similarity", shrink=0.8)
    return picture


def plot_margins(cosface: float = 0.2, arcface: float = 0.3) -> Figure:
    """Draw what the right person's cosine counts for in training, against the angle, without and with a margin."""
    angle = np.linspace(0, np.pi - arcface, 200)
    curves = {
        "softmax: cos t": np.cos(angle),
        f"CosFace: cos t - {cosface}": np.cos(angle) - cosface,
        f"ArcFace: cos(t + {arcface})": np.cos(angle + arcface),
    }
    picture, axes = figure(width=5.4)
    with plt.rc_context(STYLE):
        for (label, values), colour, line in zip(curves.items(), COLOURS.values(), LINES, strict=False):
            axes.plot(np.degrees(angle), values, line, color=colour, label=label)
        axes.set(xlabel="angle t between a photo and its person's vector (degrees)", ylabel="counts as")
        axes.legend()
    return picture


def plot_circles(
    results: dict[str, tuple[np.ndarray, np.ndarray | None]], labels: np.ndarray, held_out: np.ndarray
):
    """Draw 2-D embeddings on the unit circle, one panel per loss, {title: (points (n, 2), the head's vectors or None)}.

    Each person has a colour and a marker; photos that were not trained on, `held_out` (n,) bool, lie further out.
    """
    picture, axes = figure(1, len(results), width=3.4, height=4.1, squeeze=False)
    turn = np.linspace(0, 2 * np.pi, 200)
    for panel, (title, (points, vectors)) in zip(axes[0], results.items(), strict=True):
        panel.plot(np.cos(turn), np.sin(turn), "-", color="#BBBBBB", linewidth=0.8, zorder=0)
        for label, colour, marker in zip(np.unique(labels), COLOURS.values(), MARKERS, strict=False):
            if vectors is not None:
                panel.plot(*np.stack([[0, 0], vectors[label]], 1), "-", color=colour, linewidth=1, alpha=0.7)
            for where, out in ((labels == label) & ~held_out, 1.0), ((labels == label) & held_out, 1.14):
                panel.scatter(
                    *(out * points[where]).T,
                    s=26,
                    color=colour,
                    marker=marker,
                    edgecolors="black",
                    linewidths=0.3,
                )
        panel.set_title(title, fontsize=10)
        panel.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        panel.axis("off")
    return picture


def angles(points: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return two angles in degrees: the mean one of unit rows (n, d) to their person's mean, the smallest of two means."""
    means = np.stack([points[labels == label].mean(0) for label in np.unique(labels)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    own = (points * means[np.unique(labels, return_inverse=True)[1]]).sum(1)
    apart = (means @ means.T)[~np.eye(len(means), dtype=bool)]
    within, between = np.degrees(np.arccos(np.clip(own, -1, 1))).mean(), np.degrees(np.arccos(apart.max()))
    return float(within), float(between)


def draw_backbone(network: nn.Module) -> Figure:
    """Draw the parts of an Inception-ResNet V1, with what comes out of each and its number of weights.

    Parts whose weights want a gradient are orange and dotted, the frozen ones blue.
    """
    picture, axes = figure(width=11, height=2.3)
    for i, (title, children, shape) in enumerate(PARTS):
        weights = [p for name in children.split() for p in getattr(network, name).parameters()]
        trained = any(p.requires_grad for p in weights)
        look = {"facecolor": COLOURS["orange" if trained else "sky"], "hatch": ".." if trained else ""}
        axes.add_patch(Rectangle((i + 0.05, 0.3), 0.78, 0.4, alpha=0.75, edgecolor="white", **look))
        axes.text(i + 0.44, 0.5, title, ha="center", va="center", fontsize=8.5)
        count = sum(p.numel() for p in weights)
        axes.text(i + 0.44, 0.78, f"{count:,}" if count else "", ha="center", va="bottom", fontsize=8)
        shape = shape or str(network.last_linear.out_features)
        axes.annotate(shape, (i + 0.44, 0.22), ha="center", va="top", fontsize=7.5, color="#444444")
        axes.annotate(
            "", (i + 1.04, 0.5), (i + 0.83, 0.5), arrowprops={"arrowstyle": "->", "color": "#444444"}
        )
    for y, text in ((0.78, "weights"), (0.22, "comes out"), (0.5, "160 x 160 x 3")):
        axes.text(-0.06, y, text, ha="right", va={0.78: "bottom", 0.22: "top"}.get(y, "center"), fontsize=8)
    axes.set(xlim=(-0.95, len(PARTS) + 0.1), ylim=(0, 1))
    axes.axis("off")
    return picture


def plot_learning_rate_range(rates: np.ndarray, losses: np.ndarray, suggested: float, photos: int) -> Figure:
    """Draw the learning-rate range test: loss of `photos` validation photos, in nats, and the suggested rate."""
    picture, axes = figure()
    with plt.rc_context(STYLE):
        axes.loglog(rates, np.maximum(losses, 1e-7), color=COLOURS["blue"])
        lowest = int(np.argmin(losses))
        axes.plot(
            rates[lowest],
            max(losses[lowest], 1e-7),
            "o",
            color=COLOURS["blue"],
            label=f"lowest: {losses[lowest]:.2g}",
        )
        axes.axvline(
            suggested, color=COLOURS["red"], linestyle="--", label=f"suggested rate: {suggested:.1e}"
        )
        axes.set(xlabel="learning rate", ylabel="validation loss (nats)")
        axes.set_title(f"Learning-rate range test, {photos:,} validation photos")
        picture.legend(loc="outside lower center", ncols=2)
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
    """Draw loss (logarithmic), accuracy and learning rate of every epoch; the best epoch is marked."""
    picture, (loss, accuracy, rate) = figure(1, 3, width=3.6, height=3.2)
    epochs = np.arange(1, len(history.train_loss) + 1)
    with plt.rc_context(STYLE):
        for axes, name, factor in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
            for side, colour, line in (("train", "blue", "-"), ("val", "red", "--")):
                values = factor * np.array(getattr(history, f"{side}_{name}"))
                label = "training" if side == "train" else "validation"
                axes.plot(epochs[: len(values)], values, line, color=COLOURS[colour], label=label, marker=".")
            if history.val_loss and np.isfinite(history.val_loss[0]):
                best = history.best_epoch + 1
                axes.axvline(
                    best, color="#888888", linestyle=":", label=f"lowest validation loss: epoch {best}"
                )
        loss.set(xlabel="epoch", ylabel="loss (nats)", yscale="log")
        accuracy.set(xlabel="epoch", ylabel="top-1 (% of photos)")
        rate.plot(epochs, history.learning_rate, color=COLOURS["green"], marker=".")
        rate.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
        picture.legend(*loss.get_legend_handles_labels(), loc="outside upper center", ncols=3, title=title)
        for axes in (loss, accuracy, rate):
            axes.xaxis.get_major_locator().set_params(integer=True)
    return picture


def plot_tuning(histories: dict[str, list[History]], trained: int, watched: int) -> Figure:
    """Draw training loss and top-1 on hard photos not trained on, per epoch: a colour per way of training, a line per seed.

    `trained` and `watched` are the photos trained on and watched, over all seeds. Each history's first validation was
    made before the first epoch.
    """
    picture, (loss, accuracy) = figure(1, 2, width=4.4, height=3.4)
    with plt.rc_context(STYLE):
        for (how, seeds), colour, line in zip(histories.items(), COLOURS.values(), LINES, strict=False):
            for i, history in enumerate(seeds):
                label = how if i == 0 else None
                epochs = np.arange(1, len(history.train_loss) + 1)
                loss.plot(epochs, history.train_loss, line, color=colour, label=label)
                values = 100 * np.array(history.val_accuracy)
                accuracy.plot(np.arange(len(values)), values, line, color=colour)
        over = f"over {len(next(iter(histories.values())))} seeds"
        loss.set(xlabel="epoch", ylabel="training loss (nats)", yscale="log")
        loss.set_title(f"trained on: N = {trained:,} photos {over}", fontsize=10)
        accuracy.set(xlabel="epoch (0: not trained yet)", ylabel="named rightly (% of hard photos)")
        accuracy.set_title(f"not trained on: N = {watched:,} {over}", fontsize=10)
        picture.legend(*loss.get_legend_handles_labels(), loc="outside upper center", ncols=3)
        for axes in (loss, accuracy):
            axes.xaxis.get_major_locator().set_params(integer=True)
    return picture
