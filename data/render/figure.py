"""One person in the scene: posed, dressed, with hair and glasses; and where the landmarks come to lie."""

from collections.abc import Callable

import numpy as np
import scene
from anatomy import Anatomy
from assets import Assets
from looks import Looks, tint
from noises import rng_for, smooth
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

EXPRESSIONS = {
    "neutral": {},
    "smile": {
        "mouthSmileLeft": 0.62,
        "mouthSmileRight": 0.62,
        "cheekSquintLeft": 0.35,
        "cheekSquintRight": 0.35,
    },
    "bigsmile": {
        "mouthSmileLeft": 0.85,
        "mouthSmileRight": 0.85,
        "jawOpen": 0.10,
        "mouthUpperUpLeft": 0.35,
        "mouthUpperUpRight": 0.35,
        "cheekSquintLeft": 0.6,
        "cheekSquintRight": 0.6,
        "eyeSquintLeft": 0.3,
        "eyeSquintRight": 0.3,
    },
    "open": {"jawOpen": 0.32},
    "talk": {"jawOpen": 0.15, "mouthFunnel": 0.3},
    "surprise": {
        "browInnerUp": 0.7,
        "browOuterUpLeft": 0.6,
        "browOuterUpRight": 0.6,
        "eyeWideLeft": 0.5,
        "eyeWideRight": 0.5,
        "jawOpen": 0.2,
    },
    "frown": {
        "browDownLeft": 0.7,
        "browDownRight": 0.7,
        "mouthFrownLeft": 0.5,
        "mouthFrownRight": 0.5,
        "eyeSquintLeft": 0.3,
        "eyeSquintRight": 0.3,
    },
    "smirk": {"mouthSmileLeft": 0.6, "mouthDimpleLeft": 0.4, "browOuterUpRight": 0.3},
    "pucker": {"mouthPucker": 0.45},
    "press": {"mouthPressLeft": 0.5, "mouthPressRight": 0.5, "mouthShrugUpper": 0.2},
}
BEARDS = {"full": (10000, 0.011), "goatee": (5000, 0.008), "moustache": (3000, 0.009)}  # hairs, metres


def to_metres(points: np.ndarray) -> np.ndarray:
    """Turn decimetres with y up into Blender's metres with z up."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1) * 0.1


def _turn(points: np.ndarray, pivot: np.ndarray, rotation: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Turn each point about `pivot` by its share of a rotation vector."""
    return pivot + Rotation.from_rotvec(np.outer(shares, rotation)).apply(points - pivot)


