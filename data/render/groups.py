"""Group pictures: people in one or two rows, standing or around a table, cut by the picture's edge, a place behind them."""

from pathlib import Path

import numpy as np
import scene
from camera import develop, inner_part, truth_of
from figure import Figure, to_metres
from looks import Looks
from noises import rng_for
from others import OTHERS
from places import backdrop, light_place
from portraits import CLOTH, draw_pose

SIZE = (1200, 800)
EYES = 1.55  # metres, of the front row
TABLE = 0.53  # metres, from the eyes of those who sit at it down to it
GAIN = {"library": 0.55, "shore": 0.8}  # how much brighter a backdrop is behind a group


def _in(suit: str, colour: str, **settings) -> dict:
    """Return what somebody wears in a group, and what else is set of the pose."""
    return {"suit": suit, "suit_rgb": np.array(CLOTH[colour])} | settings


# Each picture: place, how many are in each row (front row first), whether the front row sits at a table, and who, by
# name or, for strangers who are in no gallery, by number. `hand_on` puts a hand on the shoulder of an earlier one.
GROUPS = (
    (
        "street", (2, 3), False,
        {
            "Chioma_Lindqvar": _in("female_casualsuit01", "olive", style="curls", expr="bigsmile", posture="folded"),
            "Bruno_Takala": _in("male_casualsuit05", "denim", expr="smile"),
            "Ada_Ferro": _in("female_elegantsuit01", "charcoal", style="bob02", expr="smile"),
            "Hideo_Brandao": _in("male_casualsuit01", "rust", glasses="square", expr="bigsmile"),
            OTHERS + 1: _in("male_elegantsuit01", "slate", tint=0.4, expr="smile"),
        },
    ),
    (
        "park", (3, 3), False,
        {
            "Ines_Valkamo": _in("female_casualsuit01", "forest", style="long01", expr="bigsmile"),
            "Farid_Okonska": _in("male_casualsuit03", "sand", expr="bigsmile", posture="folded"),
            "Greta_Holmavik": _in("female_casualsuit02", "burgundy", style="bob02", glasses="round", expr="smile"),
            "Jarek_Umbeta": _in("male_casualsuit01", "denim", expr="smile", hand_on=(0, "l")),
            "Kalinda_Frostad": _in("female_elegantsuit01", "teal", style="long01", expr="laugh"),
            OTHERS + 5: _in("male_casualsuit05", "navy", expr="smile", hand_on=(2, "l")),
        },
    ),
    (
        "library", (4, 2), True,
        {
            "Eun_Saramova": _in("female_casualsuit01", "mustard", style="long01", expr="bigsmile"),
            "Leopold_Anwar": _in("male_elegantsuit01", "navy", tint=0.3, expr="smile"),
            "Odile_Solenne": _in("female_casualsuit01", "cream", style="ponytail01", expr="laugh"),
            "Dario_Monteluz": _in("male_casualsuit01", "slate", glasses="square", expr="smile"),
            "Teo_Estanque": _in("male_casualsuit03", "olive", expr="bigsmile", posture="behind"),
            OTHERS + 4: _in("female_elegantsuit01", "rose", expr="smile", posture="behind"),
        },
    ),
    (
        "terrace", (3, 2), False,
        {
            "Kalinda_Frostad": _in("female_casualsuit01", "rust", style="braid01", expr="laugh"),
            "Ramiro_Estanque": _in("male_casualsuit01", "cream", expr="bigsmile", posture="akimbo"),
            "Eun_Saramova": _in("female_elegantsuit01", "burgundy", style="bob02", expr="bigsmile"),
            OTHERS + 2: _in("female_casualsuit01", "teal", expr="smile"),
            "Bruno_Takala": _in("male_casualsuit05", "navy", expr="laugh"),
        },
    ),
    (
        "room", (3, 3), False,
        {
            "Mira_Solenne": _in("female_casualsuit01", "teal", style="long01", expr="bigsmile"),
            "Odile_Solenne": _in("female_casualsuit02", "mustard", style="curls", expr="smile"),
            "Nora_Solenne": _in("female_elegantsuit01", "navy", style="bob02", expr="bigsmile"),
            "Otto_Brandvik": _in("male_casualsuit01", "denim", expr="smile"),
            "Samir_Brandvik": _in("male_casualsuit03", "sand", expr="bigsmile"),
            "Pelle_Brandvik": _in("male_casualsuit05", "forest", expr="smile"),
        },
    ),
    (
        "shore", (3, 2), False,
        {
            "Ada_Ferro": _in("female_casualsuit01", "slate", style="ponytail01", expr="laugh", glasses="sun"),
            "Leopold_Anwar": _in("male_casualsuit05", "cream", expr="smile", hat=("wool", (0.20, 0.20, 0.22))),
            "Chioma_Lindqvar": _in("female_casualsuit01", "rose", style="braid01", mask=(0.62, 0.70, 0.78)),
            "Farid_Okonska": _in("male_casualsuit01", "navy", expr="bigsmile", hat=("cap", (0.45, 0.14, 0.16))),
            OTHERS + 3: _in("male_casualsuit03", "olive", expr="bigsmile", glasses="sun"),
        },
    ),
)  # fmt: skip


