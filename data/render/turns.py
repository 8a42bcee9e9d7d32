"""A head that turns: the frames of a short video, from one shoulder to the other, with the truth about each."""

from pathlib import Path

import numpy as np
import scene
from camera import develop, inner_part, truth_of
from figure import Figure
from looks import Looks
from noises import rng_for
from people import BY_NAME, Person
from places import light_place
from portraits import cut_backdrop, draw_pose

TURNING: Person = BY_NAME["Pelle_Brandvik"]  # has two brothers among the people
FRAMES, WIDEST, SIZE = 60, 60, 160  # of the video; degrees to either side; pixels along each side of a frame


def take_turn(assets, anatomy, looks: Looks, seed: int, folder: Path, work: Path, samples: int) -> dict:
    """Render the frames into `folder`; return file name and truth of each: landmarks, box, yaw, pitch, roll."""
    scene.reset(samples, SIZE, SIZE, 1)
    folder.mkdir(parents=True, exist_ok=True)
    rng = rng_for(seed, "turn", looks.person.name)
    pose = draw_pose(rng, looks, 0) | {"pitch": 0.0, "roll": 0.0, "turned": 0.0}
    wall = cut_backdrop(rng, (seed, looks.person.name), "library", 22)[:SIZE, :SIZE]
    found, target = {}, None
    for number, phase in enumerate(np.linspace(-np.pi / 2, np.pi / 2, FRAMES)):
        yaw, path = float(WIDEST * np.sin(phase)), folder / f"frame_{number:02d}.jpg"
        scene.clear()
        ahead = np.array([np.sin(np.radians(yaw)), -np.cos(np.radians(yaw)), 0])
        eyes = looks.body[anatomy.left_eye].mean(0)[1] * 0.1
        points = Figure(
            assets, anatomy, looks, pose | {"yaw": yaw, "look": np.array([0, 0, eyes]) + ahead}, seed
        ).add()
        if target is None:  # the camera stands still, before the neck that the head turns about
            target = np.array([0, 0, points["center"][2] + 0.018])
        lens = scene.Camera(target + np.array([0, -1.5, 0.02]), target, 0.36, (SIZE, SIZE))
        light_place("library", target, 1.0, 1.0)
        light = scene.render(work / "portrait.exr")
        inner = inner_part(lens, points["face"])
        still = rng_for(
            seed, "exposure", looks.person.name
        )  # the camera does not change its mind between frames
        develop(light, still, wall, [inner], (SIZE, SIZE)).save(path, quality=86, optimize=True)
        angles = {"yaw": round(yaw, 1), "pitch": 0.0, "roll": 0.0}
        found[path.name] = truth_of(lens, points, 1.0) | angles
    return {"person": looks.person.name, "frames_per_second": 15, "frames": found}
