"""MTCNN step by step: every stage's boxes kept, counted, timed and drawn."""

import copy
import io
import time
from dataclasses import dataclass

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Image as Display
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw

from facecourse.core.figures import COLOURS, STYLE, figure
from facecourse.detection.detector import detector
from lambda_function.area import IntegralImage
from lambda_function.boxes import apply_offsets, clip_boxes, iou, nms, overlapping, to_square
from lambda_function.faces import Face
from lambda_function.mtcnn import CELL, MAX_SIDE, STRIDE, HeatMap, windows_of
from lambda_function.photos import shrink

STEPS_SHOWN = 12  # of NMS: more would make the film larger than half a megabyte


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
        ("left by NMS within levels", sum(map(len, steps.kept)), ""),
        ("left by NMS across levels", len(steps.proposals), "NMS"),
        ("left by R-Net", len(steps.refined), "R-Net"),
        ("left by O-Net", len(steps.faces), "O-Net"),
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


def draw_photo(axes, image: np.ndarray, title: str, view: np.ndarray | None = None) -> None:
    """Show a photo without axes, or the part `view`, x0 y0 x1 y1, of it; what is drawn over its edge is cut off."""
    x0, y0, x1, y1 = (0, 0, image.shape[1], image.shape[0]) if view is None else view
    axes.imshow(image)
    axes.set_title(title, fontsize=9)
    axes.set(xlim=(x0 - 0.5, x1 - 0.5), ylim=(y1 - 0.5, y0 - 0.5))
    axes.axis("off")


def around(steps: Trace, sides: float = 2.2) -> np.ndarray:
    """Return a square x0 y0 x1 y1 about the largest face that was found, `sides` of its heights wide; else the photo."""
    height, width = steps.image.shape[:2]
    if not steps.faces:
        return np.array([0, 0, width, height])
    x0, y0, x1, y1 = max((face.box for face in steps.faces), key=lambda box: box[3] - box[1])
    half = min(sides * (y1 - y0), width, height) / 2
    middle = np.clip([(x0 + x1) / 2, (y0 + y1) / 2], half, (width - half, height - half))
    return np.concatenate([middle - half, middle + half])


def draw_boxes(axes, boxes: np.ndarray, colour: str = "yellow", width: float = 1.0, **style) -> None:
    """Draw boxes, rows that begin with x0 y0 x1 y1."""
    style = {"fill": False, "edgecolor": COLOURS[colour], "linewidth": width, **style}
    for x0, y0, x1, y1 in np.asarray(boxes)[:, :4]:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))


def draw_faces(
    axes, image: np.ndarray, faces: list[Face], title: str, view: np.ndarray | None = None
) -> None:
    """Draw a photo, or a part of it, with its faces: boxes, scores and landmarks."""
    draw_photo(axes, image, title, view)
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


def plot_windows(steps: Trace, most: int = 4):
    """Draw P-Net's 12 x 12 window where it is surest, of some levels: on the photo, and the pixels that it sees."""
    pixels, levels = IntegralImage(steps.image), steps.maps[1::2][:most]
    picture, axes = figure(2, len(levels), width=2.6, height=2.6, squeeze=False)
    for (photo, seen), level in zip(axes.T, levels, strict=True):
        row, column = np.unravel_index(level.probability.argmax(), level.probability.shape)
        corner, side = np.array([column, row]) * STRIDE / level.scale, CELL / level.scale
        middle = corner + side / 2
        half = min(1.5 * side, *(length / 2 for length in steps.image.shape[:2]))
        middle = np.clip(middle, half, np.array(steps.image.shape[1::-1]) - half)
        title = f"scale {level.scale:.2f}: {side:.0f} px, {level.probability.max():.0%} a face"
        draw_photo(photo, steps.image, title, np.concatenate([middle - half, middle + half]))
        draw_boxes(photo, [(*corner, *(corner + side))], "red", 2)
        part = pixels.level(*level.size).transpose(1, 2, 0)[STRIDE * row :, STRIDE * column :][:CELL, :CELL]
        draw_photo(seen, np.asarray(part / 255), "its 12 x 12 pixels")
        seen.images[0].set_interpolation("nearest")
    return picture


