"""From a person to a photo: chance of pose, light and background, then what a camera makes of it."""

from pathlib import Path

import numpy as np
import scene
from anatomy import Anatomy
from assets import Assets
from figure import EXPRESSIONS, Figure, to_metres
from looks import Looks
from noises import linear_to_srgb, noise, rng_for, smooth, srgb_to_linear
from PIL import Image
from scipy.ndimage import gaussian_filter

SUITS = {
    1: [*(f"male_casualsuit0{i}" for i in range(1, 7)), "male_elegantsuit01"],
    0: ["female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01"],
}
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
TOLD = ("yaw", "pitch", "roll", "expr", "style", "glasses")  # what photos.json says of a pose
RENDERED, SIZE = 320, 250  # pixels along each side, before and after development
GROUP = (1200, 800)


def random_pose(rng: np.random.Generator, looks: Looks, number: int | None = None) -> dict:
    """Draw a pose; photo 0 of a series is frontal and neutral, the others spread over the angles.

    The order of the draws is part of the sample: changing it changes every photo after.
    """
    person = looks.person
    rng.random()
    yaw = float(rng.uniform(-6, 6)) if number == 0 else float(np.clip(rng.normal(0, 17), -35, 35))
    if number:
        yaw = float(np.linspace(-33, 33, 13)[(number * 5) % 13] + rng.uniform(-4, 4))
        yaw = float(np.clip(yaw, -35, 35))
    chances = [0.2, 0.2, 0.16, 0.08, 0.08, 0.06, 0.06, 0.06, 0.03, 0.07]
    expression = "neutral" if number == 0 else str(rng.choice(list(EXPRESSIONS), p=chances))
    style = person.styles[0] if rng.random() < 0.72 else person.styles[-1]
    pose = {
        "yaw": yaw,
        "pitch": float(np.clip(rng.normal(0, 6.5), -15, 15)),
        "roll": float(np.clip(rng.normal(0, 5), -14, 14)),
        "body": float(rng.uniform(0.15, 0.75)),
        "expr": expression,
        "expr_w": float(rng.uniform(0.7, 1.1)),
        "blink": float(rng.choice([0, 0.08, 0.16])),
        "gaze": [
            float(np.clip(-yaw * rng.uniform(0.0, 0.45) + rng.normal(0, 4), -18, 18)),
            float(rng.normal(0, 3)),
        ],
        "suit": str(rng.choice(SUITS[person.male])),
        "tint": float(rng.uniform(0.2, 0.95)),
        "suit_rgb": [float(value) for value in _muted(rng)],
        "oily": float(rng.uniform(0, 1)),
        "style": style,
    }
    glasses = person.extras.get("glasses")
    return pose | {"glasses": glasses if glasses and rng.random() < 0.7 else None}


def _muted(rng: np.random.Generator) -> np.ndarray:
    colour = rng.uniform(0.06, 0.78, 3)
    share = rng.uniform(0.2, 0.75)
    return colour * share + colour.mean() * (1 - share)


def set_lights(rng: np.random.Generator, centre: np.ndarray, scale: float = 1.0) -> None:
    """Place one or two lamps around `centre`, and light from everywhere, in colours of day and lamp."""
    azimuth, height = np.radians(rng.uniform(-70, 70)), np.radians(rng.uniform(-5, 60))
    distance = 1.6 * scale
    towards = np.array([np.sin(azimuth) * np.cos(height), -np.cos(azimuth) * np.cos(height), np.sin(height)])
    warm = rng.uniform(-1, 1)
    colour = np.clip(np.array([1 + 0.16 * warm, 1, 1 - 0.22 * warm]), 0.3, 1.3)
    size = float(rng.uniform(0.25, 1.3)) * scale
    scene.add_lamp(centre + distance * towards, centre, 38 * scale**2, colour, size)
    warm = rng.uniform(-1, 1)
    colour = np.array([1 + 0.15 * warm, 1, 1 - 0.18 * warm]) + rng.normal(0, 0.05, 3)
    scene.set_surroundings(np.clip(colour, 0.3, 1.4), float(rng.uniform(0.16, 0.55)))
    if rng.random() < 0.55:
        azimuth += np.radians(rng.uniform(120, 240))
        towards = np.array([np.sin(azimuth), -np.cos(azimuth), rng.uniform(0.1, 0.8)])
        watts = 24 * scale**2 * rng.uniform(0.3, 1.2)
        colour = np.clip(1 + rng.normal(0, 0.15, 3), 0.5, 1.4)
        scene.add_lamp(centre + distance * towards, centre, watts, colour, 0.5 * scale)


