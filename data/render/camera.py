"""What a camera makes of rendered light, and where faces lie in its pictures."""

import numpy as np
import scene
from noises import linear_to_srgb, srgb_to_linear
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def develop(
    light: np.ndarray,
    rng: np.random.Generator,
    wall: np.ndarray,
    faces: list,
    size: tuple[int, int],
    bright=(0.22, 0.34),
    blur=(0.3, 0.9),
    grains=(0.5, 2.6),
    shake=None,
) -> Image.Image:
    """Turn rendered light (h, w, 4) into a photo: exposure for the faces, film curve, white balance, lens, sensor.

    `wall` (h, w, 3) is what is behind the people, `faces` the inner parts of their boxes; `bright`, `blur` and `grains`
    are ranges of the faces' brightness, the lens's blur and the sensor's noise, `shake` pixels and degrees of a move.
    """
    cover, colour = np.clip(light[..., 3:4], 0, 1), np.clip(light[..., :3], 0, None)
    cover = gaussian_filter(
        cover, (0.6, 0.6, 0)
    )  # few rays make the outline of hair jagged, since only colour is denoised
    exposed = colour
    if faces:
        brightness = colour @ [0.2126, 0.7152, 0.0722]
        parts = [brightness[y0:y1, x0:x1] for x0, y0, x1, y1 in faces]
        # The brighter part counts, so that dark glasses, a mask or hair do not burn out the skin.
        measured, most = (np.mean([np.quantile(part, share) for part in parts]) for share in (0.65, 0.9))
        gain = (rng.uniform(*bright) / max(measured, 1e-3)) ** 0.72 * rng.uniform(0.92, 1.08)
        exposed = colour * min(gain, 1.1 / max(most, 1e-3))
    exposed = exposed * (1 + exposed / 2.2**2) / (1 + exposed * 0.55)
    photo = np.clip(linear_to_srgb(exposed + srgb_to_linear(wall) * (1 - cover)), 0, 1)
    photo = np.clip(photo * (1 + rng.normal(0, 0.025, 3)), 0, 1)
    photo = gaussian_filter(photo, (rng.uniform(*blur),) * 2 + (0,))
    if shake:
        photo = _shaken(photo, *shake)
    values = Image.fromarray((photo * 255 + 0.5).astype(np.uint8)).resize(size, Image.LANCZOS)
    values, grain = np.asarray(values, float), rng.uniform(*grains)
    dust = rng.normal(0, grain, values.shape[:2])[..., None] * 0.7 + rng.normal(0, grain * 0.6, values.shape)
    return Image.fromarray(np.clip(values + dust, 0, 255).astype(np.uint8))


def _shaken(photo: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Blur (h, w, 3) along a line, as a moving hand or head does."""
    total, steps = np.zeros_like(photo), max(2, int(length * 1.5))
    for t in np.linspace(-0.5, 0.5, steps):
        move = (t * length * np.sin(np.radians(angle)), t * length * np.cos(np.radians(angle)), 0)
        total += shift(photo, move, order=1, mode="nearest")
    return total / steps


def inner_part(camera: scene.Camera, points: np.ndarray) -> list[int]:
    """Return the inner part of a face's box, to measure its brightness in: x0, y0, x1, y1 in pixels of the rendering."""
    x0, y0, x1, y1 = _box(camera, points)
    wide, high = x1 - x0, y1 - y0
    return [
        int(x0 + wide * 0.25),
        int(y0 + high * 0.25),
        int(x1 - wide * 0.25) + 1,
        int(y1 - high * 0.15) + 1,
    ]


def truth_of(camera: scene.Camera, points: dict, scale: float) -> dict[str, list[float]]:
    """Return landmarks and box of a face, in pixels of a photo that is `scale` times the rendering's size."""
    marks = {name: _rounded(camera.project(points[name])[0], scale) for name in LANDMARKS}
    return marks | {"box": _rounded(_box(camera, points["face"]), scale)}


def _box(camera: scene.Camera, points: np.ndarray) -> np.ndarray:
    projected = camera.project(points)
    return np.concatenate([projected.min(0), projected.max(0)])


def _rounded(values, scale: float) -> list[float]:
    return [round(float(value) * scale, 1) for value in values]
