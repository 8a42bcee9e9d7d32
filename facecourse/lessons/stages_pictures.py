"""MTCNN's steps as pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from facecourse.core.figures import COLOURS, STYLE, figure
from facecourse.lessons.stages import Trace, boxes_of
from lambda_function.area import Pixels
from lambda_function.boxes import overlap, shift, within
from lambda_function.faces import Face
from lambda_function.mtcnn import CELL, STRIDE


def _photo(axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image)
    axes.set_title(title, fontsize=9)
    axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    axes.axis("off")


def _boxes(axes, boxes: np.ndarray, colour: str = "yellow", width: float = 1.0) -> None:
    for x0, y0, x1, y1 in np.asarray(boxes)[:, :4]:
        axes.add_patch(
            Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=COLOURS[colour], linewidth=width)
        )


def _levels(steps: Trace, most: int) -> list[int]:
    """Return at most `most` levels, evenly over the pyramid."""
    return sorted({round(i) for i in np.linspace(0, len(steps.maps) - 1, min(most, len(steps.maps)))})


def plot_pyramid(steps: Trace, most: int = 5):
    """Draw the largest levels of the pyramid at their true relative sizes, each with P-Net's window in its corner.

    Parameters
    ----------
    steps : Trace
        From `trace`.
    most : int
        Levels to show.
    """
    pixels, places = Pixels(steps.image), range(min(most, len(steps.maps)))
    sizes = [steps.maps[i].size for i in places]
    picture, axes = figure(1, len(places), width=1.0, height=3.0, width_ratios=[w for _, w in sizes])
    picture.set_size_inches(11, 11 * sizes[0][0] / sum(w for _, w in sizes) + 0.7)
    for panel, i in zip(np.atleast_1d(axes), places, strict=True):
        level = pixels.level(*steps.maps[i].size).transpose(1, 2, 0)
        panel.imshow(level.round().astype(np.uint8), interpolation="nearest")
        panel.add_patch(Rectangle((0, 0), CELL, CELL, fill=False, edgecolor=COLOURS["red"], linewidth=1.5))
        panel.set_title(f"x {steps.maps[i].scale:.2f}", fontsize=8)
        panel.set_anchor("N")
        panel.axis("off")
    return picture


def plot_windows(steps: Trace):
    """Draw, per level, P-Net's 12 x 12 window where it is surest, at its size on the photo.

    Parameters
    ----------
    steps : Trace
        From `trace`.
    """
    picture, axes = figure(width=5.5, height=5.5 * steps.image.shape[0] / steps.image.shape[1])
    _photo(axes, steps.image, "P-Net's window at each level, where it is surest of a face")
    names = list(COLOURS)
    for place, level in enumerate(steps.maps):
        row, column = np.unravel_index(level.probability.argmax(), level.probability.shape)
        corner, side = np.array([column, row]) * STRIDE / level.scale, CELL / level.scale
        label = f"{side:.0f} px: {level.probability.max():.2f}"
        axes.add_patch(
            Rectangle(
                corner,
                side,
                side,
                fill=False,
                edgecolor=COLOURS[names[place % 7]],
                lw=2,
                label=label,
                linestyle="-" if place < 7 else "--",
            )
        )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, title="window: probability")
    return picture


def plot_heat_maps(steps: Trace, most: int = 4):
    """Draw P-Net's probabilities at some levels, and on the photo its windows before and after each step.

    Parameters
    ----------
    steps : Trace
        From `trace`.
    most : int
        Levels of the pyramid to show.
    """
    places = _levels(steps, most)
    ratio = steps.image.shape[0] / steps.image.shape[1]
    picture, axes = figure(3, len(places), width=3.0, height=3.0 * ratio + 0.4, squeeze=False)
    for column, i in zip(axes.T, places, strict=True):
        level, windows, kept = steps.maps[i], steps.windows[i], steps.kept[i]
        drawn = column[0].imshow(level.probability, vmin=0, vmax=1, cmap="cividis")
        column[0].set_title(f"scale {level.scale:.2f}: window {CELL / level.scale:.0f} px", fontsize=9)
        column[0].axis("off")
        _photo(column[1], steps.image, f"{len(windows)} windows above the threshold")
        _boxes(column[1], windows, "sky", 0.7)
        _photo(column[2], steps.image, f"{len(kept)} kept (yellow), then moved (orange)")
        _boxes(column[2], kept, "yellow", 1.0)
        _boxes(column[2], shift(kept[:, :4], kept[:, 5:], extra=0), "orange", 1.0)
    picture.colorbar(drawn, ax=list(axes[0]), label="probability of a face", shrink=0.8)
    return picture


def plot_stages(steps: Trace):
    """Draw the boxes before and after every step on the way from windows to faces."""
    windows = np.concatenate([np.zeros((0, 9), np.float32), *steps.windows])
    moved = shift(steps.across[:, :4], steps.across[:, 5:], extra=0)
    panels = [
        (f"P-Net: {len(windows)} windows", windows, "sky"),
        (f"suppressed: {len(steps.across)}", steps.across, "sky"),
        (f"moved: {len(moved)}", moved, "orange"),
        (f"square: {len(steps.proposals)}", steps.proposals, "orange"),
        (f"R-Net keeps and moves: {len(steps.refined)}", steps.refined, "yellow"),
    ]
    picture, axes = figure(2, 3, width=3.4, height=3.3 * steps.image.shape[0] / steps.image.shape[1] + 0.3)
    for panel, (title, boxes, colour) in zip(axes.ravel(), panels, strict=False):
        _photo(panel, steps.image, title)
        _boxes(panel, boxes, colour, 0.8)
    draw_faces(axes.ravel()[-1], steps.image, steps.faces, f"O-Net: {len(steps.faces)}")
    return picture


def plot_network(steps: Trace, size: int, most: int = 12):
    """Draw what R-Net (24) or O-Net (48) is shown: its candidates, cut out and shrunk, those it keeps first.

    Parameters
    ----------
    steps : Trace
    size : int
        24 or 48.
    most : int
        Candidates drawn, half of them kept ones where there are as many.
    """
    pixels = Pixels(steps.image)
    came, left = (steps.proposals, steps.refined) if size == 24 else (steps.refined, boxes_of(steps.faces))
    cut = within(came, pixels.width, pixels.height)
    usable = (cut[:, 2:] > cut[:, :2]).all(axis=1)
    came, cut = came[usable], cut[usable]
    kept = overlap(came, left).max(axis=1, initial=0) > 0.5
    order = np.concatenate([np.flatnonzero(kept)[: most // 2], np.flatnonzero(~kept)])[:most]
    columns = max(1, min(6, len(order)))
    picture, axes = figure(max(1, -(-len(order) // columns)), columns, width=1.3, height=1.6, squeeze=False)
    for panel in axes.ravel():
        panel.axis("off")
    for panel, i in zip(axes.ravel(), order, strict=False):
        crop = pixels.crops(cut[i : i + 1], size)[0].transpose(1, 2, 0)
        panel.imshow(crop.round().astype(np.uint8), interpolation="nearest")
        panel.set_title("stays" if kept[i] else "goes", fontsize=9)
    return picture


def plot_ablation(steps: Trace, truth: np.ndarray):
    """Draw the boxes left after one, two and all three networks, with the true boxes dashed.

    Parameters
    ----------
    steps : Trace
        From `trace`.
    truth : ndarray of shape (faces, 4)
        The true boxes.
    """
    ratio = steps.image.shape[0] / steps.image.shape[1]
    picture, axes = figure(1, 3, width=3.6, height=3.6 * ratio + 0.4)
    stages = (("P", steps.proposals), ("P + R", steps.refined), ("P + R + O", boxes_of(steps.faces)))
    for panel, (name, boxes) in zip(axes, stages, strict=True):
        _photo(panel, steps.image, f"{name}: {len(boxes)} boxes")
        _boxes(panel, boxes, "yellow", 1.0)
        for x0, y0, x1, y1 in truth:
            panel.add_patch(
                Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linestyle="--")
            )
    return picture


def draw_faces(axes, image: np.ndarray, faces: list[Face], title: str) -> None:
    """Draw a photo with faces: boxes, scores and landmarks.

    Parameters
    ----------
    axes : matplotlib Axes
    image : ndarray of shape (height, width, 3), uint8
    faces : list of Face
    title : str
    """
    _photo(axes, image, title)
    _boxes(axes, boxes_of(faces), "yellow", 1.5)
    for face in faces:
        axes.scatter(
            *face.landmarks.T, s=8, color=COLOURS["sky"], edgecolors="black", linewidths=0.4, zorder=3
        )
        corner = np.clip(face.box[:2] - (0, 3), (1, 9), None)  # of a face that begins outside the photo, too
        label = axes.text(
            *corner, f"{face.score:.3f}", fontsize=7, color="white", clip_on=True,
            bbox={"facecolor": "black", "alpha": 0.6, "pad": 1, "linewidth": 0, "clip_on": True},
        )  # fmt: skip
        label.set_in_layout(False)


def plot_costs(table: pd.DataFrame):
    """Draw candidates (logarithmic) and milliseconds per stage from `stage_table`."""
    picture, (counts, times) = figure(1, 2, width=5.2, height=2.6)
    with plt.rc_context(STYLE):
        counts.barh(table["stage"], table["candidates"].clip(lower=0.5), color=COLOURS["blue"])
        counts.set(xscale="log", xlabel="candidates (logarithmic)")
        timed = table.dropna()
        times.barh(timed["stage"], timed["milliseconds"], color=COLOURS["orange"])
        times.set_xlabel("milliseconds on one thread")
    for axes in (counts, times):
        axes.invert_yaxis()
    return picture


def plot_found(table: pd.DataFrame):
    """Draw the share of faces found against turn and size, from `found_when_changed`.

    Parameters
    ----------
    table : DataFrame
    """
    picture, axes = figure(1, 2, width=4.2, height=2.8, sharey=True)
    labels = {"turned": "turned by (degrees)", "shrunk": "height of the face (pixels)"}
    for panel, (change, label) in zip(axes, labels.items(), strict=True):
        part = table[table["change"] == change]
        panel.plot(part["amount"], part["found"] * 100, color=COLOURS["blue"], marker="o")
        panel.set(xlabel=label, ylim=(-3, 103))
    axes[0].set_ylabel("photos with a face found (%)")
    return picture
