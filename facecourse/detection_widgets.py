"""Sliders for MTCNN's settings."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from facecourse.detection_lesson import trace
from facecourse.plotting_detection import plot_stages


def explore_settings(image: np.ndarray) -> ipywidgets.Widget:
    """Return sliders for smallest face, scale factor and the three thresholds, over the stages' pictures.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8, RGB
    """
    options = {"continuous_update": False, "style": {"description_width": "initial"}}

    def threshold(name: str, value: float) -> ipywidgets.FloatSlider:
        return ipywidgets.FloatSlider(value, min=0.1, max=0.99, step=0.01, description=name, **options)

    def draw(smallest: int, factor: float, p: float, r: float, o: float) -> None:
        steps = trace(image, min_face_size=smallest, factor=factor, thresholds=(p, r, o))
        picture = plot_stages(steps)
        display(picture)
        plt.close(picture)
        spent = ", ".join(f"{name} {value:.1f} ms" for name, value in steps.milliseconds.items())
        print(f"{len(steps.maps)} levels, {len(steps.faces)} faces; {spent}")

    return ipywidgets.interactive(
        draw,
        smallest=ipywidgets.IntSlider(20, min=12, max=120, description="smallest face (px)", **options),
        factor=ipywidgets.FloatSlider(
            0.709, min=0.4, max=0.9, step=0.01, description="scale factor", **options
        ),
        p=threshold("P-Net", 0.6),
        r=threshold("R-Net", 0.7),
        o=threshold("O-Net", 0.7),
    )
