"""MTCNN step by step: every stage's boxes kept, counted, timed and drawn."""

import copy
import io
import time
from dataclasses import dataclass

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw

from facecourse.core.figures import COLOURS, STYLE, figure
from facecourse.detection.detector import detector
from lambda_function.area import IntegralImage
from lambda_function.boxes import apply_offsets, clip_boxes, iou, nms, to_square
from lambda_function.faces import Face
from lambda_function.mtcnn import CELL, MAX_SIDE, STRIDE, HeatMap, windows_of
from lambda_function.photos import shrink


@dataclass
class Trace:
    """One photo's way through the three networks; boxes are rows x0 y0 x1 y1 in its pixels."""

    image: np.ndarray  # (height, width, 3) uint8, as searched: at most MAX_SIDE long
    maps: list[HeatMap]  # P-Net's answers, one per pyramid level
    windows: list[np.ndarray]  # per level, those above the threshold, (n, 9): box, probability, offsets
    kept: list[np.ndarray]  # of these, what NMS within the level leaves
    across: np.ndarray  # (n, 9): what NMS across levels leaves
    proposals: np.ndarray  # (n, 4): square boxes after P-Net
    refined: np.ndarray  # (n, 4): square boxes after R-Net
    faces: list[Face]  # O-Net's answer
    milliseconds: dict[str, float]  # of P-Net, NMS, R-Net and O-Net, on one thread

    def stages(self) -> dict[str, np.ndarray]:
        """Return the boxes that are left after one, two and all three networks, (n, 4) each."""
        return {"P": self.proposals, "P + R": self.refined, "P + R + O": boxes_of(self.faces)}


def trace(image: np.ndarray, maps: list[HeatMap] | None = None, **settings) -> Trace:
    """Send one photo, (height, width, 3) uint8 RGB, through MTCNN and keep every intermediate result.

    Settings are min_face_size, thresholds and factor, as for `Mtcnn`. With the `maps` of an earlier trace of the
    same photo, smallest face and factor, P-Net does not run again.
    """
    mtcnn = copy.copy(detector(threads=1))  # the networks are opened once, whatever the settings
    mtcnn.__dict__.update(settings)
    image, _ = shrink(image, MAX_SIDE)
    clock = [time.perf_counter()]
    pixels = IntegralImage(image)
    maps = mtcnn.heat_maps(pixels) if maps is None else maps
    clock.append(time.perf_counter())
    windows = [windows_of(level, mtcnn.thresholds[0]) for level in maps]
    kept = [rows[nms(rows[:, :4], rows[:, 4], 0.5)] for rows in windows]
    across = np.concatenate([np.zeros((0, 9), np.float32), *kept])
    across = across[nms(across[:, :4], across[:, 4], 0.7)]
    proposals = to_square(apply_offsets(across[:, :4], across[:, 5:], extra=0))
    clock.append(time.perf_counter())
    refined = mtcnn.refine(pixels, proposals)
    clock.append(time.perf_counter())
    faces = mtcnn.output(pixels, refined)
    clock.append(time.perf_counter())
    spent = dict(zip(("P-Net", "NMS", "R-Net", "O-Net"), np.diff(clock) * 1000, strict=True))
    return Trace(image, maps, windows, kept, across, proposals, refined, faces, spent)


def stage_table(steps: Trace) -> pd.DataFrame:
    """Return candidates and milliseconds per stage of one photo."""
    rows = [
        ("P-Net: all windows", sum(level.probability.size for level in steps.maps), "P-Net"),
        ("above the threshold", sum(map(len, steps.windows)), ""),
        ("NMS within levels", sum(map(len, steps.kept)), ""),
        ("NMS across levels", len(steps.proposals), "NMS"),
        ("R-Net", len(steps.refined), "R-Net"),
        ("O-Net", len(steps.faces), "O-Net"),
    ]
    return pd.DataFrame(
        [(stage, count, steps.milliseconds.get(timed, np.nan)) for stage, count, timed in rows],
        columns=["stage", "candidates", "milliseconds"],
    )


