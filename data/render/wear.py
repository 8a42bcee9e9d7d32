"""What is put on a head: face masks, hats and glasses."""

import numpy as np
import scene
from noises import smooth
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

# Upper edge of a face mask above the base of the nose, lower edge above the chin, by distance from the middle.
MASK_TOP = ((0, 0.15, 0.35, 0.7), (0.38, 0.33, 0.22, 0.16))
MASK_BOTTOM = ((0, 0.25, 0.5, 0.7), (-0.10, -0.04, 0.12, 0.30))
FRAMES = {"round": (0.235, 0.225), "square": (0.27, 0.185), "sun": (0.285, 0.225)}  # half width and height


# ---- masks ---------------------------------------------------------------------------------------------


def add_mask(figure, colour) -> None:
    """Add a face mask from the bridge of the nose to below the chin, and its straps."""
    anatomy, faces = figure.anatomy, figure.head_faces
    x, y, z = anatomy.rest[faces].mean(1).T
    top = anatomy.nose_base_y + np.interp(abs(x), *MASK_TOP)
    bottom = anatomy.chin_y + np.interp(abs(x), *MASK_BOTTOM)
    inside = (y < top) & (y > bottom) & (z > anatomy.eye[2] - 0.80) & (abs(x) < 0.64)
    under = (abs(x) < 0.32) & (abs(y - anatomy.chin_y + 0.02) < 0.12) & (z > anatomy.eye[2] - 0.45)
    inside |= under
    cloth = scene.woven_material("mask", colour, 0)
    shell = _tent(figure.body, np.unique(faces[inside]), 0.03)
    edge = np.intersect1d(faces[inside], faces[~inside])
    x, y, _ = anatomy.rest[edge].T
    up = anatomy.nose_base_y + np.interp(abs(x), *MASK_TOP) - y
    down = anatomy.chin_y + np.interp(abs(x), *MASK_BOTTOM) - y
    nearest = np.where(abs(up) < abs(down), up, down)
    shell[edge, 1] += np.where(
        abs(nearest) < 0.12, nearest, 0
    )  # the edge is a line, not a row of whole faces
    scene.add_mesh("mask", figure.fixed(shell), faces[inside], None, cloth, 1)
    _add_straps(figure, shell, np.unique(faces[inside]), cloth)


def _tent(body: np.ndarray, used: np.ndarray, gap: float) -> np.ndarray:
    """Return the body with vertices `used` brought forward, as cloth hangs over nose, lips and chin."""
    points = body.copy()
    near = cKDTree(points[used, :2]).query_ball_point(points[used, :2], 0.28)
    counts = np.array([len(found) for found in near])
    starts, near = np.cumsum(counts) - counts, np.concatenate(near).astype(int)
    for _ in range(3):
        depth = points[used, 2]
        highest = np.maximum.reduceat(depth[near], starts)
        mean = np.add.reduceat((highest + depth)[near], starts) / counts / 2
        points[used, 2] = np.maximum(depth, mean)
    points[used, 2] += gap
    outward = points[used] * [1, 0, 0]
    points[used] += outward / (np.linalg.norm(outward, axis=1, keepdims=True) + 0.2) * gap * 1.3
    return points


def _add_straps(figure, shell: np.ndarray, cloth_points: np.ndarray, cloth) -> None:
    anatomy, body = figure.anatomy, figure.body
    for side in (1, -1):
        outer = cloth_points[np.argsort(-side * body[cloth_points, 0])[:12]]
        widest = abs(body[anatomy.face, 0]).max() + 0.02
        ear = np.array([side * widest, body[anatomy.left_eye].mean(0)[1] - 0.15, anatomy.eye[2] - 1.08])
        for end in (outer[body[outer, 1].argmax()], outer[body[outer, 1].argmin()]):
            line = np.array([shell[end], shell[end] * 0.5 + ear * 0.5 + [side * 0.04, 0, 0], ear])
            scene.add_tube("strap", figure.fixed(line), 0.0011, cloth, False)


# ---- hats ----------------------------------------------------------------------------------------------


def add_hat(figure, kind: str, colour) -> None:
    """Add a woollen hat ("wool"), or a cap with a peak ("cap")."""
    anatomy, faces, cap = figure.anatomy, figure.head_faces, kind == "cap"
    middles = anatomy.rest[faces].mean(1)
    inside = (anatomy.above_hat(middles) > 0) & (middles[:, 1] > anatomy.eye[1] - 0.2)
    cloth = scene.woven_material("hat", colour, 0 if cap else 1)
    shell = _shell(figure.body, faces[inside], 0.15, 4)
    crown = smooth(0.2, 1.2, anatomy.above_hat(anatomy.rest))[:, None]
    shell += crown * ([0, 0.10, 0] if cap else [0, 0.30, -0.10])
    scene.add_mesh("hat", figure.fixed(shell), faces[inside], None, cloth, 1)
    rim = np.unique(faces[inside])
    low = shell[rim[abs(anatomy.above_hat(anatomy.rest[rim])) < 0.14]]
    steps, ring, centre = _ring(low)
    if cap:
        _add_peak(figure, steps, ring, centre, cloth)
    else:
        for up, thick in ((0.10, 0.011), (-0.02, 0.010)):
            scene.add_tube("cuff", figure.fixed(ring * [1.01, 1, 1.01] + [0, up, 0]), thick, cloth, True)