def plot_heat_maps(steps: Trace, most: int = 3):
    """Draw what P-Net sees of the largest face: probabilities, windows, and what NMS keeps, at the levels with most."""
    view = around(steps)
    inside = [_within(rows, view) for rows in steps.windows]
    best = max(range(len(inside)), key=lambda i: len(inside[i]), default=0)
    first = min(max(best - most // 2, 0), max(len(inside) - most, 0))
    places = range(first, min(first + most, len(inside)))
    picture, axes = figure(3, len(places), width=3.0, height=3.1, squeeze=False)
    for (heat, before, after), i in zip(axes.T, places, strict=True):
        level, windows, kept = steps.maps[i], inside[i], _within(steps.kept[i], view)
        rows, columns = level.probability.shape
        # A window's middle stands for it: the map is shifted by half a window.
        low, high = CELL / 2 / level.scale, (STRIDE * np.array([columns, rows]) + CELL / 2) / level.scale
        edges = (low, high[0], high[1], low)
        drawn = heat.imshow(
            level.probability, vmin=0, vmax=1, cmap="cividis", extent=edges, interpolation="nearest"
        )
        heat.set(xlim=view[[0, 2]], ylim=view[[3, 1]])
        heat.set_title(f"scale {level.scale:.2f}: window {CELL / level.scale:.0f} px", fontsize=9)
        heat.axis("off")
        draw_photo(before, steps.image, f"{len(windows)} windows above the threshold", view)
        draw_boxes(before, windows, "sky", 1.2)
        draw_photo(after, steps.image, f"{len(kept)} kept, and moved (dashed)", view)
        draw_boxes(after, kept, "yellow", 1.8)
        draw_boxes(after, apply_offsets(kept[:, :4], kept[:, 5:], extra=0), "pink", 1.8, linestyle="--")
    picture.colorbar(drawn, ax=list(axes[0]), label="probability of a face", shrink=0.8)
    return picture


def _within(rows: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Return the boxes whose middle lies in a part of the photo."""
    return rows[_mask_within(rows, view)]


def _mask_within(rows: np.ndarray, view: np.ndarray) -> np.ndarray:
    middle = (rows[:, :2] + rows[:, 2:4]) / 2
    return ((middle > view[:2]) & (middle < view[2:])).all(axis=1)


def animate_nms(
    steps: Trace, rows: np.ndarray, kept: np.ndarray, threshold: float, side: int = 360
) -> Display:
    """Show greedy NMS step by step about the largest face, as an animated PNG of at most half a megabyte.

    `rows` (n, 5 or more) are boxes with their probability, `kept` the places of those that stay, best first. In each
    step the best box left is yellow, and what overlaps it by more than `threshold` red, before it goes. The first
    STEPS_SHOWN steps are shown.
    """
    view = around(steps)
    inside = _mask_within(rows, view)
    scale = side / (view[2] - view[0])
    photo = Image.fromarray(steps.image).crop([round(v) for v in view]).resize((side, side))
    # Few colours, and the same in every frame: only what changes is stored again.
    base = photo.quantize(64, dither=Image.Dither.NONE).convert("RGBA")
    left, order = inside.copy(), [i for i in kept if inside[i]][:STEPS_SHOWN]

    def frame(best: int | None, goes: np.ndarray, done: list[int]) -> Image.Image:
        layer = Image.new("RGBA", (side, side))
        draw = ImageDraw.Draw(layer)
        groups = [
            (np.flatnonzero(left), "sky", 1),
            (goes, "red", 2),
            (done, "green", 3),
            ([best], "yellow", 3),
        ]
        for places, colour, width in groups:
            for i in places:
                if i is not None:
                    box = ((rows[i, :4] - np.tile(view[:2], 2)) * scale).tolist()
                    draw.rectangle(box, outline=COLOURS[colour], width=width)
        return layer

    nothing = np.zeros(0, int)
    layers = [frame(None, nothing, [])]
    for step, best in enumerate(order):
        left[best] = False
        goes = np.flatnonzero(left & overlapping(rows[[best], :4], rows[:, :4], threshold, False)[0])
        left[goes] = False
        layers += [frame(best, goes, order[:step]), frame(None, nothing, order[: step + 1])]
    first, *others = [Image.alpha_composite(base, layer) for layer in layers]
    packed = io.BytesIO()
    first.save(packed, "PNG", save_all=True, append_images=others, duration=900, loop=0)
    return Display(packed.getvalue(), format="png")


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
    """Draw the boxes before and after every step on the way from windows to faces, about the largest face."""
    windows = np.concatenate([np.zeros((0, 9), np.float32), *steps.windows])
    moved = apply_offsets(steps.across[:, :4], steps.across[:, 5:], extra=0)
    view = around(steps, 3.0)
    panels = [
        (f"P-Net: {len(windows)} windows", windows, "sky"),
        (f"after NMS: {len(steps.across)}", steps.across, "sky"),
        (f"moved: {len(moved)}", moved, "orange"),
        (f"square: {len(steps.proposals)}", steps.proposals, "orange"),
        (f"R-Net keeps and moves: {len(steps.refined)}", steps.refined, "yellow"),
    ]
    picture, axes = figure(2, 3, width=3.2, height=3.3)
    for panel, (title, boxes, colour) in zip(axes.ravel(), panels, strict=False):
        draw_photo(panel, steps.image, title, view)
        draw_boxes(panel, boxes, colour, 1.2)
    draw_faces(axes[1, 2], steps.image, steps.faces, f"O-Net: {len(steps.faces)}", view)
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
        bars = counts.barh(table["stage"], table["candidates"].clip(lower=0.5), color=COLOURS["blue"])
        counts.bar_label(bars, [f"{count:,}" for count in table["candidates"]], padding=3, fontsize=8)
        counts.set(xscale="log", xlabel="windows or boxes (logarithmic)")
        counts.set_xlim(right=table["candidates"].max() * 12)
        names = timed["stage"].str.removeprefix("left by ").replace({"P-Net: all windows": "P-Net"})
        bars = times.barh(names, timed["milliseconds"], color=COLOURS["orange"])
        times.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
        times.set_xlabel("milliseconds on one thread")
        times.set_xlim(right=timed["milliseconds"].max() * 1.15)
    for axes in (counts, times):
        axes.invert_yaxis()
    return picture


# What goes through each network: a tensor's (side, channels), or what is done to it; and the number of weights.
CASCADE = {
    "P-Net": ("12 3", "conv 3", "10 10", "pool", "5 10", "conv 3", "3 16", "conv 3", "1 32", "conv 1", "1 6"),
    "R-Net": (
        "24 3",
        "conv 3",
        "22 28",
        "pool",
        "11 28",
        "conv 3",
        "9 48",
        "pool",
        "4 48",
        "conv 2",
        "3 64",
        "dense",
    )
    + ("1 128", "dense", "1 6"),
    "O-Net": (
        "48 3",
        "conv 3",
        "46 32",
        "pool",
        "23 32",
        "conv 3",
        "21 64",
        "pool",
        "10 64",
        "conv 3",
        "8 64",
        "pool",
    )
    + ("4 64", "conv 2", "3 128", "dense", "1 256", "dense", "1 16"),
}
WEIGHTS = {"P-Net": 6_632, "R-Net": 100_178, "O-Net": 389_040}


def draw_cascade():
    """Draw the layers of P-Net, R-Net and O-Net: each tensor as high as its side and as wide as its channels ask."""
    picture, axes = figure(3, 1, width=10, height=1.35)
    for panel, (name, layers) in zip(axes, CASCADE.items(), strict=True):
        x = 0.0
        for step in layers:
            if step[0].isdigit():
                side, channels = map(int, step.split())
                height, width = 0.16 * side**0.5, 0.05 * channels**0.5 + 0.06
                box = Rectangle((x, -height / 2), width, height, facecolor=COLOURS["sky"], edgecolor="white")
                panel.add_patch(box)
                text = f"{side} x {side}\nx {channels}" if side > 1 else str(channels)
                panel.text(x + width / 2, -0.62, text, ha="center", va="top", fontsize=7.5)
                x += width
            else:
                panel.annotate(
                    "", (x + 0.55, 0), (x + 0.06, 0), arrowprops={"arrowstyle": "->", "color": "#444444"}
                )
                panel.text(x + 0.3, 0.1, step, ha="center", va="bottom", fontsize=7.5)
                x += 0.6
        answers = "a face? + box" + (" + landmarks" if name == "O-Net" else "")
        panel.text(x + 0.1, 0, f"{answers}\n{WEIGHTS[name]:,} weights", va="center", fontsize=8.5)
        panel.text(-0.15, 0, name, ha="right", va="center", fontsize=10)
        panel.set(xlim=(-0.8, 10.2), ylim=(-1.1, 0.65))
        panel.axis("off")
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