def stands(rows: tuple[int, ...], seated: bool) -> list[np.ndarray]:
    """Return (across, behind, up) per person, front row first, in metres; heads behind show between those in front."""
    aside = 0.13 if not seated and (rows[0] - rows[1]) % 2 == 0 else 0.0
    apart, rise = ((0.50, 1.0), 0.34) if seated else ((0.465, 0.465), 0.21)
    return [
        np.array(
            [
                (place - (count - 1) / 2) * apart[row] + aside * (2 * row - 1),
                row * 0.42 + 0.07 * (place % 2) * (not seated),
                row * rise,
            ]
        )
        for row, count in enumerate(rows)
        for place in range(count)
    ]


def take_group_photo(
    assets, anatomy, people: list[Looks], number: int, seed: int, folder: Path, work: Path
) -> dict:
    """Render a group picture; return its truth: name, box, landmarks of each face."""
    place, rows, seated, members = GROUPS[number]
    rng, places = rng_for(seed, "group", number), stands(rows, seated)
    across = [spot[0] for spot in places]
    width = max(across) - min(across) + 0.60
    high, top = width * SIZE[1] / SIZE[0], EYES + max(spot[2] for spot in places)
    centre = np.array([(max(across) + min(across)) / 2, 0.2, top + 0.24 - high / 2])
    eye_of_camera = centre + np.array([rng.uniform(-0.15, 0.15), -3.4, 0.12])
    figures: list[Figure] = []
    for looks, spot, settings in zip(people, places, members.values(), strict=True):
        eye = to_metres(looks.body[anatomy.left_eye].mean(0))
        tall = 0.0 if seated else np.clip((eye[2] - 0.62) * 0.5, -0.05, 0.05)
        stand = spot + [rng.uniform(-0.02, 0.02), rng.uniform(-0.03, 0.03), EYES + tall - eye[2]]
        pose = _pose(rng, looks, stand, eye_of_camera) | settings
        if seated and spot[1] == 0:
            pose["hands"] = _on_table(rng, spot)
        if "hand_on" in pose:
            index, side = pose["hand_on"]
            pose["hands"] = {"r" if side == "l" else "l": figures[index].shoulder(side) + [0, 0.06, 0.08]}
            pose["posture"] = "reaching"
        figures.append(Figure(assets, anatomy, looks, pose, seed, lambda points, stand=stand: points + stand))
    found = [(figure.looks.person.name, figure.add()) for figure in figures]
    if seated:
        _add_table(rng, width)
    camera = scene.Camera(eye_of_camera, centre, width, SIZE)
    light_place(place, np.array([0, 0.1, EYES]), 2.2)
    light = scene.render(work / "group.exr")
    horizon = float(camera.project(np.array([[0, 40.0, eye_of_camera[2] - 1.5]]))[0, 1] / SIZE[1])
    wall = backdrop((seed, number), place, SIZE, float(np.clip(horizon, 0.5, 0.62)), 20, GAIN.get(place, 1.0))
    inner = [inner_part(camera, points["face"]) for _, points in found]
    photo = develop(light, rng, wall, inner, SIZE, (0.24, 0.28), (0.3, 0.4), (0.6, 1.2))
    file = f"group_{number + 1:02d}.jpg"
    folder.mkdir(parents=True, exist_ok=True)
    photo.save(folder / file, quality=88, optimize=True)
    faces = [{"name": name} | truth_of(camera, points, 1) for name, points in found]
    return {"file": file, "width": SIZE[0], "height": SIZE[1], "faces": faces}


