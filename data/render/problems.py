"""Planted problems: photos that a collection should not have, made from the photos of the people or rendered anew."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scene
from camera import develop, inner_part
from figure import Figure, to_metres
from looks import Looks
from noises import rng_for
from people import BY_NAME, Person
from PIL import Image, ImageFilter
from places import light_place
from portraits import RENDERED, SIZE, cut_backdrop, draw_pose, take_portrait

# Which problem is planted in whose folder; the name of the second person is who is on the photo in truth or too.
PROBLEMS = (
    ("copy", "Bruno_Takala", None),
    ("resized copy", "Chioma_Lindqvar", None),
    ("crop", "Eun_Saramova", None),
    ("wrong label", "Dario_Monteluz", "Hideo_Brandao"),
    ("two faces", "Farid_Okonska", "Greta_Holmavik"),
    ("none", "Jarek_Umbeta", None),
    ("truncated", "Kalinda_Frostad", None),
    ("EXIF-turned", "Leopold_Anwar", None),
    ("blurred", "Ines_Valkamo", None),
)
ORIGINAL = 4  # number of the photo that copies are made of


def plant(
    assets, anatomy, looks_of: Callable[[Person], Looks], number: int, seed: int, out: Path, work: Path
) -> dict:
    """Make the file of a problem; return what problems.json says of it: problem, person, whom it shows, its original."""
    problem, name, second = PROBLEMS[number]
    original = f"people/{name}/{name}_{ORIGINAL:04d}.jpg"
    file = f"problems/{name}/{name}_{problem.replace(' ', '_')}.jpg"
    path, rng = out / file, rng_for(seed, "problem", problem)
    path.parent.mkdir(parents=True, exist_ok=True)
    shows = [name] if second is None else ([second] if problem == "wrong label" else [name, second])
    if problem in ("copy", "resized copy", "crop", "truncated"):
        _copy(problem, out / original, path)
    elif problem == "none":
        shows, original = [], None
        wall = cut_backdrop(rng, (seed, problem), "street", 5)
        nobody = np.zeros((RENDERED, RENDERED, 4), np.float32)
        develop(nobody, rng, wall, [], (SIZE, SIZE)).save(path, quality=88)
    else:
        original = None
        people = [looks_of(BY_NAME[person]) for person in shows]
        scene.reset(8, RENDERED, RENDERED, 1)
        if problem == "two faces":
            _take_two(assets, anatomy, people, rng, seed, path, work)
        else:
            take_portrait(assets, anatomy, people[0], rng, seed, path, work)
            _spoil(problem, path)
    return {"file": file, "problem": problem, "person": name, "shows": shows, "original": original}


def _copy(problem: str, original: Path, path: Path) -> None:
    photo = Image.open(original).convert("RGB")
    if problem == "copy":
        shutil.copyfile(original, path)
    elif problem == "resized copy":
        photo.resize((180, 180), Image.LANCZOS).save(path, quality=80)
    elif problem == "crop":
        photo.crop((18, 12, 228, 222)).save(path, quality=88)
    else:
        content = original.read_bytes()
        path.write_bytes(content[: len(content) * 6 // 10])


def _spoil(problem: str, path: Path) -> None:
    photo = Image.open(path).convert("RGB")
    if problem == "EXIF-turned":  # as a telephone does: the pixels lie on their side, a number says so
        exif = Image.Exif()
        exif[0x0112] = 6
        photo.transpose(Image.ROTATE_90).save(path, quality=88, exif=exif)
    elif problem == "blurred":
        photo.filter(ImageFilter.GaussianBlur(6)).save(path, quality=88)


def _take_two(
    assets, anatomy, people: list[Looks], rng: np.random.Generator, seed: int, path: Path, work: Path
) -> None:
    """Take two people side by side, equally large."""
    scene.clear()
    found = []
    for side, looks in zip((-1, 1), people, strict=True):
        eye = to_metres(looks.body[anatomy.left_eye].mean(0))
        stand = np.array([side * 0.16, 0.05 * side, -eye[2]])
        pose = draw_pose(rng, looks) | {
            "yaw": -side * 8.0,
            "turned": -side * 15.0,
            "posture": "hanging",
            "below": 8.0,
        }
        pose |= {"look": np.array([0, -1.8, 0]), "expr": "bigsmile"}
        figure = Figure(assets, anatomy, looks, pose, seed, lambda points, stand=stand: points + stand)
        found.append(figure.add())
    camera = scene.Camera(np.array([0, -1.8, 0.02]), np.array([0, 0, -0.06]), 0.62, (RENDERED, RENDERED))
    light_place("park", np.zeros(3), 1.2)
    light = scene.render(work / "portrait.exr")
    wall = cut_backdrop(rng, (seed, "two"), "park", 20)
    inner = [inner_part(camera, points["face"]) for points in found]
    develop(light, rng, wall, inner, (SIZE, SIZE)).save(path, quality=88)
