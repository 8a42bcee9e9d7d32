"""One person in the scene: posed, dressed, with hair and what is worn; and where the landmarks come to lie."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import expressions
import numpy as np
import scene
import wear
from anatomy import Anatomy
from assets import TURNS, Assets
from hair import add_beard, add_hair
from looks import Looks
from noises import rng_for, smooth
from PIL import Image
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.spatial.transform import Rotation

# Where the wrists are from the own shoulder, in decimetres (out, up, ahead), and where the elbow points; left, right.
POSTURES = {
    "hanging": (((0.75, -4.95, 0.55), (0.4, 0, -1)),) * 2,
    "behind": (((-0.9, -4.2, -1.1), (1, 0, -0.4)),) * 2,
    "folded": (((-2.3, -2.2, 2.0), (0.7, -1, 0.1)), ((-2.0, -2.75, 1.75), (0.7, -1, 0.1))),
    "reaching": (((0.75, -4.95, 0.55), (0.8, 0.5, -0.5)),) * 2,
    "akimbo": (((0.75, -4.95, 0.55), (0.4, 0, -1)), ((0.0, -3.5, 0.35), (1, 0, -0.5))),
}
# Where a print is on the texture of a shirt: left, top, right, bottom, as shares of its size.
PRINTS = {
    "female_casualsuit01": (0.70, 0.14, 0.88, 0.32),
    "female_casualsuit02": (0.70, 0.14, 0.88, 0.32),
    "female_sportsuit01": (0.70, 0.14, 0.88, 0.32),
    "male_casualsuit02": (0.48, 0.09, 0.64, 0.25),
    "male_casualsuit04": (0.48, 0.09, 0.64, 0.25),
    "male_casualsuit06": (0.18, 0.10, 0.31, 0.18),
}
SKULL = np.array(
    [1.0 if name in ("neck", "head") else 0.0 for name in TURNS]
)  # turns with neck and head, no arm


def to_metres(points: np.ndarray) -> np.ndarray:
    """Turn decimetres with y up into Blender's metres with z up."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1) * 0.1


