"""Places: what is behind the people, out of focus, and the light that belongs to it."""

from functools import lru_cache

import numpy as np
import scene
from noises import linear_to_srgb, noise, rng_for, smooth
from scipy.ndimage import zoom
from scipy.signal import fftconvolve

PLACES = ("park", "terrace", "room", "library", "street", "shore")
# Light by place: sky, horizon, ground, strength; windows (azimuth, height, half sizes, colour) behind the camera;
# lamps (azimuth, height, watts, colour, metres), azimuth 0 at the camera and 180 behind the people.
# fmt: off
LIGHT = {
    "park": (((.75, .9, 1.15), (1., .97, .9), (.22, .27, .12), .45), (),
             ((-48, 38, 260, (1., .90, .74), .9), (150, 42, 300, (1., .86, .62), .5))),
    "terrace": (((.30, .36, .62), (.85, .55, .40), (.12, .09, .07), .5), (),
                ((-35, 28, 250, (1., .76, .50), 1.), (40, 20, 60, (.75, .85, 1.), 1.2), (158, 38, 280, (1., .66, .34), .5))),
    "room": (((.75, .70, .62), (.85, .78, .68), (.35, .26, .18), .45), ((55, 8, 26, 26, (3.2, 3.4, 3.7)),),
             ((50, 22, 260, (.96, .98, 1.), 1.3), (-150, 35, 120, (1., .80, .55), .5))),
    "library": (((.8, .62, .42), (.60, .46, .33), (.22, .15, .09), .5), ((-30, 15, 18, 14, (3., 2.4, 1.7)),),
                ((-32, 34, 260, (1., .84, .64), 1.), (45, 20, 70, (1., .88, .74), 1.3), (160, 45, 160, (1., .8, .55), .5))),
    "street": (((.85, .95, 1.15), (.95, .95, .95), (.35, .33, .32), .6), (),
               ((40, 45, 240, (1., .95, .88), 1.2), (-155, 40, 200, (1., .92, .8), .6))),
    "shore": (((.55, .78, 1.2), (1., 1., 1.02), (.50, .44, .33), .55), (),
              ((-60, 35, 300, (1., .88, .70), .7), (140, 30, 220, (1., .9, .75), .5))),
    # The sun behind, little light in front.
    "back": (((1., 1., 1.05), (.30, .30, .31), (.10, .10, .09), .5), (),
             ((160, 35, 620, (1., .92, .80), .4), (-140, 15, 400, (1., .92, .80), .4))),
    # One lamp of a street, high and to the side.
    "night": (((.06, .08, .15), (.16, .13, .12), (.04, .04, .04), .5), (),
              ((65, 55, 200, (1., .66, .34), .3), (-80, 10, 30, (.5, .7, 1.), .6))),
}
# fmt: on
SEEN = {
    "back": ("park", 3.0),
    "night": ("terrace", 0.45),
}  # which place is behind, and how much brighter than usual


def light_place(place: str, centre: np.ndarray, scale: float, power: float = 1.0) -> None:
    """Set sky and lamps of a place around `centre`, lamps `scale` times as far away and as strong as for a portrait."""
    sky, windows, lamps = LIGHT[place]
    scene.set_sky(*sky, windows=windows)
    for azimuth, height, watts, colour, size in lamps:
        a, h = np.radians(azimuth), np.radians(height)
        towards = np.array([np.sin(a) * np.cos(h), -np.cos(a) * np.cos(h), np.sin(h)])
        watts = watts * power * scale**2 / 4.8
        scene.add_lamp(centre + 1.7 * scale * towards, centre, watts, colour, size * scale)


