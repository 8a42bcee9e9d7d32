"""Figures of notebook 07: memory, false alarms against the gallery's size, hours against workers."""

import matplotlib.pyplot as plt
import pandas as pd

from facecourse.core.figures import COLOURS, STYLE, figure

MARKERS = "osD^"


def plot_memory(facts: pd.DataFrame):
    """Draw the most memory that each worker has had (MB) against the photos it has seen, from `run_shards`' facts."""
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for number, (_, own) in enumerate(facts.groupby("worker", sort=False)):
            look = {"marker": MARKERS[number % 4], "label": f"worker {number + 1}"}
            axes.plot(own.photos.cumsum(), own.peak_mb, **look)
        axes.axhline(1000, color="#888888", linestyle=":", label="limit")
        axes.set(xlabel="photos seen by the worker", ylabel="peak memory (MB)", ylim=(0, 1100))
        axes.set_title("Memory")
        axes.legend(loc="lower right")
    return picture


def plot_growth(growth: pd.DataFrame):
    """Draw FPIR and FNIR at one threshold against the people enrolled, with bands over draws, and the Gaussian's FPIR."""
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for rate, colour, marker in (("FPIR", "red", "o"), ("FNIR", "blue", "s")):
            low, high = (growth[f"{rate} {side}"] * 100 for side in ("low", "high"))
            axes.fill_between(growth.people, low, high, color=COLOURS[colour], alpha=0.2, linewidth=0)
            axes.semilogx(growth.people, growth[rate] * 100, color=COLOURS[colour], marker=marker, label=rate)
        look = {"color": "#666666", "linestyle": ":", "label": "FPIR by a Gaussian"}
        axes.semilogx(growth.people, growth["FPIR, Gaussian"] * 100, **look)
        axes.set(xlabel="people in the gallery", ylabel="share of photos (%)", ylim=(0, None))
        axes.set_title("One threshold, more and more people")
        axes.legend()
    return picture


def plot_projection(table: pd.DataFrame):
    """Draw hours against workers for every dataset, both axes logarithmic, with the bottleneck at each point."""
    picture, axes = figure(width=7.0, height=4.2)
    with plt.rc_context(STYLE):
        for number, (name, own) in enumerate(table.groupby("dataset", sort=False)):
            axes.loglog(own.workers, own.hours, marker=MARKERS[number], label=name)
            for row in own.itertuples():
                place = (row.workers, row.hours)
                axes.annotate(row.bottleneck, place, xytext=(6, 6), textcoords="offset points", fontsize=8)
        axes.set(xlabel="workers", ylabel="hours", title="Projected time, with what limits it")
        axes.set_xlim(0.8, 900)
        axes.legend(loc="lower left")
    return picture