def background(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Return a blurred background, (height, width, 3), sRGB 0 to 1: gradient, cloud, discs or boxes."""
    size = max(width, height)
    kind, first, second = rng.integers(0, 4), rng.uniform(0.08, 0.9, 3), rng.uniform(0.08, 0.9, 3)
    vivid = rng.uniform(0.05, 0.38)
    first, second = (colour * vivid + colour.mean() * (1 - vivid) for colour in (first, second))
    rows, columns = np.mgrid[0:size, 0:size] / size
    angle = rng.uniform(0, 2 * np.pi)
    if kind == 0:
        share = np.clip(0.5 + (columns - 0.5) * np.cos(angle) + (rows - 0.5) * np.sin(angle), 0, 1)[..., None]
        wall = first * share + second * (1 - share)
    elif kind == 1:
        share = smooth(-1.5, 1.5, noise(rng, size, 3, 4))[..., None]
        wall = first * share + second * (1 - share)
    else:
        wall = _things(rng, np.ones((size, size, 3)) * first, second, columns, rows, discs=kind == 2)
    wall = wall * (1 + 0.02 * noise(rng, size, 40, 2))[..., None]
    return np.clip(wall[:height, :width], 0, 1)


def _things(rng, wall: np.ndarray, colour: np.ndarray, columns, rows, discs: bool) -> np.ndarray:
    for _ in range(rng.integers(8, 22) if discs else rng.integers(5, 14)):
        x, y = rng.uniform(0, 1), rng.uniform(0, 1)
        if discs:
            radius = rng.uniform(0.05, 0.22)
            shape = smooth(radius, radius * 0.75, np.hypot(columns - x, rows - y))
        else:
            half_width, half_height = rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.5)
            shape = (abs(columns - x) < half_width) & (abs(rows - y) < half_height)
        shape = shape[..., None] * rng.uniform(0.3 if discs else 0.4, 0.9)
        own = np.clip(colour + rng.normal(0, 0.14 if discs else 0.16) + rng.normal(0, 0.06, 3), 0.03, 0.97)
        wall = wall * (1 - shape) + shape * own
    blur = len(wall) * (0.012 if discs else 0.02)
    return gaussian_filter(wall, (blur, blur, 0))


def develop(light: np.ndarray, rng: np.random.Generator, wall: np.ndarray, faces: list, size) -> Image.Image:
    """Turn rendered light into a photo: exposure for the faces, film curve, white balance, lens, sensor.

    Parameters
    ----------
    light : ndarray of shape (h, w, 4)
        Linear light and coverage.
    wall : ndarray of shape (h, w, 3)
    faces : list of (x0, y0, x1, y1)
        Inner parts of the faces, in pixels.
    size : (int, int)
        Of the photo.
    """
    cover, colour = np.clip(light[..., 3:4], 0, 1), np.clip(light[..., :3], 0, None)
    brightness = colour @ [0.2126, 0.7152, 0.0722]
    measured = float(np.mean([np.median(brightness[y0:y1, x0:x1]) for x0, y0, x1, y1 in faces]))
    wanted = rng.uniform(0.20, 0.32)
    exposed = colour * ((wanted / max(measured, 1e-3)) ** 0.72 * rng.uniform(0.92, 1.08))
    exposed = exposed * (1 + exposed / 2.2**2) / (1 + exposed * 0.55)
    photo = np.clip(linear_to_srgb(exposed + srgb_to_linear(wall) * (1 - cover)), 0, 1)
    photo = np.clip(photo * (1 + rng.normal(0, 0.025, 3)), 0, 1)
    photo = gaussian_filter(photo, (rng.uniform(0.3, 0.9),) * 2 + (0,))
    small = Image.fromarray((photo * 255 + 0.5).astype(np.uint8)).resize(size, Image.LANCZOS)
    values = np.asarray(small, float)
    grain = rng.uniform(0.5, 2.6)
    dust = rng.normal(0, grain, values.shape[:2])[..., None] * 0.7 + rng.normal(0, grain * 0.6, values.shape)
    return Image.fromarray(np.clip(values + dust, 0, 255).astype(np.uint8))


def _box(camera: scene.Camera, points: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return a face's box (4,) in pixels of the rendering, and the inner part of it."""
    projected = camera.project(points)
    x0, y0, x1, y1 = box = np.concatenate([projected.min(0), projected.max(0)])
    wide, high = x1 - x0, y1 - y0
    return box, [int(x0 + wide * 0.25), int(y0 + high * 0.25), int(x1 - wide * 0.25), int(y1 - high * 0.15)]


def _truth(camera: scene.Camera, points: dict, box: np.ndarray, scale: float) -> tuple[dict, dict]:
    def rounded(values):
        return [round(float(value) * scale, 1) for value in values]

    marks = {name: rounded(camera.project(points[name])[0]) for name in LANDMARKS}
    return marks, {"box": rounded(box)}


def take_photo(
    assets: Assets, anatomy: Anatomy, looks: Looks, pose: dict, rng, seed: int, path: Path, work: Path
):
    """Render one portrait into `path`; return its truth: landmarks and box in pixels, and the pose."""
    scene.clear()
    points = Figure(assets, anatomy, looks, pose, seed).add()
    centre = points["center"] + np.array([0, 0, 0.018])
    width, distance, shift = 0.308 * rng.uniform(0.93, 1.09), rng.uniform(1.0, 2.2), rng.normal(0, 0.006, 2)
    target = centre + np.array([shift[0], 0, shift[1]])
    position = target + np.array([0, -distance, rng.uniform(-0.06, 0.1)])
    camera = scene.Camera(position, target, width, (RENDERED, RENDERED))
    set_lights(rng, centre)
    light = scene.render(work / "rendered.exr")
    box, inner = _box(camera, points["face"])
    wall = background(rng, RENDERED, RENDERED)
    path.parent.mkdir(parents=True, exist_ok=True)
    develop(light, rng, wall, [inner], (SIZE, SIZE)).save(path, quality=90, optimize=True)
    marks, place = _truth(camera, points, box, SIZE / RENDERED)
    return marks | place | {name: pose[name] for name in TOLD}


def take_group_photo(
    assets: Assets, anatomy: Anatomy, people: list[Looks], number: int, seed: int, folder: Path, work: Path
) -> dict:
    """Render a group picture, people in one row or two; return its truth: name, box, landmarks of each face."""
    rng, count = rng_for(seed, "group", number), len(people)
    across = (np.arange(count) - (count - 1) / 2) * 0.56 * (1 if count < 5 else 0.8)
    found = []
    for place, looks in enumerate(people):
        pose, row = random_pose(rng, looks), place % 2 if count > 3 else 0
        pose |= {"yaw": pose["yaw"] * 0.7, "pitch": pose["pitch"] * 0.7}
        x, y = across[place] + rng.uniform(-0.03, 0.03), row * 0.42 + rng.uniform(-0.05, 0.05)
        eye = to_metres(looks.body[anatomy.left_eye].mean(0))
        z = 1.55 + rng.uniform(-0.06, 0.06) + row * 0.10 - eye[2]
        stand = np.array([x, y, z])
        figure = Figure(assets, anatomy, looks, pose, seed, lambda points, stand=stand: points + stand)
        found.append((looks.person.name, figure.add()))
    centre = np.mean([points["center"] for _, points in found], 0) + np.array([0, 0, -0.06])
    width = max((across.max() - across.min()) + 0.75, 1.5)
    camera = scene.Camera(centre + np.array([0, -3.6, 0.05]), centre, width, GROUP)
    set_lights(rng, centre, 2.2)
    light = scene.render(work / "group.exr")
    faces, inner = [], []
    for name, points in found:
        box, part = _box(camera, points["face"])
        marks, place = _truth(camera, points, box, 1)
        inner.append(part)
        faces.append({"name": name} | place | marks)
    file = f"group_{number + 1:02d}.jpg"
    folder.mkdir(parents=True, exist_ok=True)
    develop(light, rng, background(rng, *GROUP), inner, GROUP).save(folder / file, quality=88, optimize=True)
    return {"file": file, "width": GROUP[0], "height": GROUP[1], "faces": faces}
