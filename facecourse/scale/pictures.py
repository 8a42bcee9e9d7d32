"""Figures of notebook 07: memory, false alarms against the gallery's size, hours against workers."""

import matplotlib.pyplot as plt
import pandas as pd

from facecourse.core.figures import COLOURS, LINES, STYLE, figure

MARKERS = "osD^"


def plot_memory(facts: pd.DataFrame):
    """Draw the most memory that each worker has had (MB) against the photos it has seen by then.

    Parameters
    ----------
    facts : DataFrame
        One row per batch of a run.
    """
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for number, (_, own) in enumerate(facts.groupby("worker", sort=False)):
            colour, line = list(COLOURS.values())[number % 8], LINES[number % 8]
            label = f"worker {number + 1}"
            axes.plot(
                own.photos.cumsum(), own.peak_mb, line, color=colour, marker=MARKERS[number % 4], label=label
            )
        axes.axhline(1000, color="#888888", linestyle=":", label="limit")
        axes.set(
            xlabel="photos seen by the worker", ylabel="peak memory (MB)", ylim=(0, 1100), title="Memory"
        )
        axes.legend(loc="lower right")
    return picture


def plot_growth(growth: pd.DataFrame):
    """Draw FAR and FRR at the old threshold, and FRR at the new one, against the people enrolled.

    Parameters
    ----------
    growth : DataFrame
        One row per gallery size.
    """
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for column, colour, line, marker in (
            ("FAR, old threshold", "red", "-", "o"),
            ("FRR, old threshold", "sky", "--", "s"),
            ("FRR, new threshold", "blue", "-.", "D"),
        ):
            axes.semilogx(
                growth.people, growth[column] * 100, line, color=COLOURS[colour], marker=marker, label=column
            )
        axes.set(xlabel="people in the gallery", ylabel="share of photos (%)", ylim=(0, None))
        axes.set_title("More people, more false alarms")
        axes.legend()
    return picture


def plot_projection(table: pd.DataFrame):
    """Draw hours against workers for every dataset, both axes logarithmic, with the bottleneck at each point.

    Parameters
    ----------
    table : DataFrame
        Hours by dataset and number of workers.
    """
    picture, axes = figure(width=7.0, height=4.2)
    with plt.rc_context(STYLE):
        for number, (name, own) in enumerate(table.groupby("dataset", sort=False)):
            colour, line = list(COLOURS.values())[number], LINES[number]
            axes.loglog(own.workers, own.hours, line, color=colour, marker=MARKERS[number], label=name)
            for row in own.itertuples():
                axes.annotate(
                    row.bottleneck,
                    (row.workers, row.hours),
                    xytext=(6, 6),
                    textcoords="offset points",
                    fontsize=8,
                )
        axes.set(xlabel="workers", ylabel="hours", title="Projected time, with what limits it")
        axes.set_xlim(0.8, 900)
        axes.legend(loc="lower left")
    return picture