def _pose(rng: np.random.Generator, looks: Looks, stand: np.ndarray, camera: np.ndarray) -> dict:
    side = np.sign(stand[0] + 1e-3)
    return draw_pose(rng, looks) | {
        "yaw": -side * rng.uniform(0, 11) + rng.normal(0, 3),
        "pitch": rng.uniform(-3, 4),
        "roll": rng.normal(0, 3.5),
        "turned": -side * rng.uniform(4, 20),
        "posture": "hanging",
        "expr_w": rng.uniform(0.9, 1.15),
        "tint": rng.uniform(0.75, 0.95),
        "look": camera - rng.normal(0, 0.03, 3),
        "below": 14.0,
        "finer": 1,
        "glasses": None,
    }


# ---- the table -----------------------------------------------------------------------------------------


def _on_table(rng: np.random.Generator, spot: np.ndarray) -> dict[str, np.ndarray]:
    """Return where the wrists of somebody lie who sits at the table: apart, or one hand near the other."""
    apart, ahead = rng.uniform(0.07, 0.15), spot[1] - rng.uniform(0.30, 0.36)
    height = EYES - TABLE + 0.035
    left = np.array([spot[0] + apart, ahead, height])
    return {"l": left, "r": left - [2 * apart, rng.uniform(-0.03, 0.05), 0]}


def _add_table(rng: np.random.Generator, width: float) -> None:
    """Add a table before the front row, with cups on it."""
    half, near, far, top = width * 0.75, -0.16, -1.15, EYES - TABLE
    corners = [
        (x, y, z)
        for z in (top, top - 0.04)
        for x, y in ((-half, near), (half, near), (half, far), (-half, far))
    ]
    sides = [[0, 3, 2, 1], *([i, (i + 1) % 4, (i + 1) % 4 + 4, i + 4] for i in range(4))]
    wood = scene.wood_material("wood", (0.50, 0.33, 0.20))
    scene.add_mesh("table", np.array(corners), sides, None, wood, flat=True)
    for x in (-0.52, -0.02, 0.5):
        colour = CLOTH[str(rng.choice(["cream", "teal", "rust", "navy", "mustard"]))]
        _add_cup(np.array([x + rng.uniform(-0.04, 0.04), rng.uniform(-0.52, -0.40), top]), colour)


def _add_cup(foot: np.ndarray, colour) -> None:
    profile = np.array(
        [(0, 0), (0.028, 0), (0.036, 0.02), (0.040, 0.085), (0.037, 0.085), (0.033, 0.02), (0, 0.012)]
    )
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.array([[r * np.cos(a), r * np.sin(a), z] for r, z in profile for a in angles]) + foot
    i, j = (part.ravel() for part in np.mgrid[0 : len(profile) - 1, 0:24])
    faces = np.stack([i * 24 + j, i * 24 + (j + 1) % 24, (i + 1) * 24 + (j + 1) % 24, (i + 1) * 24 + j], -1)
    clay = scene.plain_material("clay", colour, 0.25)
    scene.add_mesh("cup", points, faces, None, clay)
    handle = np.linspace(-1.3, 1.3, 12)
    ring = np.stack([0.036 + 0.024 * np.cos(handle), 0 * handle, 0.046 + 0.026 * np.sin(handle)], -1)
    scene.add_tube("handle", foot + ring, 0.004, clay, False)
