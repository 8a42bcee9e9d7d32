"""Sliders for MTCNN's settings."""

import io
import time

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from facecourse.core.figures import COLOURS
from facecourse.lessons.stages import Trace, boxes_of, trace
from lambda_function.photos import shrink

SIDE = 480  # pixels of each of the three pictures


def explore_settings(image: np.ndarray) -> ipywidgets.Widget:
    """Return sliders for smallest face, scale factor and the three thresholds, over the stages' pictures.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8, RGB

    Returns
    -------
    VBox
        Its last two children are the picture and a line of text with counts and milliseconds.
    """
    options = {"continuous_update": False, "style": {"description_width": "initial"}}
    sliders = {
        "smallest": ipywidgets.IntSlider(20, min=12, max=120, description="smallest face (px)", **options),
        "factor": ipywidgets.FloatSlider(
            0.709, min=0.4, max=0.9, step=0.01, readout_format=".3f", description="scale factor", **options
        ),
    }
    for name, value in (("P-Net", 0.6), ("R-Net", 0.7), ("O-Net", 0.7)):
        sliders[name] = ipywidgets.FloatSlider(
            value, min=0.1, max=0.99, step=0.01, description=f"{name}'s threshold", **options
        )
    picture, text = ipywidgets.Image(format="png"), ipywidgets.HTML()
    known: dict = {}  # P-Net's maps of the last pyramid: thresholds can then move without it

    def redraw(_=None) -> None:
        begin = time.perf_counter()
        values = {name: slider.value for name, slider in sliders.items()}
        thresholds = tuple(values[name] for name in ("P-Net", "R-Net", "O-Net"))
        pyramid = {"min_face_size": values["smallest"], "factor": values["factor"]}
        key = tuple(pyramid.values())
        steps = trace(image, known.get(key), thresholds=thresholds, **pyramid)
        known.clear()
        known[key] = steps.maps
        picture.value = stages_as_png(steps)
        spent = ", ".join(f"{name} {value:.0f} ms" for name, value in steps.milliseconds.items())
        text.value = (
            f"{len(steps.maps)} levels; P-Net {len(steps.proposals)}, R-Net {len(steps.refined)}, "
            f"O-Net {len(steps.faces)} boxes; {spent}; redrawn in {time.perf_counter() - begin:.2f} s"
        )

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*sliders.values(), picture, text])


def stages_as_png(steps: Trace) -> bytes:
    """Draw the boxes after each of the three networks, side by side: quicker than a figure."""
    small, scale = shrink(steps.image, SIDE)
    panels = []
    for boxes, colour in (
        (steps.proposals, "orange"),
        (steps.refined, "sky"),
        (boxes_of(steps.faces), "yellow"),
    ):
        panel = Image.fromarray(small)
        pen = ImageDraw.Draw(panel)
        for box in np.asarray(boxes) * scale:
            pen.rectangle([float(edge) for edge in box], outline=COLOURS[colour], width=2)
        panels.append(np.asarray(panel))
    out = io.BytesIO()
    Image.fromarray(np.concatenate(panels, axis=1)).save(out, "PNG", compress_level=1)
    return out.getvalue()