def _turn(points: np.ndarray, pivot: np.ndarray, rotation: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Turn each point about `pivot` by its share of a rotation vector."""
    return pivot + Rotation.from_rotvec(np.outer(shares, rotation)).apply(points - pivot)


def _between(start: np.ndarray, end: np.ndarray) -> Rotation:
    """Return the shortest turn that brings one direction to another."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis)
    return Rotation.from_rotvec(axis / max(sine, 1e-9) * np.arctan2(sine, start @ end))


@cache
def _rgba(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA"), float) / 255


class Figure:
    """A person in one pose (see portraits.draw_pose), added to the scene part by part, standing where `move` puts it."""

    def __init__(
        self,
        assets: Assets,
        anatomy: Anatomy,
        looks: Looks,
        pose: dict,
        seed: int,
        move: Callable = lambda p: p,
    ):
        self.assets, self.anatomy, self.looks, self.pose, self.move = assets, anatomy, looks, pose, move
        self.rng = rng_for(seed, "strands", looks.person.name)
        self.body = looks.body.copy()
        expressions.show(assets, anatomy, self.body, pose)
        self.neck, self.head = self._joint("neck"), self._joint("head")
        yaw, pitch, roll = (np.radians(pose[angle]) for angle in ("yaw", "pitch", "roll"))
        turned = np.radians(pose["turned"])
        turn = Rotation.from_euler("yxz", [yaw - turned, pitch, roll])
        self.head_turn, self.body_turn = turn.as_rotvec(), np.array([0, turned, 0.0])
        self.skull = Rotation.from_rotvec(self.body_turn) * turn
        self.arms = [self._arm(side) for side in ("l", "r")]
        self.posed = self.posed_points(self.body, assets.turns)
        faces = assets.faces[np.array(assets.groups["body"])]
        self.head_faces = faces[anatomy.rest[faces].mean(1)[:, 1] > anatomy.chin_y - 0.6]

    # ---- posing ----------------------------------------------------------------------------------------

    def _joint(self, name: str) -> np.ndarray:
        return self.looks.body[self.assets.vertices_of(f"joint-{name}")].mean(0)

    def _arm(self, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return shoulder, its turn, elbow, its turn: the wrist comes to where the posture or pose["hands"] wants it."""
        mirror = np.array([1 if side == "l" else -1, 1, 1])
        shoulder, elbow, hand = (self._joint(f"{side}-{name}") for name in ("shoulder", "elbow", "hand"))
        target, hint = (np.array(part) * mirror for part in POSTURES[self.pose["posture"]][side == "r"])
        if side in self.pose.get("hands", {}):
            target = self._from_scene(self.pose["hands"][side]) - shoulder
        upper_long, lower_long = np.linalg.norm(elbow - shoulder), np.linalg.norm(hand - elbow)
        far = min(np.linalg.norm(target), 0.995 * (upper_long + lower_long))
        ahead = target / np.linalg.norm(target)
        along = (upper_long**2 - lower_long**2 + far**2) / (2 * far)
        hint = hint - ahead * (hint @ ahead)
        bent = along * ahead + hint / np.linalg.norm(hint) * np.sqrt(max(0.0, upper_long**2 - along**2))
        upper = _between(elbow - shoulder, bent)
        lower = _between(upper.apply(hand - elbow), far * ahead - bent)
        return shoulder, upper.as_rotvec(), elbow, (upper.inv() * lower * upper).as_rotvec()

    def _from_scene(self, point: np.ndarray) -> np.ndarray:
        """Return where a point in metres is before the body turns, in decimetres."""
        x, y, z = (np.asarray(point) - self.move(np.zeros((1, 3)))[0]) * 10
        return self.neck + Rotation.from_rotvec(-self.body_turn).apply(np.array([x, z, -y]) - self.neck)

    def posed_points(self, points: np.ndarray, turns: np.ndarray) -> np.ndarray:
        """Pose points that turn with the joints of assets.TURNS by `turns` (n, joints), hands first."""
        for column, (shoulder, upper, elbow, lower) in zip((2, 4), self.arms, strict=True):
            moving = turns[:, column : column + 2].max(1) > 1e-3
            part = _turn(points[moving], elbow, lower, turns[moving, column + 1])
            points = points.copy()
            points[moving] = _turn(part, shoulder, upper, turns[moving, column])
        points = _turn(points, self.head, self.head_turn * 0.5, turns[:, 1])
        points = _turn(points, self.neck, self.head_turn * 0.5, turns[:, 0])
        return _turn(points, self.neck, self.body_turn, np.ones(len(points)))

    def in_scene(self, points: np.ndarray) -> np.ndarray:
        """Bring posed points into the scene."""
        return self.move(to_metres(points))

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """Pose points that sit on the skull, and bring them into the scene."""
        return self.in_scene(self.posed_points(points, np.repeat(SKULL[None], len(points), 0)))

    def on_skull(self, points: np.ndarray) -> np.ndarray:
        """Return where points of the scene are on the skull before it turns, in decimetres; undoes `fixed`."""
        origin, *axes = self.fixed(np.vstack([np.zeros(3), np.eye(3)]))
        return (points - origin) @ np.linalg.inv(np.array(axes) - origin)

    def shoulder(self, side: str) -> np.ndarray:
        """Return a point on top of a shoulder, between its joint and the neck, in metres."""
        outer, inner = (self.assets.vertices_of(f"joint-{name}") for name in (f"{side}-shoulder", "neck"))
        return self.in_scene(0.65 * self.posed[outer].mean(0) + 0.35 * self.posed[inner].mean(0)) + [
            0,
            0,
            0.03,
        ]

    # ---- parts -----------------------------------------------------------------------------------------

    def add(self) -> dict[str, np.ndarray]:
        """Add everything; return the landmarks (3,), the face's points and its centre, in metres."""
        pose = self.pose
        self._add_clothes()
        self._add_body()
        self._add_teeth()
        eyes = self._add_eyes()
        self._add_brows_and_lashes()
        add_hair(self)
        add_beard(self)
        if pose["glasses"]:
            wear.add_glasses(self, pose["glasses"])
        if pose.get("mask"):
            wear.add_mask(self, pose["mask"])
        if pose.get("hat"):
            wear.add_hat(self, *pose["hat"])
        points, anatomy = self.in_scene(self.posed), self.anatomy
        mouth = points[anatomy.lip_vertices].mean(0)
        return {
            "left_eye": eyes[0],
            "right_eye": eyes[1],
            "nose": points[anatomy.nose],
            "mouth_left": points[anatomy.mouth_left],
            "mouth_right": points[anatomy.mouth_right],
            "face": points[anatomy.face],
            "center": (eyes[0] + eyes[1] + 2 * mouth) / 4,
        }

    def _picture(self, kind: str, pixels: np.ndarray, kept: bool = False):
        """Hand Blender a picture of this person alone; a `kept` one is not handed over again for the next photo."""
        name = f"{kind}_{self.looks.person.name}_{self.looks.person.age}"
        return (kept and scene.bpy.data.images.get(name)) or scene.picture(name, pixels)

    def _add_clothes(self) -> None:
        pose, suit = self.pose, self.assets.proxy("clothes", self.pose["suit"])
        points, turns = self.assets.fit(self.body, suit, pose["suit"])
        cloth = _without_print(_rgba(suit.texture).copy(), pose["suit"])
        light, share = cloth[..., :3].mean(-1, keepdims=True), pose["tint"]
        colour = np.array(pose["suit_rgb"]) * (0.25 + 1.1 * light / max(light.mean(), 0.15))
        cloth[..., :3] = np.clip(cloth[..., :3] * (1 - share) + share * colour, 0, 1)
        seen = points[suit.faces].mean(1)[:, 1] > self.anatomy.eye[1] - pose["below"]
        material = scene.cut_out_material("suit", self._picture("suit", cloth), 0.8, 0.2)
        posed = self.in_scene(self.posed_points(points, turns))
        scene.add_mesh("suit", posed, suit.faces[seen], suit.uv[seen], material, pose["finer"])

    def _add_body(self) -> None:
        assets, hides = self.assets, self.assets.proxy("clothes", self.pose["suit"]).hides
        group = np.array(assets.groups["body"])
        faces, corners = assets.faces[group], assets.face_uvs[group]
        seen = self.looks.body[faces].mean(1)[:, 1] > self.anatomy.eye[1] - self.pose["below"]
        seen &= ~hides[faces].all(1)
        skin = scene.skin_material(self._picture("skin", self.looks.skin, kept=True), self.pose["oily"])
        scene.add_mesh(
            "body",
            self.in_scene(self.posed),
            faces[seen],
            assets.uvs[corners[seen]],
            skin,
            self.pose["finer"],
        )

    def _add_teeth(self) -> None:
        teeth = self.assets.proxy("teeth", "Teeth_Base")
        points = self.in_scene(self.posed_points(*self.assets.fit(self.body, teeth, "")))
        image = self._picture("teeth", np.clip(_rgba(teeth.texture) * 0.92, 0, 1), kept=True)
        material = scene.cut_out_material("teeth", image, 0.25, 0.5)
        scene.add_mesh("teeth", points, teeth.faces, teeth.uv, material)

    def _add_eyes(self) -> list[np.ndarray]:
        """Add both eyeballs, spheres with a bulging cornea; return where their pupils are."""
        sphere, faces = _sphere(40, 28)
        material = scene.eye_material(self._picture("eye", self.looks.eye, kept=True))
        bulge = 1 + 0.035 * smooth(0.82, 0.97, sphere[:, 2])
        globe = sphere * bulge[:, None]
        uv, back = np.stack([sphere[:, 0] * 0.5 + 0.5, sphere[:, 1] * 0.5 + 0.5], -1), sphere[:, 2] < 0
        rim = np.maximum(1e-6, np.linalg.norm(sphere[:, :2], axis=1, keepdims=True))
        uv[back] = (sphere[:, :2] / rim)[back] * 0.495 + 0.5
        pupils = []
        for lid in (self.anatomy.left_lid, self.anatomy.right_lid):
            middle = self.body[lid].mean(0)
            radius = np.linalg.norm(self.body[lid] - middle, axis=1).max()
            gaze = self._gaze(middle).apply(globe)
            scene.add_mesh("eyeball", self.fixed(middle + gaze * radius), faces, uv[faces], material)
            pupils.append(self.fixed((middle + np.array([0, 0, radius * 0.95]))[None])[0])
        return pupils

    def _gaze(self, eye: np.ndarray) -> Rotation:
        """Return how an eye turns towards pose["look"], a point in metres, as far as eyes can."""
        x, y, z = (np.array(self.pose["look"]) - self.move(np.zeros((1, 3)))[0]) * 10
        seen_from = self.posed_points(eye[None], SKULL[None])[0]
        ahead = self.skull.inv().apply(np.array([x, z, -y]) - seen_from)
        across = np.degrees(np.arctan2(ahead[0], ahead[2]))
        up = np.degrees(np.arctan2(ahead[1], np.hypot(ahead[0], ahead[2])))
        across, up = np.clip(across, -30, 30), np.clip(up, -18, 18)
        return Rotation.from_euler("xy", np.radians([-up, across]))

    def _add_brows_and_lashes(self) -> None:
        male = self.looks.person.male
        parts = (
            ("eyebrows", self.looks.person.brow, self.looks.brows, "", 1.25),
            (
                "eyelashes",
                "Eyelashes01" if male else "eyelashes02",
                (0.05, 0.04, 0.04),
                "short04",
                0.7 if male else 1.0,
            ),
        )
        for kind, name, colour, lengths, opacity in parts:
            proxy = self.assets.proxy(kind, name)
            texture = _rgba(proxy.texture).copy()
            texture[..., :3] = colour
            points = self.in_scene(self.posed_points(*self.assets.fit(self.body, proxy, lengths)))
            material = scene.cut_out_material(
                kind, self._picture(kind, texture, kept=True), 0.7, 0.15, opacity
            )
            scene.add_mesh(kind, points, proxy.faces, proxy.uv, material)


def _without_print(cloth: np.ndarray, suit: str) -> np.ndarray:
    """Paint over the print on the chest of some shirts with the cloth around it, in place; return the texture."""
    if suit in PRINTS:
        size = len(cloth)
        x0, y0, x1, y1 = (int(round(part * size)) for part in PRINTS[suit])
        piece = cloth[y0:y1, x0:x1, :3]
        usual = np.median(piece.reshape(-1, 3), 0)
        odd = binary_dilation(abs(piece - usual).max(-1) > 0.08, iterations=max(2, size // 256))
        reach = (y1 - y0) * 0.12
        plain = gaussian_filter((~odd).astype(float), reach)[..., None] + 1e-3
        around = gaussian_filter(piece * ~odd[..., None], (reach, reach, 0)) / plain
        around = np.where(plain > 0.05, around, usual)
        soft = gaussian_filter(odd.astype(float), 0.8)[..., None]
        piece[:] = piece * (1 - soft) + around * soft
    return cloth


def _sphere(around: int, along: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 3) and faces (m, 4) of a unit sphere with its poles on the z axis."""
    theta, phi = np.linspace(0, np.pi, along), np.linspace(0, 2 * np.pi, around, endpoint=False)
    ring, height = np.sin(theta)[:, None], np.repeat(np.cos(theta)[:, None], around, 1)
    points = np.stack([ring * np.cos(phi), ring * np.sin(phi), height], -1)
    i, j = (part.ravel() for part in np.mgrid[0 : along - 1, 0:around])
    here, beside = i * around + j, i * around + (j + 1) % around
    return points.reshape(-1, 3), np.stack([here, here + around, beside + around, beside], -1)
