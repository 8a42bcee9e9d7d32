"""Figures of the evaluation: curves, histograms, the confusion matrix and the map of embeddings."""

import matplotlib.pyplot as plt
import numpy as np

from facecourse.core.figures import COLOURS, LINES, STYLE, figure

MARKERS = "osD^vP*X"


def plot_roc(curves: dict[str, tuple[np.ndarray, np.ndarray]], mark: float = 1e-3):
    """Draw ROC curves, {label: (FAR, TAR)}, with FAR on a logarithmic axis and one FAR marked."""
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for (label, (far, tar)), colour, line in zip(curves.items(), COLOURS.values(), LINES, strict=False):
            axes.step(np.maximum(far, 1e-5), tar, where="post", color=colour, linestyle=line, label=label)
        axes.axvline(mark, color="#888888", linestyle=":", label=f"FAR = {mark:g}")
        lowest = min(float(tar[far <= mark].max(initial=0)) for far, tar in curves.values())
        axes.set(xscale="log", xlim=(1e-4, 1), ylim=(max(0.0, min(0.95, lowest - 0.05)), 1.005))
        axes.set(
            xlabel="FAR (share of different-person pairs accepted)", ylabel="TAR (share of same accepted)"
        )
        axes.set_title("Verification: ROC")
        axes.legend(loc="lower right")
    return picture


def plot_scores(
    groups: dict[str, np.ndarray], threshold: float | None = None, xlabel: str = "cosine similarity"
):
    """Draw histograms of scores, {label: scores}, as shares, with a threshold.

    Parameters
    ----------
    groups : dict of str to ndarray
    threshold : float, optional
        Marked by a line.
    xlabel : str
    """
    picture, axes = figure()
    everything = np.concatenate(list(groups.values()))
    bins = np.linspace(everything.min() - 0.02, everything.max() + 0.02, 50)
    with plt.rc_context(STYLE):
        for (label, scores), colour, line in zip(groups.items(), COLOURS.values(), LINES, strict=False):
            weights = np.full(len(scores), 1 / max(len(scores), 1))
            axes.hist(scores, bins, weights=weights, color=colour, alpha=0.25)
            axes.hist(
                scores, bins, weights=weights, histtype="step", color=colour, linestyle=line, label=label
            )
        if threshold is not None:
            axes.axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.3f}")
        axes.set(xlabel=xlabel, ylabel="share of each group")
        axes.legend(loc="best")
    return picture


def plot_far_frr(curves: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], threshold: float):
    """Draw FAR and FRR against the threshold, {label: (thresholds, FAR, FRR)}, and mark the chosen one.

    Parameters
    ----------
    curves : dict of str to (ndarray, ndarray, ndarray)
    threshold : float
        The chosen score.
    """
    picture, axes = figure(width=7.4)
    with plt.rc_context(STYLE):
        for (label, (thresholds, far, frr)), line in zip(curves.items(), ("--", "-"), strict=False):
            axes.plot(thresholds, far * 100, line, color=COLOURS["red"], label=f"FAR, {label}")
            axes.plot(thresholds, frr * 100, line, color=COLOURS["blue"], label=f"FRR, {label}")
        axes.axvline(threshold, color="black", linestyle=":", label=f"chosen on val: {threshold:.3f}")
        axes.set(xlabel="threshold (score)", ylabel="rate (% of photos)", ylim=(-1, 40))
        axes.set_title("Strangers named, and known people refused")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return picture


def plot_confusion(names: list[str], true: np.ndarray, predicted: np.ndarray):
    """Draw who is taken for whom; `predicted` may hold -1 for someone outside `names`.

    Rows are the true person, columns the predicted one, the numbers are photos.

    Parameters
    ----------
    names : list of str
        The people to show.
    true, predicted : ndarray of int
        Positions in `names`, one per photo.
    """
    columns = [*names, "someone else"] if (predicted < 0).any() else list(names)
    counts = np.zeros((len(names), len(columns)), int)
    for row, column in zip(true, np.where(predicted < 0, len(names), predicted), strict=True):
        counts[row, column] += 1
    side = max(3.5, 0.36 * len(columns) + 1.8)
    picture, axes = figure(width=side + 0.6, height=side)
    with plt.rc_context(STYLE):
        axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(counts.max(), 1) * 1.3)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                dark = count > 0.65 * counts.max()
                axes.text(
                    column,
                    row,
                    count,
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if dark else "black",
                )
        axes.set_xticks(
            range(len(columns)), [_readable(name) for name in columns], rotation=60, ha="right", fontsize=8
        )
        axes.set_yticks(range(len(names)), [_readable(name) for name in names], fontsize=8)
        axes.set(xlabel="named as", ylabel="person in the photo", title="Photos of the reader's people")
        axes.grid(False)
    return picture


def _readable(name: str) -> str:
    return name.replace("_", " ")


def plot_by_photos(table, own=None):
    """Draw top-1 against the number of training photos per person, with the spread over random choices.

    Parameters
    ----------
    table : DataFrame
        From `accuracy_by_photos`.
    own : DataFrame, optional
        The same for the reader's people.
    """
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for label, rows, colour, line in (
            ("all", table, "blue", "-"),
            ("the reader's people", own, "red", "--"),
        ):
            if rows is not None and len(rows):
                label = f"{label} ({rows['people'].iloc[0]} people)"
                axes.errorbar(
                    rows["photos"],
                    rows["top1"] * 100,
                    np.stack([rows["spread"], np.minimum(rows["spread"], 1 - rows["top1"])]) * 100,
                    color=COLOURS[colour],
                    linestyle=line,
                    marker="o",
                    capsize=3,
                    label=label,
                )
        ticks = sorted(set(table["photos"]))
        axes.set_xscale("log")
        axes.set_xticks(ticks, ticks)
        axes.minorticks_off()
        axes.set(xlabel="training photos per person", ylabel="top-1 (% of test photos)")
        axes.set_title("How many photos are enough?")
        axes.legend(loc="lower right")
    return picture


def plot_map(points: np.ndarray, persons: list[str], shown: list[str], title: str = ""):
    """Draw a two-dimensional map of embeddings: the `shown` people in colour and by shape, others in grey.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Places on the map.
    persons : list of str
        Who is at each place.
    shown : list of str
        People to show in colour.
    title : str
    """
    picture, axes = figure(width=7.6, height=5.0)
    persons = np.asarray(persons)
    with plt.rc_context(STYLE):
        rest = ~np.isin(persons, shown)
        axes.plot(
            *points[rest].T, ".", color="#BBBBBB", markersize=3, linestyle="none", label="everyone else"
        )
        for i, name in enumerate(shown):
            own = persons == name
            marker = MARKERS[
                (i // len(COLOURS)) % len(MARKERS) if len(shown) > len(COLOURS) else i % len(MARKERS)
            ]
            colour = list(COLOURS.values())[i % len(COLOURS)]
            axes.plot(
                *points[own].T,
                marker,
                color=colour,
                markersize=5,
                linestyle="none",
                label=_readable(name),
                markeredgecolor="black",
                markeredgewidth=0.3,
            )
        axes.set(xticks=[], yticks=[], title=title)
        axes.grid(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return picture
