"""Portraits: a pose drawn by chance, the condition of the photo, the light, and the truth about all of it."""

from pathlib import Path

import numpy as np
import scene
from camera import develop, inner_part, truth_of
from conditions import settings
from figure import Figure
from looks import Looks
from people import kinship
from places import PLACES, backdrop, light_place

RENDERED, SIZE = 244, 250  # pixels along each side, before and after development
SUITS = {
    1: [*(f"male_casualsuit0{i}" for i in range(1, 7)), "male_elegantsuit01"],
    0: ["female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01"],
}
# fmt: off
CLOTH = {
    "navy": (.13, .17, .28), "charcoal": (.20, .20, .22), "olive": (.34, .35, .24), "burgundy": (.40, .14, .18),
    "cream": (.74, .70, .62), "denim": (.30, .41, .55), "sand": (.66, .57, .45), "forest": (.17, .29, .23),
    "slate": (.42, .46, .52), "rust": (.58, .31, .20), "white": (.76, .76, .76), "teal": (.20, .40, .43),
    "mustard": (.68, .50, .18), "rose": (.66, .42, .44),
}
MOODS = {
    "neutral": .28, "smile": .28, "bigsmile": .16, "laugh": .10, "talk": .08, "open": .04, "surprise": .03, "press": .03,
}
# fmt: on


def draw_pose(rng: np.random.Generator, looks: Looks, number: int | None = None) -> dict:
    """Draw how somebody looks in one photo; photo 0 of a series is frontal and neutral, the others spread over the angles.

    Angles are in degrees: yaw, pitch and roll of the head, `turned` of the body. `ease` is how relaxed the face is,
    `below` how far the body reaches down below the eyes in decimetres, `tint` how much of the cloth has its colour,
    `finer` how often the meshes are subdivided.
    """
    person = looks.person
    yaw = float(np.clip(rng.normal(0, 17), -35, 35))
    if number is not None:
        spread = np.linspace(-33, 33, 13)[(number * 5) % 13] + rng.uniform(-4, 4)
        yaw = float(rng.uniform(-6, 6)) if number == 0 else float(np.clip(spread, -35, 35))
    chances = np.array(list(MOODS.values()))
    expression = "neutral" if number == 0 else str(rng.choice(list(MOODS), p=chances / chances.sum()))
    colour = np.array(CLOTH[str(rng.choice(list(CLOTH)))]) * rng.uniform(0.85, 1.2) + rng.normal(0, 0.015, 3)
    glasses = person.extras.get("glasses")
    return {
        "yaw": yaw,
        "pitch": float(np.clip(rng.normal(0, 6.5), -15, 15)),
        "roll": float(np.clip(rng.normal(0, 5), -14, 14)),
        "turned": yaw * float(rng.uniform(0.2, 0.8)),
        "posture": str(rng.choice(["hanging", "behind", "folded", "akimbo"])),
        "below": 5.5,
        "finer": 0,
        "expr": expression,
        "expr_w": float(rng.uniform(0.8, 1.15)),
        "ease": float(rng.uniform(0.6, 1.2)),
        "blink": float(rng.choice([0, 0, 0.06])),
        "suit": str(
            rng.choice([suit for suit in SUITS[person.male] if person.age >= 18 or "elegant" not in suit])
        ),
        "suit_rgb": np.clip(colour, 0.03, 0.8),
        "tint": float(rng.uniform(0.6, 0.95)),
        "oily": float(rng.uniform(0, 0.7)),
        "style": person.styles[0] if rng.random() < 0.72 else person.styles[-1],
        "glasses": glasses if glasses and rng.random() < 0.7 else None,
    }


def take_portrait(
    assets, anatomy, looks: Looks, rng, seed: int, path: Path, work: Path, condition="plain", number=None
) -> dict:
    """Render one portrait into `path`; return its truth: landmarks and box in pixels, the pose, and what makes it hard.

    Photo `number` 0 of a person is frontal, the others spread over the angles.
    """
    scene.clear()
    place, set_pose, camera = settings(rng, condition)
    place = place or str(rng.choice(PLACES))
    seen = camera.pop("seen", None)  # metres across, for a face far away
    distance, level = float(rng.uniform(1.1, 2.2)), float(rng.uniform(-0.06, 0.1))
    if seen:
        distance, set_pose = distance + 2, set_pose | {"below": 14.0}
    pose = draw_pose(rng, looks, number)
    if "yaw" in set_pose:
        pose["turned"] = 0.6 * set_pose["yaw"]
    rough = np.array([0, 0, looks.body[anatomy.left_eye].mean(0)[1] * 0.1])
    away = rng.normal(0, 1, 3) * [1, 0, 1] * (0.04 if rng.random() < 0.75 else 0.35)
    pose |= {"look": rough + np.array([0, -distance, level]) + away} | set_pose
    points = Figure(assets, anatomy, looks, pose, seed).add()
    width = 0.308 * float(rng.uniform(0.93, 1.09))
    shift = rng.normal(0, 0.006, 2)
    target = points["center"] + np.array([shift[0], 0, 0.018 + shift[1]])
    if seen:
        target, width = target + [rng.uniform(-0.2, 0.2) * seen, 0, -rng.uniform(0.12, 0.3) * seen], seen
    lens = scene.Camera(target + np.array([0, -distance, level]), target, width, (RENDERED, RENDERED))
    light_place(place, points["center"], 1.0, float(rng.uniform(0.7, 1.2)))
    light = scene.render(work / "portrait.exr")
    inner = inner_part(lens, points["face"])
    wall = cut_backdrop(rng, (seed, looks.person.name), place, 12 if seen else 22)
    path.parent.mkdir(parents=True, exist_ok=True)
    develop(light, rng, wall, [inner], (SIZE, SIZE), **camera).save(path, quality=88, optimize=True)
    truth = truth_of(lens, points, SIZE / RENDERED)
    pixels = round(truth["box"][2] - truth["box"][0], 1)
    return truth | _told(looks, pose, place) | {"condition": condition, "pixels": pixels}


def cut_backdrop(rng: np.random.Generator, key: tuple, place: str, radius: float) -> np.ndarray:
    """Return a square out of a larger picture of a place, as far as it is seen behind one person, or its mirror image."""
    wall = backdrop(key, place, (RENDERED * 2, RENDERED * 2), 0.62, radius)[:, :: int(rng.choice([-1, 1]))]
    x, y = rng.integers(0, RENDERED, 2)
    return wall[y * 3 // 5 : y * 3 // 5 + RENDERED, x : x + RENDERED]


def _told(looks: Looks, pose: dict, place: str) -> dict:
    """Return what photos.json says of the person, the pose and the light of a photo."""
    person, side = looks.person, abs(pose["yaw"])
    worn = {"sunglasses": pose["glasses"] == "sun", "mask": pose.get("mask"), "hat": pose.get("hat")}
    return {
        **{name: round(pose[name], 1) for name in ("yaw", "pitch", "roll")},
        **{name: pose[name] for name in ("expr", "style", "glasses")},
        "pose": "frontal" if side < 15 else ("half" if side < 45 else "profile"),
        "light": place,
        "occlusion": [name for name, is_worn in worn.items() if is_worn],
        "age": person.age,
        "kinship": kinship(person),
    }