def boxes_of(faces: list[Face]) -> np.ndarray:
    """Return the boxes of faces as one array of shape (n, 4), float32."""
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def hits(boxes: np.ndarray, truth: np.ndarray, least: float = 0.4) -> tuple[int, int, float]:
    """Compare boxes (n, 4) with the true ones (m, 4).

    Returned are the true faces found (IoU from `least` on), the boxes that lie on none, and the mean IoU of the
    found faces' best boxes.
    """
    if not len(boxes) or not len(truth):
        return 0, len(boxes), float("nan")
    shared = iou(boxes, truth)
    best = shared.max(axis=0)
    found = best >= least
    mean = float(best[found].mean()) if found.any() else float("nan")
    return int(found.sum()), int((shared.max(axis=1) < least).sum()), mean


def ablation(traces: list[Trace], truths: list[np.ndarray]) -> pd.DataFrame:
    """Return what P-Net alone, P + R and all three find in traced photos whose true boxes (faces, 4) are known."""
    rows = []
    for name in traces[0].stages():
        left = [steps.stages()[name] for steps in traces]
        found, wrong, overlap = zip(*map(hits, left, truths), strict=True)
        faces, mean = sum(map(len, truths)), float(np.nanmean(overlap))
        rows.append((name, sum(map(len, left)), faces, sum(found), sum(wrong), mean))
    return pd.DataFrame(rows, columns=["stages", "boxes", "faces", "found", "false alarms", "mean IoU"])


def draw_photo(axes, image: np.ndarray, title: str) -> None:
    """Show a photo without axes; what is drawn over its edge is cut off."""
    axes.imshow(image)
    axes.set_title(title, fontsize=9)
    axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    axes.axis("off")


def draw_boxes(axes, boxes: np.ndarray, colour: str = "yellow", width: float = 1.0, **style) -> None:
    """Draw boxes, rows that begin with x0 y0 x1 y1."""
    style = {"fill": False, "edgecolor": COLOURS[colour], "linewidth": width, **style}
    for x0, y0, x1, y1 in np.asarray(boxes)[:, :4]:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))


def draw_faces(axes, image: np.ndarray, faces: list[Face], title: str) -> None:
    """Draw a photo with its faces: boxes, scores and landmarks."""
    draw_photo(axes, image, title)
    draw_boxes(axes, boxes_of(faces), width=1.5)
    frame = {"facecolor": "black", "alpha": 0.6, "pad": 1, "linewidth": 0, "clip_on": True}
    style = {"fontsize": 7, "color": "white", "clip_on": True, "bbox": frame}
    dots = {"s": 8, "color": COLOURS["sky"], "edgecolors": "black", "linewidths": 0.4, "zorder": 3}
    for face in faces:
        axes.scatter(*face.landmarks.T, **dots)
        corner = np.clip(face.box[:2] - (0, 3), (1, 9), None)  # of a face that begins outside the photo, too
        axes.text(*corner, f"{face.score:.3f}", **style).set_in_layout(False)


def plot_pyramid(steps: Trace, most: int = 5):
    """Draw the largest levels of the pyramid at their true relative sizes, each with P-Net's window in its corner."""
    pixels, levels = IntegralImage(steps.image), steps.maps[:most]
    widths = [level.size[1] for level in levels]
    picture, axes = figure(1, len(levels), width_ratios=widths, squeeze=False)
    picture.set_size_inches(11, 11 * levels[0].size[0] / sum(widths) + 0.7)
    for panel, level in zip(axes[0], levels, strict=True):
        panel.imshow(pixels.level(*level.size).transpose(1, 2, 0) / 255, interpolation="nearest")
        draw_boxes(panel, [(0, 0, CELL, CELL)], "red", 1.5)
        panel.set_title(f"x {level.scale:.2f}", fontsize=8)
        panel.set_anchor("N")
        panel.axis("off")
    return picture


