"""Hair and beards: meshes under strands that follow the brush strokes of their textures, and hairs planted in skin."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import scene
from assets import Proxy
from looks import tint
from noises import smooth
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

BEARDS = {"full": (6500, 0.011), "goatee": (3500, 0.008), "moustache": (2200, 0.009)}  # hairs, metres
# Strands over the mesh of a style: how many, how long, how far the wildest stand off, in metres.
STRANDS = {
    "short01": (6500, 0.022, 0.010),
    "short02": (6500, 0.022, 0.009),
    "short03": (6500, 0.035, 0.009),
    "short04": (6500, 0.040, 0.006),
    "long01": (8000, 0.085, 0.009),
    "bob02": (7500, 0.055, 0.009),
    "ponytail01": (7000, 0.050, 0.007),
    "braid01": (6000, 0.030, 0.007),
}
STEPS = 6  # points of a strand
FIELD = 9000  # places where the flow of a mesh is known


def add_hair(figure) -> None:
    """Add a figure's hair in the style of its pose."""
    style, anatomy = figure.pose["style"], figure.anatomy
    material = scene.strand_material(figure.looks.hair)
    if style == "buzz":
        _plant(figure, anatomy.scalp, 8000, 0.009, (0, 0.1, 0.1), 0.00032, material)
    elif style == "curls":
        _plant(figure, anatomy.scalp, 9000, 0.026, (0, 0.02, 0), 0.00038, material, wild=0.5, coil=0.0026)
    elif style == "bald":

        def fringe(points: np.ndarray) -> np.ndarray:
            low = smooth(0.75, 0.45, points[..., 1] - anatomy.eye[1])
            return anatomy.scalp(points) * low * (points[..., 2] < anatomy.eye[2] - 0.75)

        _plant(figure, fringe, 6000, 0.014, (0, -0.7, -0.5), 0.00022, material)
    else:
        _add_mesh(figure, style, material)


def add_beard(figure) -> None:
    """Add a figure's beard, if the person has one."""
    style = figure.looks.person.extras.get("beard")
    if style:
        lips = cKDTree(figure.anatomy.rest[figure.anatomy.lip_vertices])

        def grows(points: np.ndarray) -> np.ndarray:
            return figure.anatomy.beard(points, style) * smooth(0.03, 0.07, lips.query(points)[0])

        hairs, length = BEARDS[style]
        material = scene.strand_material(figure.looks.hair)
        _plant(figure, grows, hairs, length, (0, -0.75, 0.1), 0.0003, material)


# ---- hair on a mesh ------------------------------------------------------------------------------------


def _add_mesh(figure, style: str, material) -> None:
    looks = figure.looks
    proxy = figure.assets.proxy("hair", {"braid01": "Braid01"}.get(style, style))
    points, turns = figure.assets.fit(figure.body, proxy, style)
    if style not in looks.hair_textures:
        looks.hair_textures[style] = tint(proxy.texture, looks.hair * 0.85)
    eye = figure.body[figure.anatomy.left_eye].mean(0)
    cut = _before_face(points[proxy.faces].mean(1), eye)
    if figure.pose.get("hat"):
        cut |= figure.anatomy.above_hat(points[proxy.faces].mean(1) - eye + figure.anatomy.eye) > 0.06
        inwards = [0.06, 0, 0.06] * smooth(-0.5, 0.2, points[:, 1:2] - eye[1])
        points = points - (points - [0, eye[1], eye[2] - 0.9]) * inwards
    image = scene.picture(f"hair_{looks.person.name}_{style}", looks.hair_textures[style])
    posed = figure.in_scene(figure.posed_points(points, turns))
    base = scene.cut_out_material("hair", image, 0.7, 0.15)
    scene.add_mesh("hair", posed, proxy.faces[~cut], proxy.uv[~cut], base)
    low = points[:, 1] < eye[1] - (1.1 if style in ("braid01", "ponytail01") else 9)
    kept = ~cut & ~low[proxy.faces].any(1)  # plaits and tails have a flow of their own
    flow = _flow(figure.rng, proxy, posed, kept, figure.fixed(eye[None] * [0, 1, 1] + [0, 0.3, -0.9])[0])
    line = _traced(figure.rng, flow, *STRANDS[style])
    ends = np.cumsum(_before_face(figure.on_skull(line.reshape(-1, 3)), eye).reshape(line.shape[:2]), 1) > 0
    for number in range(1, STEPS):
        line[:, number] = np.where(ends[:, number, None], line[:, number - 1], line[:, number])
    scene.add_strands("strands", line[~ends[:, 0]], 0.0003, material)