def _rgba(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA"), float) / 255


class Figure:
    """A person in one pose, added to the scene part by part.

    Parameters
    ----------
    assets, anatomy
    looks : Looks
    pose : dict
        See photos.random_pose.
    seed : int
    move : callable
        Where the person stands: points in metres -> points in metres.
    """

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
        self.name, self.extras = looks.person.name, looks.person.extras
        self.rng = rng_for(seed, "strands", self.name)
        self.body = looks.body.copy()
        for shape, weight in EXPRESSIONS[pose["expr"]].items():
            assets.morph(self.body, f"faceunits/{shape}", weight * pose["expr_w"])
        for side in ("Left", "Right"):
            assets.morph(self.body, f"faceunits/eyeBlink{side}", pose["blink"])
        self.neck, self.head = (
            looks.body[assets.vertices_of(joint)].mean(0) for joint in ("joint-neck", "joint-head")
        )
        yaw, pitch, roll = (np.radians(pose[angle]) for angle in ("yaw", "pitch", "roll"))
        turn = Rotation.from_euler("yxz", [yaw * (1 - pose["body"]), pitch, roll])
        self.head_turn, self.body_turn = turn.as_rotvec(), np.array([0, yaw * pose["body"], 0.0])
        self.posed = self._posed(self.body, assets.neck_share, assets.head_share)

    def _posed(self, points: np.ndarray, neck_share: np.ndarray, head_share: np.ndarray) -> np.ndarray:
        points = _turn(points, self.head, self.head_turn * 0.5, head_share)
        points = _turn(points, self.neck, self.head_turn * 0.5, neck_share)
        return _turn(points, self.neck, self.body_turn, np.ones(len(points)))

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        """Pose points that sit on the skull, and bring them into the scene."""
        whole = np.ones(len(points))
        return self._in_scene(self._posed(points, whole, whole))

    def _in_scene(self, points: np.ndarray) -> np.ndarray:
        return self.move(to_metres(points))

    def add(self) -> dict[str, np.ndarray]:
        """Add everything; return the landmarks (3,), the face's points and its centre, in metres."""
        self._add_clothes_and_body()
        self._add_teeth()
        eyes = self._add_eyes()
        self._add_brows_and_lashes()
        self._add_hair()
        self._add_beard()
        if self.pose["glasses"]:
            self._add_glasses()
        points, anatomy = self._in_scene(self.posed), self.anatomy
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

    def _add_clothes_and_body(self) -> None:
        assets, pose, eye_y = self.assets, self.pose, self.anatomy.eye[1]
        suit = assets.proxy("clothes", pose["suit"])
        points, neck, head = assets.fit(self.body, suit, pose["suit"])
        cloth = _rgba(suit.texture)
        light, tint_share = cloth[..., :3].mean(-1, keepdims=True), pose["tint"]
        colour = np.array(pose["suit_rgb"]) * (0.25 + 1.1 * light / max(light.mean(), 0.15))
        cloth[..., :3] = np.clip(cloth[..., :3] * (1 - tint_share) + tint_share * colour, 0, 1)
        seen = points[suit.faces].mean(1)[:, 1] > eye_y - 5.0
        material = scene.cut_out_material("suit", scene.picture(f"suit_{self.name}", cloth), 0.8, 0.2)
        posed = self._in_scene(self._posed(points, neck, head))
        scene.add_mesh("suit", posed, suit.faces[seen], suit.uv[seen], material)

        group = np.array(assets.groups["body"])
        faces, corners = assets.faces[group], assets.face_uvs[group]
        seen = (self.looks.body[faces].mean(1)[:, 1] > eye_y - 4.2) & ~suit.hides[faces].all(1)
        skin = scene.skin_material(self._kept_picture("skin", self.looks.skin), pose["oily"])
        scene.add_mesh("body", self._in_scene(self.posed), faces[seen], assets.uvs[corners[seen]], skin)

    def _kept_picture(self, kind: str, pixels: np.ndarray):
        known = scene.bpy.data.images.get(kind + self.name)
        return known or scene.picture(kind + self.name, pixels)

    def _add_teeth(self) -> None:
        teeth = self.assets.proxy("teeth", "Teeth_Base")
        points = self._in_scene(self._posed(*self.assets.fit(self.body, teeth, "")))
        image = scene.picture("teeth", np.clip(_rgba(teeth.texture) * 0.92, 0, 1))
        scene.add_mesh(
            "teeth", points, teeth.faces, teeth.uv, scene.cut_out_material("teeth", image, 0.25, 0.5)
        )

    def _add_eyes(self) -> list[np.ndarray]:
        """Add both eyeballs, spheres with a bulging cornea; return where their pupils are."""
        sphere, faces = _sphere(40, 28)
        material = scene.eye_material(self._kept_picture("eye", self.looks.eye))
        bulge = 1 + 0.035 * smooth(0.82, 0.97, sphere[:, 2])
        gaze = Rotation.from_euler("yx", np.radians(self.pose["gaze"])).apply(sphere * bulge[:, None])
        uv, back = np.stack([sphere[:, 0] * 0.5 + 0.5, sphere[:, 1] * 0.5 + 0.5], -1), sphere[:, 2] < 0
        rim = np.maximum(1e-6, np.linalg.norm(sphere[:, :2], axis=1, keepdims=True))
        uv[back] = (sphere[:, :2] / rim)[back] * 0.495 + 0.5
        pupils = []
        for lid in (self.anatomy.left_lid, self.anatomy.right_lid):
            middle = self.body[lid].mean(0)
            radius = np.linalg.norm(self.body[lid] - middle, axis=1).max()
            scene.add_mesh("eyeball", self._fixed(middle + gaze * radius), faces, uv[faces], material)
            pupils.append(self._fixed((middle + np.array([0, 0, radius * 0.95]))[None])[0])
        return pupils

    def _add_brows_and_lashes(self) -> None:
        male = self.looks.person.male
        lashes = "Eyelashes01" if male else "eyelashes02"
        parts = (
            ("eyebrows", self.looks.person.brow, self.looks.brows, "", 1.25),
            ("eyelashes", lashes, (0.05, 0.04, 0.04), "short04", 0.7 if male else 1.0),
        )
        for kind, name, colour, lengths, opacity in parts:
            proxy = self.assets.proxy(kind, name)
            texture = _rgba(proxy.texture)
            texture[..., :3] = colour
            points = self._in_scene(self._posed(*self.assets.fit(self.body, proxy, lengths)))
            image = scene.picture(kind + self.name, texture)
            material = scene.cut_out_material(kind, image, 0.7, 0.15, opacity)
            scene.add_mesh(kind, points, proxy.faces, proxy.uv, material)

    # ---- hair and beard --------------------------------------------------------------------------------

    def _add_hair(self) -> None:
        style, anatomy = self.pose["style"], self.anatomy
        self.strand = scene.plain_material("strand", self.looks.hair, 0.5, 0.3)
        if style == "buzz":
            self._scatter("buzz", anatomy.scalp, 12000, 0.009, (0, 0.1, 0.1), 0.00025)
        elif style == "bald":

            def fringe(points: np.ndarray) -> np.ndarray:
                low = smooth(0.75, 0.45, points[..., 1] - anatomy.eye[1])
                return anatomy.scalp(points) * low * (points[..., 2] < anatomy.eye[2] - 0.75)

            self._scatter("fringe", fringe, 6000, 0.014, (0, -0.7, -0.5), 0.00022)
        else:
            self._add_hair_mesh(style)

    def _add_hair_mesh(self, style: str) -> None:
        proxy = self.assets.proxy("hair", {"braid01": "Braid01"}.get(style, style))
        points, neck, head = self.assets.fit(self.body, proxy, style)
        if style not in self.looks.hair_textures:
            self.looks.hair_textures[style] = tint(proxy.texture, self.looks.hair)
        eye = self.body[self.anatomy.left_eye].mean(0)
        x, y, z = points[proxy.faces].mean(1).T
        brow_line = eye[1] + 0.23 - 0.10 * (abs(x) / 0.6) ** 2
        # A fringe is cut at the brows, so that both eyes stay visible.
        cut = (abs(x) < 0.62) & (y > eye[1] - 0.95) & (y < brow_line) & (z > eye[2] - 0.42)
        image = scene.picture(f"hair_{self.name}_{style}", self.looks.hair_textures[style])
        material = scene.cut_out_material("hair", image, 0.48, 0.35)
        posed = self._in_scene(self._posed(points, neck, head))
        scene.add_mesh("hair", posed, proxy.faces[~cut], proxy.uv[~cut], material)

    def _add_beard(self) -> None:
        style = self.extras.get("beard")
        if not style:
            return
        lips = cKDTree(self.anatomy.rest[self.anatomy.lip_vertices])

        def grows(points: np.ndarray) -> np.ndarray:
            return self.anatomy.beard(points, style) * smooth(0.03, 0.07, lips.query(points)[0])

        hairs, length = BEARDS[style]
        self._scatter("beard", grows, hairs, length, (0, -0.75, 0.1), 0.00023)

    def _scatter(self, name: str, grows: Callable, hairs: int, length: float, comb, radius: float) -> None:
        """Plant hairs where `grows` says so, combed in one direction, `length` metres on average."""
        rng, posed = self.rng, self.posed
        triangles, corners = self._roots(grows, hairs)
        at = (posed[triangles] * corners[..., None]).sum(1)
        first, second, third = (posed[triangles[:, i]] for i in range(3))
        normal = np.cross(second - first, third - first)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        direction = normal * 0.8 + np.array(comb) + rng.normal(0, 0.22, at.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        lengths = length * rng.uniform(0.6, 1.2, len(at))
        bend = np.array(comb) * 0.6 - normal * 0.45 + rng.normal(0, 0.12, at.shape)
        middle = self._in_scene(at)
        scene.add_strands(
            name,
            self._in_scene(at - normal * 0.01),
            (self._in_scene(at + direction) - middle) / 0.1,
            lengths,
            (self._in_scene(at + bend) - middle) / 0.1,
            radius,
            self.strand,
        )

    def _roots(self, grows: Callable, hairs: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw triangles of the head (k, 3) and places in them (k, 3), by area and growth."""
        rng, rest, posed = self.rng, self.anatomy.rest, self.posed
        faces = self.assets.faces[np.array(self.assets.groups["body"])]
        faces = faces[rest[faces].mean(1)[:, 1] > self.anatomy.chin_y - 0.6]
        triangles = np.concatenate([faces[:, :3], faces[:, [0, 2, 3]]])
        first, second, third = (posed[triangles[:, i]] for i in range(3))
        area = np.linalg.norm(np.cross(second - first, third - first), axis=1) * 0.5
        chance = area * grows(rest[triangles].mean(1))
        chance /= chance.sum()
        drawn = triangles[rng.choice(len(triangles), hairs, p=chance)]
        corners = rng.dirichlet([1, 1, 1], hairs)
        kept = rng.random(hairs) < grows((rest[drawn] * corners[..., None]).sum(1))
        return drawn[kept], corners[kept]

    # ---- glasses ---------------------------------------------------------------------------------------

    def _add_glasses(self) -> None:
        left, right = self.anatomy.left_lid, self.anatomy.right_lid
        depth = max(self.body[left, 2].max(), self.body[right, 2].max()) + 0.17
        frame = scene.plain_material("frame", self.extras.get("frame", (0.06, 0.05, 0.05)), 0.3)
        is_round = self.pose["glasses"] == "round"
        half = (0.235, 0.225) if is_round else (0.27, 0.185)
        lens, middles = scene.lens_material(), []
        for lid, side in ((left, 1), (right, -1)):
            eye = self.body[lid].mean(0)
            middle = np.array([eye[0] + side * 0.02, eye[1], depth])
            self._add_glass(middle, side, half, is_round, frame, lens)
            hinge = middle + np.array([side * half[0], 0.06, -0.10])
            widest = abs(self.body[self.anatomy.face, 0]).max() + 0.03
            ear = np.array([side * widest, eye[1] - 0.02, depth - 1.35])
            temple = np.array([hinge, hinge + [side * 0.05, 0, -0.08], hinge * 0.25 + ear * 0.75, ear])
            scene.add_tube("temple", self._fixed(temple), 0.0014, frame, False)
            middles.append(middle)
        start, end = middles[0] + np.array([-half[0], 0.05, 0]), middles[1] + np.array([half[0], 0.05, 0])
        bridge = np.array([start, (start + end) / 2 + [0, 0.03, 0.03], end])
        scene.add_tube("bridge", self._fixed(bridge), 0.0015, frame, False)

    def _add_glass(self, middle: np.ndarray, side: int, half, is_round: bool, frame, lens) -> None:
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        corner, (wide, high) = (1.0 if is_round else 0.55), half
        x = np.sign(np.cos(angle)) * abs(np.cos(angle)) ** corner * wide
        y = np.sign(np.sin(angle)) * abs(np.sin(angle)) ** corner * high - 0.03
        z = -0.10 * (np.abs(x + side * wide) / (2 * wide)) ** 2
        rim = self._fixed(middle + np.stack([x, y, z], -1))
        scene.add_tube("rim", rim, 0.0014 if is_round else 0.0019, frame, True)
        fan = [[0, i + 1, (i + 1) % 40 + 1] for i in range(40)]
        scene.add_mesh("lens", np.vstack([rim.mean(0), rim]), fan, None, lens)


def _sphere(around: int, along: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 3) and faces (m, 4) of a unit sphere with its poles on the z axis."""
    theta, phi = np.linspace(0, np.pi, along), np.linspace(0, 2 * np.pi, around, endpoint=False)
    ring = np.sin(theta)[:, None]
    points = np.stack(
        [ring * np.cos(phi), ring * np.sin(phi), np.repeat(np.cos(theta)[:, None], around, 1)], -1
    )
    faces = [
        [
            i * around + j,
            (i + 1) * around + j,
            (i + 1) * around + (j + 1) % around,
            i * around + (j + 1) % around,
        ]
        for i in range(along - 1)
        for j in range(around)
    ]
    return points.reshape(-1, 3), np.array(faces)