def plot_windows(steps: Trace):
    """Draw, per level, P-Net's 12 x 12 window where it is surest, at its size on the photo."""
    picture, axes = figure(width=5.5, height=5.5 * steps.image.shape[0] / steps.image.shape[1])
    draw_photo(axes, steps.image, "P-Net's window at each level, where it is surest of a face")
    for place, level in enumerate(steps.maps):
        row, column = np.unravel_index(level.probability.argmax(), level.probability.shape)
        corner, side = np.array([column, row]) * STRIDE / level.scale, CELL / level.scale
        style = {
            "linestyle": "-" if place < 7 else "--",
            "label": f"{side:.0f} px: {level.probability.max():.2f}",
        }
        draw_boxes(axes, [(*corner, *(corner + side))], list(COLOURS)[place % 7], 2, **style)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, title="window: probability")
    return picture


def plot_heat_maps(steps: Trace, most: int = 4):
    """Draw P-Net's probabilities at some levels, and on the photo its windows before and after each step."""
    places = sorted({round(i) for i in np.linspace(0, len(steps.maps) - 1, min(most, len(steps.maps)))})
    height = 3.0 * steps.image.shape[0] / steps.image.shape[1] + 0.4
    picture, axes = figure(3, len(places), width=3.0, height=height, squeeze=False)
    for (heat, before, after), i in zip(axes.T, places, strict=True):
        level, windows, kept = steps.maps[i], steps.windows[i], steps.kept[i]
        drawn = heat.imshow(level.probability, vmin=0, vmax=1, cmap="cividis")
        heat.set_title(f"scale {level.scale:.2f}: window {CELL / level.scale:.0f} px", fontsize=9)
        heat.axis("off")
        draw_photo(before, steps.image, f"{len(windows)} windows above the threshold")
        draw_boxes(before, windows, "sky", 0.7)
        draw_photo(after, steps.image, f"{len(kept)} kept (yellow), then moved (orange)")
        draw_boxes(after, kept)
        draw_boxes(after, apply_offsets(kept[:, :4], kept[:, 5:], extra=0), "orange")
    picture.colorbar(drawn, ax=list(axes[0]), label="probability of a face", shrink=0.8)
    return picture