def out_of_focus(light: np.ndarray, radius: float) -> np.ndarray:
    """Blur (h, w, 3) linear light with a disc, as a wide open lens does; lamps become discs."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = smooth(radius + 0.7, radius - 0.7, np.hypot(x, y)) * (0.85 + 0.3 * (np.hypot(x, y) / radius) ** 4)
    disc /= disc.sum()
    padded = np.pad(light, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    return np.stack([fftconvolve(padded[..., c], disc, mode="valid") for c in range(light.shape[2])], -1)


def _mix(light: np.ndarray, colour, share: np.ndarray) -> np.ndarray:
    share = share[..., None] if share.ndim == 2 else share
    return light * (1 - share) + np.asarray(colour) * share


def _lamps(light, rng, count: int, rows: tuple[float, float], colour, power, radius) -> None:
    """Add small bright spots, in place; `rows` is the range of heights, 0 to 1."""
    height, width = light.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    for _ in range(count):
        middle = rng.uniform(0, width), rng.uniform(*rows) * height
        size = rng.uniform(*radius) * width
        x0, x1 = int(max(0, middle[0] - size - 1)), int(min(width, middle[0] + size + 2))
        y0, y1 = int(max(0, middle[1] - size - 1)), int(min(height, middle[1] + size + 2))
        spot = np.hypot(x[y0:y1, x0:x1] - middle[0], y[y0:y1, x0:x1] - middle[1]) < size
        light[y0:y1, x0:x1][spot] += np.array(colour) * rng.uniform(*power) * rng.uniform(0.85, 1.15, 3)


def _square_noise(rng, height: int, width: int, cells: int, octaves: int = 3) -> np.ndarray:
    return noise(rng, max(height, width), cells, octaves)[:height, :width]


def park(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """Trees with sun between the leaves, a hedge and a lawn."""
    row = np.mgrid[0:height, 0:width][0] / height
    light = _mix(
        np.ones((height, width, 3)) * [0.62, 0.74, 0.86], [0.95, 0.92, 0.82], smooth(0, horizon, row)
    )
    crowns = _square_noise(rng, height, width, 4, 4)
    leaves = _square_noise(rng, height, width, 40, 3)
    edge = horizon - 0.30 - 0.16 * _square_noise(rng, 1, width, 5, 2)[0]
    trees = smooth(-0.02, 0.03, row - edge + 0.03 * leaves) * smooth(1.6, 0.9, crowns + 0.5 * leaves)
    dark = np.array([0.045, 0.10, 0.035]) * (1 + 0.35 * leaves[..., None]) * (1 + 0.35 * crowns[..., None])
    light = _mix(
        light, np.clip(dark * rng.uniform(0.8, 1.3), 0.008, 1) + np.array([0.02, 0.025, 0.01]), trees
    )
    for _ in range(rng.integers(3, 6)):  # trunks
        x, half = rng.uniform(0, 1) * width, rng.uniform(0.006, 0.016) * width
        columns = np.arange(width)[None, :]
        trunk = smooth(half, half * 0.7, abs(columns - x)) * (row > horizon - 0.45) * (row < horizon + 0.03)
        light = _mix(light, [0.05, 0.035, 0.022], trunk)
    grass = smooth(horizon - 0.01, horizon + 0.01, row)
    sun = smooth(-0.3, 0.9, _square_noise(rng, height, width, 3, 2))[..., None]
    lawn = np.array([0.10, 0.17, 0.035]) * (1 - sun) + np.array([0.34, 0.40, 0.10]) * sun
    light = _mix(light, lawn * (1 + 0.15 * leaves[..., None]), grass)
    _lamps(light, rng, 120, (horizon - 0.5, horizon - 0.02), (1.0, 0.98, 0.75), (1.5, 9), (0.001, 0.0028))
    return np.clip(light, 0, None)


def terrace(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """A garden party at dusk: strings of lamps, lit windows, dark hedges."""
    row, column = (part / (height, width)[i] for i, part in enumerate(np.mgrid[0:height, 0:width]))
    light = _mix(
        np.ones((height, width, 3)) * [0.06, 0.085, 0.17], [0.55, 0.30, 0.19], smooth(-0.1, horizon, row)
    )
    leaves = _square_noise(rng, height, width, 30, 3)
    edge = horizon - 0.22 - 0.12 * _square_noise(rng, 1, width, 6, 3)[0]
    hedge = np.array([0.018, 0.026, 0.018]) * (1 + 0.5 * leaves[..., None])
    light = _mix(light, np.clip(hedge, 0.004, 1), smooth(-0.01, 0.02, row - edge + 0.02 * leaves))
    house = (column > rng.uniform(0.55, 0.7)) & (row > 0.12)
    light = _mix(light, [0.11, 0.075, 0.055], house.astype(float))
    for x in np.arange(0.6, 1.0, 0.15):
        window = (abs(column - x - 0.05) < 0.045) & (abs(row - horizon + 0.22) < 0.12) & house
        light = _mix(light, [1.3, 0.78, 0.34], window * 0.9)
    ground = _mix(light, [0.075, 0.055, 0.042], np.ones((height, width)))
    light = _mix(light, ground, smooth(horizon, horizon + 0.05, row))
    for _ in range(4):
        left, right, sag = rng.uniform(0, 0.2), rng.uniform(0, 0.2), rng.uniform(0.05, 0.15)
        for t in np.linspace(0, 1, int(rng.integers(13, 19))):
            y = left + (right - left) * t + sag * 4 * t * (1 - t)
            x0, y0 = int((t + rng.normal(0, 0.004)) * width), int((y + rng.normal(0, 0.004)) * height)
            light[max(0, y0 - 2) : max(0, y0 + 3), max(0, x0 - 2) : max(0, x0 + 3)] += (
                np.array([1.0, 0.62, 0.25]) * 22
            )
    _lamps(light, rng, 14, (horizon - 0.15, horizon + 0.1), (1.0, 0.55, 0.2), (2, 9), (0.002, 0.004))
    return np.clip(light, 0, None)


def room(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """A bright room: a window with the day outside, a lamp, a plant, a picture, a sideboard."""
    row, column = (part / (height, width)[i] for i, part in enumerate(np.mgrid[0:height, 0:width]))
    wall = np.array([0.50, 0.44, 0.36]) * rng.uniform(0.8, 1.1) * rng.uniform(0.92, 1.08, 3)
    light = np.ones((height, width, 3)) * wall
    side = 1 if rng.random() < 0.5 else -1
    towards = column if side > 0 else 1 - column
    light *= (0.45 + 0.75 * smooth(0, 1, towards))[..., None]  # brighter towards the window
    left = 0.60
    window = (towards > left) & (row < horizon - 0.05)
    outside = _mix(np.ones((height, width, 3)) * [1.15, 1.25, 1.4], [0.35, 0.5, 0.22], smooth(0.25, 0.5, row))
    light = _mix(light, outside, window.astype(float))
    frame = window & ((abs((towards - left) % 0.2 - 0.005) < 0.008) | (abs(row - 0.22) < 0.009))
    light = _mix(light, [0.75, 0.72, 0.68], frame * 0.9)
    curtain = smooth(0.055, 0.045, abs(towards - left + 0.02))
    folds = 0.75 + 0.25 * np.sin(column * width / 9)
    light = _mix(light, np.array([0.62, 0.50, 0.38]) * folds[..., None], curtain)
    for x, wide in ((0.14, 0.075), (0.36, 0.055)):  # pictures on the wall
        y, high = rng.uniform(0.22, 0.3), rng.uniform(0.11, 0.16)
        picture = (abs(towards - x) < wide) & (abs(row - y) < high)
        inside = (abs(towards - x) < wide * 0.82) & (abs(row - y) < high * 0.82)
        light = _mix(light, [0.10, 0.07, 0.05], picture.astype(float))
        colour = rng.uniform(0.15, 0.7, 3)
        light = _mix(light, colour * 0.45 + colour.mean() * 0.55, inside.astype(float))
    board = (row > horizon) & (towards < 0.55)
    light = _mix(light, [0.20, 0.115, 0.06], board.astype(float))
    light = _mix(light, [0.11, 0.06, 0.03], (board & (abs((towards % 0.18) - 0.09) > 0.086)).astype(float))
    lamp = (abs(towards - 0.48) < 0.035 + 0.10 * (row - horizon + 0.22)) & (abs(row - horizon + 0.15) < 0.07)
    light = _mix(light, [2.6, 1.75, 0.95], lamp.astype(float))
    glow = np.exp(
        -(((column - (0.48 if side > 0 else 0.52)) * 1.5) ** 2 + (row - horizon + 0.15) ** 2) / 0.03
    )
    light = light + glow[..., None] * np.array([0.30, 0.18, 0.07])
    leaves = _square_noise(rng, height, width, 40, 3)
    plant = smooth(0.10, 0.06, np.hypot((towards - 0.25) * 1.2, (row - horizon + 0.16)) + 0.03 * leaves)
    light = _mix(light, np.array([0.05, 0.13, 0.04]) * (1 + 0.4 * leaves[..., None]), plant)
    return np.clip(light, 0, None)


def library(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """Shelves full of books, with warm lamps."""
    light = np.ones((height, width, 3)) * [0.045, 0.028, 0.018]
    shelf = int(height * 0.155)
    for top in range(-int(rng.integers(0, shelf)), height, shelf):
        x = 0
        while x < width:
            wide, high = int(rng.uniform(0.008, 0.024) * width), shelf * rng.uniform(0.62, 0.86)
            colour = rng.uniform(0.02, 0.42, 3) * rng.uniform(0.35, 1.2)
            colour = colour * 0.5 + colour.mean() * np.array([0.62, 0.46, 0.32])
            if rng.random() < 0.08:
                colour = colour * 0.15
            y0, y1 = int(top + shelf * 0.93 - high), int(top + shelf * 0.93)
            light[max(0, y0) : max(0, y1), x : x + wide - 1] = colour
            x += wide
        y = max(0, int(top + shelf * 0.93))
        light[y : max(0, top + shelf)] = [0.16, 0.09, 0.045]
    for x in np.arange(rng.uniform(0, 0.2), 1.0, 0.33):
        light[:, int(x * width) : int((x + 0.018) * width)] = [0.17, 0.10, 0.05]
    row, column = (part / (height, width)[i] for i, part in enumerate(np.mgrid[0:height, 0:width]))
    for x in (0.17, 0.5, 0.83):
        glow = np.exp(-((column - x) ** 2 / 0.02 + (row - 0.02) ** 2 / 0.22))
        light = light * (1 + 1.1 * glow[..., None] * np.array([1.15, 0.9, 0.6]))
    _lamps(light, rng, 9, (0.0, 0.3), (1.0, 0.72, 0.38), (6, 12), (0.003, 0.006))
    return np.clip(light * 1.25, 0, None)


def street(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """Houses along a street by day, with shop windows and lights of cars."""
    row, column = (part / (height, width)[i] for i, part in enumerate(np.mgrid[0:height, 0:width]))
    light = _mix(
        np.ones((height, width, 3)) * [0.70, 0.80, 0.95], [0.95, 0.93, 0.90], smooth(0, horizon, row)
    )
    x = -0.05
    while x < 1:
        wide = rng.uniform(0.12, 0.26)
        roof = rng.uniform(-0.2, 0.22)
        colour = rng.uniform(0.12, 0.45) * np.array([1.0, 0.86, 0.72]) * rng.uniform(0.85, 1.15, 3)
        house = (column >= x) & (column < x + wide) & (row > roof) & (row < horizon + 0.06)
        light = _mix(light, colour, house.astype(float))
        panes = (
            house & (((column - x) % 0.05) < 0.026) & (((row - roof) % 0.13) > 0.05) & (row < horizon - 0.14)
        )
        light = _mix(light, np.array([0.10, 0.13, 0.17]) * rng.uniform(0.5, 2.2), panes.astype(float))
        shop = (
            house
            & (row > horizon - 0.10)
            & (row < horizon + 0.03)
            & (abs(column - x - wide / 2) < wide * 0.4)
        )
        light = _mix(light, np.array([0.9, 0.7, 0.45]) * rng.uniform(0.3, 1.1), shop.astype(float))
        x += wide
    light = _mix(light, [0.23, 0.225, 0.225], smooth(horizon + 0.05, horizon + 0.07, row))
    _lamps(light, rng, 22, (horizon - 0.08, horizon + 0.06), (1.0, 0.8, 0.5), (3, 9), (0.0015, 0.003))
    _lamps(light, rng, 6, (horizon - 0.02, horizon + 0.06), (1.0, 0.12, 0.08), (3, 9), (0.0015, 0.003))
    return np.clip(light, 0, None)


def shore(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """Sand, the sea with the sun on it, clouds, and hills on the other side."""
    row = np.mgrid[0:height, 0:width][0] / height
    light = _mix(
        np.ones((height, width, 3)) * [0.30, 0.50, 0.88], [0.80, 0.86, 0.92], smooth(-0.1, horizon, row)
    )
    clouds = smooth(0.3, 1.6, _square_noise(rng, height, width, 4, 5))[..., None]
    light = _mix(light, [1.0, 0.98, 0.95], clouds * 0.8)
    edge = horizon - 0.05 - 0.04 * abs(_square_noise(rng, 1, width, 4, 3)[0])
    light = _mix(light, [0.20, 0.27, 0.33], smooth(-0.004, 0.004, row - edge))
    waves = _square_noise(rng, height, width, 60, 3)[..., None]
    sea = np.array([0.10, 0.27, 0.34]) * (1 + 0.25 * waves) + 0.35 * smooth(1.2, 2.2, waves)
    light = _mix(light, sea, smooth(horizon - 0.004, horizon + 0.004, row))
    sand = np.array([0.62, 0.50, 0.34]) * (1 + 0.08 * waves) * rng.uniform(0.85, 1.1)
    light = _mix(light, sand, smooth(horizon + 0.13, horizon + 0.16, row))
    _lamps(light, rng, 60, (horizon, horizon + 0.1), (1.0, 0.97, 0.85), (2, 9), (0.001, 0.0025))
    return np.clip(light, 0, None)


MAKERS = {
    "park": park,
    "terrace": terrace,
    "room": room,
    "library": library,
    "street": street,
    "shore": shore,
}


@lru_cache(8)
def backdrop(
    key: tuple, place: str, size: tuple[int, int], horizon: float, radius: float, gain=1.0
) -> np.ndarray:
    """Return what is behind people at a place, sRGB 0 to 1, blurred with a disc of `radius` pixels.

    It is painted at half its size, since nothing in it is sharp.
    """
    seen, brighter = SEEN.get(place, (place, 1.0))
    width, height = size[0] // 2, size[1] // 2
    light = MAKERS[seen](rng_for("backdrop", *key, seen), height, width, horizon)
    light = out_of_focus(light * gain * brighter, radius / 2)
    light = np.where(light > 0.7, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.9), light)
    return zoom(np.clip(linear_to_srgb(light), 0, 1), (2, 2, 1), order=1, grid_mode=True, mode="nearest")