def _before_face(points: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Tell which points are before the face: a fringe is cut at the brows, so that both eyes stay visible."""
    x, y, z = points.T
    brow_line = eye[1] + 0.23 - 0.10 * (x / 0.6) ** 2
    return (abs(x) < 0.62) & (y > eye[1] - 0.95) & (y < brow_line) & (z > eye[2] - 0.42)


def _flow(
    rng: np.random.Generator, proxy: Proxy, posed: np.ndarray, kept: np.ndarray, centre: np.ndarray
) -> tuple:
    """Return places on the outside of a hair mesh, (n, 3) each: points, normals, and the direction of the hairs there.

    The hairs run along the brush strokes of the texture, turned from the texture's plane into space.
    """
    faces, uv = proxy.faces[kept], proxy.uv[kept]
    corners, flat = posed[faces], uv
    edge, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(edge, other)
    area = np.linalg.norm(normal, axis=1) + 1e-12
    outward = corners.mean(1) - centre
    outward[:, 2] = np.maximum(outward[:, 2], 0)  # below the skull, outward is away from the neck
    normal = normal / area[:, None]
    normal *= np.sign((normal * outward).sum(1, keepdims=True) + 1e-9)
    outside = (normal * outward).sum(1) > 0.25 * np.linalg.norm(outward, axis=1)
    chance = area * outside
    drawn = rng.choice(len(faces), FIELD, p=chance / chance.sum())
    shares = rng.dirichlet([1, 1, 1, 1], FIELD)[..., None]
    stroke, opaque = _strokes(proxy.texture, (flat[drawn] * shares).sum(1))
    first, second = flat[drawn, 1] - flat[drawn, 0], flat[drawn, 2] - flat[drawn, 0]
    inverse = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    inverse = np.where(abs(inverse) < 1e-9, 1e-9, inverse)
    along = (stroke[:, 0] * second[:, 1] - stroke[:, 1] * second[:, 0]) / inverse
    across = (stroke[:, 1] * first[:, 0] - stroke[:, 0] * first[:, 1]) / inverse
    direction = along[:, None] * edge[drawn] + across[:, None] * other[drawn]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-12
    direction *= np.sign(direction @ [0, 0.5, -1.0] + 1e-9)[:, None]
    points = (corners[drawn] * shares).sum(1)
    return points[opaque], normal[drawn][opaque], direction[opaque]


@cache
def _brushed(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the angle of a texture's brush strokes and its opacity, (512, 512) each."""
    texture = np.asarray(Image.open(path).convert("RGBA").resize((512, 512)), float)
    down, right = np.gradient(gaussian_filter(texture[..., :3].mean(-1), 1))
    xx, yy, xy = (gaussian_filter(part, 7) for part in (right * right, down * down, right * down))
    return 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2, texture[..., 3]


def _strokes(path: Path, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the direction of a texture's brush strokes at uv (n, 2), and where the texture is opaque."""
    angle, opacity = _brushed(path)
    column, row = (np.clip((part % 1) * 512, 0, 511).astype(int) for part in (uv[:, 0], 1 - uv[:, 1]))
    angle = angle[row, column]
    return np.stack([np.cos(angle), -np.sin(angle)], -1), opacity[row, column] > 128


def _traced(rng: np.random.Generator, flow: tuple, count: int, length: float, off: float) -> np.ndarray:
    """Let strands run along a flow, close over the mesh, some of them standing off: (count, STEPS, 3)."""
    points, normals, directions = flow
    tree, start = cKDTree(points), rng.integers(0, len(points), count)
    at, heading = points[start] + rng.normal(0, 0.0015, (count, 3)), directions[start]
    step = length * rng.uniform(0.5, 1.2, (count, 1)) / (STEPS - 1)
    height = np.abs(rng.normal(0, 0.0013, count))
    lift = np.where(rng.random(count) < 0.05, rng.uniform(0, off, count), 0.0)
    stray = rng.normal(0, 0.06, (count, 3)) * (1 + (lift > 0))[:, None]
    line = []
    for number in range(STEPS):
        distance, near = tree.query(at)
        normal, found = normals[near], directions[near]
        found = found * np.sign((found * heading).sum(1, keepdims=True) + 1e-9)
        over = (distance < 0.008)[:, None]
        wanted = 0.0004 + height + lift * (number / (STEPS - 1)) ** 1.5
        raised = ((at - points[near]) * normal).sum(1)
        at = np.where(over, at + normal * (wanted - raised)[:, None], at)
        line.append(at)
        heading = np.where(over, found, heading + [0, 0, -0.4]) + stray
        heading /= np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9
        at = at + heading * step * np.where(over, 1, 0.3)  # past the mesh they soon end
    return np.stack(line, 1)


# ---- hair in skin --------------------------------------------------------------------------------------


def _plant(
    figure, grows: Callable, hairs: int, length: float, comb, radius: float, material, wild=0.22, coil=0.0
) -> None:
    """Plant hairs where `grows` says so, combed in one direction, `length` metres on average, coiled by `coil` metres."""
    rng, posed = figure.rng, figure.posed
    triangles, corners = _roots(figure, grows, hairs)
    at = (posed[triangles] * corners[..., None]).sum(1)
    first, second, third = (posed[triangles[:, i]] for i in range(3))
    normal = np.cross(second - first, third - first)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    direction = normal * 0.8 + np.array(comb) + rng.normal(0, wild, at.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    bend = np.array(comb) * 0.6 - normal * (0.1 if coil else 0.45) + rng.normal(0, wild * 0.55, at.shape)
    middle = figure.in_scene(at)
    roots = figure.in_scene(at - normal * 0.01)
    direction, bend = ((figure.in_scene(at + part) - middle) / 0.1 for part in (direction, bend))
    t = np.linspace(0, 1, 9 if coil else 4)[None, :, None]
    lengths = (length * rng.uniform(0.6, 1.2, len(at)))[:, None, None]
    line = roots[:, None] + direction[:, None] * t * lengths + bend[:, None] * t**2 * lengths
    if coil:
        side = np.cross(direction, rng.normal(0, 1, direction.shape))
        side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
        up = np.cross(direction, side)
        turn = t * 2 * np.pi * rng.uniform(1.6, 2.6, (len(at), 1, 1)) + rng.uniform(0, 6.3, (len(at), 1, 1))
        line = line + (side[:, None] * np.cos(turn) + up[:, None] * np.sin(turn)) * coil * np.minimum(
            1, 3 * t
        )
    scene.add_strands("hairs", line, radius, material)


def _roots(figure, grows: Callable, hairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw triangles of the head (k, 3) and places in them (k, 3), by area and growth."""
    rng, rest, posed, faces = figure.rng, figure.anatomy.rest, figure.posed, figure.head_faces
    triangles = np.concatenate([faces[:, :3], faces[:, [0, 2, 3]]])
    first, second, third = (posed[triangles[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(second - first, third - first), axis=1) * 0.5
    chance = area * grows(rest[triangles].mean(1))
    chance /= chance.sum()
    drawn = triangles[rng.choice(len(triangles), hairs, p=chance)]
    corners = rng.dirichlet([1, 1, 1], hairs)
    kept = rng.random(hairs) < grows((rest[drawn] * corners[..., None]).sum(1))
    return drawn[kept], corners[kept]