def plot_network(steps: Trace, size: int, most: int = 12):
    """Draw what R-Net (24) or O-Net (48) is shown: its candidates, cut out and shrunk, those it keeps first."""
    pixels = IntegralImage(steps.image)
    came, left = (steps.proposals, steps.refined) if size == 24 else (steps.refined, boxes_of(steps.faces))
    clipped = clip_boxes(came, pixels.width, pixels.height)
    usable = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    kept = iou(came[usable], left).max(axis=1, initial=0) > 0.5
    order = np.concatenate([np.flatnonzero(kept)[: most // 2], np.flatnonzero(~kept)])[:most]
    crops = pixels.crops(clipped[usable][order], size).transpose(0, 2, 3, 1) / 255
    columns = max(1, min(6, len(order)))
    picture, axes = figure(max(1, -(-len(order) // columns)), columns, width=1.3, height=1.6, squeeze=False)
    for panel in axes.ravel():
        panel.axis("off")
    for panel, crop, stays in zip(axes.ravel(), crops, kept[order], strict=False):
        panel.imshow(crop, interpolation="nearest")
        panel.set_title("stays" if stays else "goes", fontsize=9)
    return picture


def plot_stages(steps: Trace):
    """Draw the boxes before and after every step on the way from windows to faces."""
    windows = np.concatenate([np.zeros((0, 9), np.float32), *steps.windows])
    moved = apply_offsets(steps.across[:, :4], steps.across[:, 5:], extra=0)
    panels = [
        (f"P-Net: {len(windows)} windows", windows, "sky"),
        (f"after NMS: {len(steps.across)}", steps.across, "sky"),
        (f"moved: {len(moved)}", moved, "orange"),
        (f"square: {len(steps.proposals)}", steps.proposals, "orange"),
        (f"R-Net keeps and moves: {len(steps.refined)}", steps.refined, "yellow"),
    ]
    picture, axes = figure(2, 3, width=3.4, height=3.3 * steps.image.shape[0] / steps.image.shape[1] + 0.3)
    for panel, (title, boxes, colour) in zip(axes.ravel(), panels, strict=False):
        draw_photo(panel, steps.image, title)
        draw_boxes(panel, boxes, colour, 0.8)
    draw_faces(axes[1, 2], steps.image, steps.faces, f"O-Net: {len(steps.faces)}")
    return picture


def plot_ablation(steps: Trace, truth: np.ndarray):
    """Draw the boxes left after one, two and all three networks, with the true boxes dashed."""
    height = 3.6 * steps.image.shape[0] / steps.image.shape[1] + 0.4
    picture, axes = figure(1, 3, width=3.6, height=height)
    for panel, (name, boxes) in zip(axes, steps.stages().items(), strict=True):
        draw_photo(panel, steps.image, f"{name}: {len(boxes)} boxes")
        draw_boxes(panel, boxes)
        draw_boxes(panel, truth, edgecolor="white", linestyle="--")
    return picture


def plot_costs(table: pd.DataFrame):
    """Draw candidates (logarithmic) and milliseconds per stage from `stage_table`."""
    picture, (counts, times) = figure(1, 2, width=5.2, height=2.6)
    timed = table.dropna()
    with plt.rc_context(STYLE):
        counts.barh(table["stage"], table["candidates"].clip(lower=0.5), color=COLOURS["blue"])
        counts.set(xscale="log", xlabel="candidates (logarithmic)")
        times.barh(timed["stage"], timed["milliseconds"], color=COLOURS["orange"])
        times.set_xlabel("milliseconds on one thread")
    for axes in (counts, times):
        axes.invert_yaxis()
    return picture


def explore_settings(image: np.ndarray) -> ipywidgets.Widget:
    """Return sliders for smallest face, scale factor and the three thresholds, over the stages' pictures.

    The last two children are the picture and a line of text with counts and milliseconds.
    """
    options = {"continuous_update": False, "style": {"description_width": "initial"}}
    sliders = [ipywidgets.IntSlider(20, 12, 120, description="smallest face (px)", **options)]
    sliders.append(
        ipywidgets.FloatSlider(
            0.709, min=0.4, max=0.9, step=0.01, readout_format=".3f", description="scale factor", **options
        )
    )
    for name, value in zip(("P-Net", "R-Net", "O-Net"), detector().thresholds, strict=True):
        options["description"] = f"{name}'s threshold"
        sliders.append(ipywidgets.FloatSlider(value, min=0.1, max=0.99, step=0.01, **options))
    picture, text = ipywidgets.Image(format="png"), ipywidgets.HTML()
    known: dict = {}  # P-Net's maps of the last pyramid: thresholds can then move without it

    def redraw(_=None) -> None:
        begin = time.perf_counter()
        smallest, factor, *thresholds = (slider.value for slider in sliders)
        maps = known.get((smallest, factor))
        steps = trace(image, maps, thresholds=thresholds, min_face_size=smallest, factor=factor)
        known.clear()
        known[smallest, factor] = steps.maps
        picture.value = stages_as_png(steps)
        counts = ", ".join(f"{name} {len(boxes)}" for name, boxes in steps.stages().items())
        spent = ", ".join(f"{name} {value:.0f} ms" for name, value in steps.milliseconds.items())
        passed = time.perf_counter() - begin
        text.value = f"{len(steps.maps)} levels; boxes: {counts}; {spent}; redrawn in {passed:.2f} s"

    for slider in sliders:
        slider.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*sliders, picture, text])


def stages_as_png(steps: Trace, side: int = 480) -> bytes:
    """Draw the boxes after each of the three networks, side by side, `side` pixels each: quicker than a figure."""
    small, scale = shrink(steps.image, side)
    panels = []
    for boxes, colour in zip(steps.stages().values(), ("orange", "sky", "yellow"), strict=True):
        panel = Image.fromarray(small)
        for box in boxes * scale:
            ImageDraw.Draw(panel).rectangle(box.tolist(), outline=COLOURS[colour], width=2)
        panels.append(np.asarray(panel))
    out = io.BytesIO()
    Image.fromarray(np.concatenate(panels, axis=1)).save(out, "PNG", compress_level=1)
    return out.getvalue()