def _ring(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return angles, a smooth ring through points around a head, and its centre."""
    centre = points.mean(0)
    angles = np.arctan2(points[:, 0] - centre[0], points[:, 2] - centre[2])
    order = np.argsort(angles)
    steps = np.linspace(-np.pi, np.pi, 61)[:-1]
    around = [np.interp(steps, angles[order], points[order, i], period=2 * np.pi) for i in range(3)]
    return steps, gaussian_filter1d(np.stack(around, -1), 2, axis=0, mode="wrap"), centre


def _add_peak(figure, steps: np.ndarray, ring: np.ndarray, centre: np.ndarray, cloth) -> None:
    bend = np.linspace(-0.95, 0.95, 25)[:, None]
    wide, deep = abs(ring[:, 0]).max() * 0.98, ring[:, 2].max() - centre[2]
    y = ring[abs(steps) < 0.5, 1].mean() + 0.05
    front = np.hstack([wide * np.sin(bend), 0 * bend + y, centre[2] + deep * np.cos(bend)])
    rows, out = [front - [0, 0, 0.10]], np.sqrt(np.clip(np.cos(bend * 1.6), 0, 1))
    for far in (0.35, 0.7, 1.0):
        rows.append(front + np.hstack([0 * bend, -0.20 * far * out - 0.06 * bend**2, 0.70 * far * out]))
    n = len(front)
    quads = [
        [r * n + c, r * n + c + 1, (r + 1) * n + c + 1, (r + 1) * n + c]
        for r in range(3)
        for c in range(n - 1)
    ]
    scene.add_mesh("peak", figure.fixed(np.concatenate(rows)), quads, None, cloth, 1)


def _shell(body: np.ndarray, faces: np.ndarray, gap: float, rounds: int) -> np.ndarray:
    """Return a skin over some faces of the body: `gap` decimetres off it, hollows filled by `rounds` of smoothing."""
    used, normal = np.unique(faces), np.zeros_like(body)
    across = np.cross(body[faces[:, 2]] - body[faces[:, 0]], body[faces[:, 3]] - body[faces[:, 1]])
    for corner in range(4):
        np.add.at(normal, faces[:, corner], across)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    first = np.concatenate([faces[:, i] for i in range(4)] * 2)
    second = np.concatenate([faces[:, (i + 1) % 4] for i in range(4)] + [faces[:, i - 1] for i in range(4)])
    points = body.copy()
    for _ in range(rounds):
        total, count = np.zeros_like(body), np.zeros(len(body))
        np.add.at(total, first, points[second])
        np.add.at(count, first, 1)
        mean = points.copy()
        mean[used] = total[used] / count[used, None]
        above = ((mean - body) * normal).sum(1, keepdims=True)
        points = np.where(above < 0, mean - above * normal, mean)  # never below the skin
    return points + normal * gap


# ---- glasses -------------------------------------------------------------------------------------------


def add_glasses(figure, kind: str) -> None:
    """Add glasses: "round", "square" or, dark, "sun"."""
    anatomy, body, half = figure.anatomy, figure.body, FRAMES[kind]
    depth = max(body[lid, 2].max() for lid in (anatomy.left_lid, anatomy.right_lid)) + 0.17
    frame = scene.plain_material("frame", figure.looks.person.extras.get("frame", (0.06, 0.05, 0.05)), 0.3)
    lens, middles = scene.lens_material(0.06 if kind == "sun" else 0.95), []
    for lid, side in ((anatomy.left_lid, 1), (anatomy.right_lid, -1)):
        eye = body[lid].mean(0)
        middle = np.array([eye[0] + side * (0.06 if kind == "sun" else 0.02), eye[1], depth])
        _add_glass(figure, middle, side, half, kind == "round", frame, lens)
        hinge = middle + np.array([side * half[0], 0.06, -0.10])
        widest = abs(body[anatomy.face, 0]).max() + 0.03
        ear = np.array([side * widest, eye[1] - 0.02, depth - 1.35])
        temple = np.array([hinge, hinge + [side * 0.05, 0, -0.08], hinge * 0.25 + ear * 0.75, ear])
        scene.add_tube("temple", figure.fixed(temple), 0.0014, frame, False)
        middles.append(middle)
    start, end = middles[0] + np.array([-half[0], 0.05, 0]), middles[1] + np.array([half[0], 0.05, 0])
    bridge = np.array([start, (start + end) / 2 + [0, 0.03, 0.03], end])
    scene.add_tube("bridge", figure.fixed(bridge), 0.0015, frame, False)


def _add_glass(figure, middle: np.ndarray, side: int, half, is_round: bool, frame, lens) -> None:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    corner, (wide, high) = (1.0 if is_round else 0.55), half
    x = np.sign(np.cos(angle)) * abs(np.cos(angle)) ** corner * wide
    y = np.sign(np.sin(angle)) * abs(np.sin(angle)) ** corner * high - 0.03
    z = -0.10 * (np.abs(x + side * wide) / (2 * wide)) ** 2
    rim = figure.fixed(middle + np.stack([x, y, z], -1))
    scene.add_tube("rim", rim, 0.0014 if is_round else 0.0019, frame, True)
    fan = [[0, i + 1, (i + 1) % 40 + 1] for i in range(40)]
    scene.add_mesh("lens", np.vstack([rim.mean(0), rim]), fan, None, lens)
