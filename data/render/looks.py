"""What makes a person look like nobody else: features of the head, skin, eyes."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from anatomy import TEXTURE, Anatomy
from assets import Assets
from noises import noise, rng_for, smooth
from people import HAIR, IRIS, Person
from PIL import Image
from scipy.ndimage import gaussian_filter

STRENGTH = 0.52  # how far people differ; 1 gives caricatures
# fmt: off
SPREAD = {  # standard deviation of a feature, by part of the head
    "head": .26, "forehead": .5, "eyebrows": .6, "eyes": .5, "nose": .66, "mouth": .55, "chin": .5, "cheek": .5, "ears": .6,
}
NOT_USED = (
    "head-trans", "neck", "mouth-trans-in", "mouth-trans-out", "nose-trans-in", "nose-trans-out", "head-age",
    "ear-shape", "head-diamond", "head-inverted", "head-oval", "head-rect", "head-round", "head-square", "head-triang",
    "chin-triangle", "jaw-drop", "eye-push", "eye-height", "bag-height", "mouth-laugh", "eyebrows-trans-backward",
    "ear-flap", "ear-rot", "ear-lobe", "forehead-nubian",
)
OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("compress", "uncompress"),
    ("concave", "convex"),
)
# fmt: on
OUTLINES = ["oval", "round", "square", "rectangular", "triangular", "invertedtriangular", "diamond"]
LATE = {"nose": 0.6, "mouth": 0.6, "chin": 0.6}  # how far a child's features are grown where faces grow last
TWINS_OWN = 0.15  # how far twins differ from each other, as a share of how far strangers do


@dataclass
class Looks:
    """A person ready to be posed; colours are sRGB, 0 to 1."""

    person: Person
    body: np.ndarray  # (n, 3): vertices in decimetres, neutral
    skin: np.ndarray  # (TEXTURE, TEXTURE, 3)
    eye: np.ndarray  # (512, 512, 3)
    hair: np.ndarray  # (3,)
    brows: np.ndarray  # (3,)
    hair_textures: dict[str, np.ndarray] = field(default_factory=dict)  # by style, filled when they are used


def looks_of(assets: Assets, anatomy: Anatomy, seed: int, person: Person) -> Looks:
    """Work out a person's looks; the same seed and name give the same looks."""
    rng = rng_for(seed, "id", person.name, 0)
    body = _body(assets, anatomy, rng, seed, person)
    if person.age < 18:
        body = _enlarged(body, anatomy)
    shade = rng.uniform(0.9, 1.12)
    hair = np.clip(np.array(HAIR[person.hair]) * shade * rng.uniform(0.95, 1.05, 3), 0, 1)
    skin = _skin(assets, anatomy, rng_for(seed, "skin", person.name), person, hair)
    eye = _eye(rng_for(seed, "eye", person.name), np.array(IRIS[person.iris]) * rng.uniform(0.9, 1.1))
    brows = np.clip(hair * (0.62 if max(hair) > 0.3 else 0.8), 0, 1)
    return Looks(person, body, skin, eye, hair, brows)


def _features(assets: Assets) -> list[tuple[str, str, str]]:
    """List (part, name towards less, name towards more) of every feature of the head that has two directions."""
    names = sorted({n.split("/targets/")[1].rsplit(".target", 1)[0] for n in assets.target_names})
    found = []
    for part in SPREAD:
        for name in names:
            folder, feature = name.split("/")[0], name.split("/")[-1]
            if folder != part or feature.startswith("r-") or any(word in feature for word in NOT_USED):
                continue
            for less, more in OPPOSITES:
                other = feature[: -len(less)] + more
                if feature.endswith(f"-{less}") and f"{folder}/{other}" in names:
                    found.append((part, feature, other))
    return found


def _body(
    assets: Assets, anatomy: Anatomy, rng: np.random.Generator, seed: int, person: Person
) -> np.ndarray:
    moves = assets.figure(person.male, person.age, person.ancestry, person.muscle, person.weight)
    size, grown = 1.0, {}
    if person.age < 18:
        assets.morph(moves, "head/head-age-decr", 0.6)
        size = _face_height(assets.base + moves, anatomy) / _face_height(anatomy.rest, anatomy)
        grown = LATE
    family = rng_for(seed, "family", person.family)
    for part, less, more in _features(assets):
        damping = 0.6 if "eye-trans" in less or "eyebrows-trans" in less else 1.0
        damping *= 0.55 if part == "eyebrows" else 1.0  # steep brows look angry
        drawn, shared = rng.standard_normal(), family.standard_normal()
        if person.shared == 1:
            drawn = shared + TWINS_OWN * drawn
        elif rng_for(seed, "inherits", person.name, less).random() < person.shared:
            drawn = shared
        value = float(np.clip(drawn * SPREAD[part] * STRENGTH * damping, -0.65, 0.65))
        value *= size * grown.get(part, 1.0)
        feature = less if value < 0 else more
        assets.morph(moves, f"{part}/{feature}", abs(value))
        if feature.startswith("l-"):
            assets.morph(moves, f"{part}/r-{feature[2:]}", abs(value))
    rng = family if person.family else rng  # outline and asymmetry too
    first, second = rng.choice(len(OUTLINES), 2, replace=False)
    amount, by_sex = rng.uniform(0.1, 0.75), 0.65 + 0.35 * person.male
    assets.morph(moves, f"head/head-{OUTLINES[first]}", amount * by_sex * size)
    assets.morph(moves, f"head/head-{OUTLINES[second]}", (0.75 - amount) * 0.5 * by_sex * size)
    sides = sorted({n.split("/")[-1].split(".")[0] for n in assets.target_names if "/asym/" in n})
    for name in rng.choice(sides, 6, replace=False):
        assets.morph(moves, f"asym/{name}", rng.uniform(0.03, 0.22) * size)
    return assets.base + moves


def _enlarged(body: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Return a child's body with its face as high and large as the reference's, which hair and cameras reckon on."""
    bigger = _face_height(anatomy.rest, anatomy) / _face_height(body, anatomy)
    return (body - body[anatomy.left_eye].mean(0)) * bigger + anatomy.eye


def _face_height(body: np.ndarray, anatomy: Anatomy) -> float:
    return float(np.ptp(body[anatomy.face, 1]))


# ---- skin ----------------------------------------------------------------------------------------------


def _skin(assets, anatomy: Anatomy, rng: np.random.Generator, person: Person, hair: np.ndarray) -> np.ndarray:
    texture = _base_skin(assets, person)
    points = anatomy.position
    face = smooth(-1.1, -0.7, points[..., 2] - anatomy.eye[2]) * (points[..., 1] > anatomy.chin_y - 0.6)
    texture *= (1 + 0.022 * noise(rng, TEXTURE, 24, 3))[..., None]  # blotches
    texture *= 1 + 0.018 * noise(rng, TEXTURE, 60, 2)[..., None] * np.array([0.0, 1, 1])  # red and pale
    texture *= (1 + 0.02 * noise(rng, TEXTURE, 400, 1))[..., None]  # pores
    _flush(texture, anatomy, rng, face)
    inside = anatomy.inside_mouth[..., None]
    texture = texture * (1 - inside) + inside * np.array(
        [0.24, 0.09, 0.08]
    )  # dark, not the pink of the base maps
    _freckles_and_moles(texture, anatomy, rng, face, person.extras.get("freckles"))
    texture = _make_up(texture, anatomy, rng, person)
    return np.clip(_roots(texture, anatomy, rng, person, hair), 0, 1)


def _base_skin(assets: Assets, person: Person) -> np.ndarray:
    skin = person.skin
    texture = _read_skin(assets, skin.base)
    if skin.mixed:
        texture = texture * (1 - skin.share) + _read_skin(assets, skin.mixed) * skin.share
    if texture.mean() < 0.30:  # the darkest base maps hide the features
        texture = texture**0.80
    return texture * np.array(skin.gain)


def _read_skin(assets: Assets, name: str) -> np.ndarray:
    path = sorted(assets.clothes.glob(f"skins/*/textures/{name}.png"))[0]
    return np.asarray(Image.open(path).convert("RGB").resize((TEXTURE, TEXTURE), Image.BICUBIC), float) / 255


def _flush(texture: np.ndarray, anatomy: Anatomy, rng: np.random.Generator, face: np.ndarray) -> None:
    x, y = anatomy.position[..., 0], anatomy.position[..., 1]
    cheeks = np.exp(-((abs(x) - 0.42) ** 2 + (y - (anatomy.nose_base_y + 0.12)) ** 2) / 0.045)
    nose = 0.6 * np.exp(-(x**2 + (y - anatomy.rest[anatomy.nose, 1]) ** 2) / 0.012)
    texture *= 1 - (rng.uniform(0.02, 0.10) * (cheeks + nose) * face)[..., None] * np.array([0.15, 1, 0.8])


def _freckles_and_moles(texture, anatomy: Anatomy, rng, face: np.ndarray, freckles: float | None) -> None:
    x, y = anatomy.position[..., 0], anatomy.position[..., 1]
    if freckles:
        spots = noise(rng, TEXTURE, 290, 1)
        where = np.exp(-((x / 0.62) ** 2 + ((y - (anatomy.nose_base_y + 0.25)) / 0.33) ** 2)) * face
        amount = smooth(1.45, 2.1, spots + 0.6 * where) * where * freckles
        texture *= 1 - gaussian_filter(amount, 0.5)[..., None] * np.array([0.20, 0.33, 0.42])
    for _ in range(rng.integers(0, 3)):
        middle = rng.uniform(-0.6, 0.6), rng.uniform(anatomy.chin_y + 0.05, anatomy.eye[1] + 0.5)
        distance = np.sqrt((x - middle[0]) ** 2 + (y - middle[1]) ** 2)
        mole = smooth(rng.uniform(0.016, 0.024), 0.008, distance) * face
        texture *= 1 - mole[..., None] * np.array([0.45, 0.6, 0.65])


def _make_up(texture: np.ndarray, anatomy: Anatomy, rng: np.random.Generator, person: Person) -> np.ndarray:
    if person.extras.get("lip"):
        amount = anatomy.lips[..., None] * rng.uniform(0.35, 0.6)
        light = texture.mean(-1, keepdims=True)
        texture = texture * (1 - amount) + amount * np.array(person.extras["lip"]) * (0.6 + 0.8 * light)
    if not person.male and person.age >= 18 and rng.random() < 0.7:
        texture *= 1 - anatomy.lids[..., None] * rng.uniform(0.1, 0.3) * np.array([0.7, 1, 0.9])
    return texture


def _roots(texture, anatomy: Anatomy, rng, person: Person, hair: np.ndarray) -> np.ndarray:
    """Paint what shows through between the strands: scalp, beard, stubble."""
    grain = noise(rng, TEXTURE, 300, 2).clip(-1, 1)
    roots = anatomy.scalp(anatomy.position) * (0.55 + 0.45 * grain)
    roots = np.clip(roots, 0, 1)[..., None] * {"bald": 0.18, "buzz": 0.85}.get(person.styles[0], 0.9)
    texture = texture * (1 - roots) + roots * hair * 0.75
    beard = person.extras.get("beard")
    stubble = person.extras.get("stubble", 0.45 if beard else 0)
    if stubble or beard:
        amount = anatomy.beard(anatomy.position, beard or "full") * (1 - anatomy.lips)
        amount = amount * (0.45 + 0.55 * smooth(-0.4, 0.9, noise(rng, TEXTURE, 500, 1))) * stubble
        texture = texture * (1 - amount[..., None]) + amount[..., None] * (hair * 0.6 + 0.08 * texture)
    return texture


# ---- eyes and hair -------------------------------------------------------------------------------------


def _eye(rng: np.random.Generator, iris: np.ndarray) -> np.ndarray:
    size, radius = 512, 0.475
    rows, columns = np.mgrid[0:size, 0:size]
    x, y = (columns + 0.5) / size * 2 - 1, 1 - (rows + 0.5) / size * 2
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    white = (
        np.ones((size, size, 3))
        * np.array([0.86, 0.84, 0.82])
        * (1 + 0.015 * noise(rng, size, 20, 3))[..., None]
    )
    veins = smooth(0.45, 1.0, distance) * (0.5 + 0.5 * smooth(0.6, 1.6, abs(noise(rng, size, 16, 4))))
    white *= 1 - 0.28 * veins[..., None] * np.array([0.25, 1, 1])
    fibres = gaussian_filter(rng.standard_normal(241), 0.8, mode="wrap")
    fibres = np.interp((angle + np.pi) / (2 * np.pi) * 240, np.arange(241), fibres)
    ring = iris * 0.78 * (1 + 0.35 * fibres[..., None] * smooth(0.12, 0.3, distance)[..., None])
    ring = ring * (1.25 - 0.5 * smooth(0.2, radius, distance))[..., None]
    ring = ring * (1 + 0.35 * smooth(0.27, 0.2, distance))[..., None]
    ring *= (1 - 0.65 * smooth(radius - 0.09, radius, distance))[..., None]
    texture = np.where((distance < radius)[..., None], ring, white)
    texture *= (1 - 0.97 * smooth(0.20, 0.165, distance))[..., None]  # the pupil
    return gaussian_filter(np.clip(texture, 0, 1), (1.2, 1.2, 0))


def tint(path: Path, colour: np.ndarray) -> np.ndarray:
    """Return a hair texture in another colour, (h, w, 4), 0 to 1; light and shade stay."""
    picture = np.asarray(Image.open(path).convert("RGBA"), float) / 255
    light, alpha = picture[..., :3].mean(-1), picture[..., 3]
    weight = alpha * (light > 0.01) + 1e-6
    usual = (light * weight).sum() / weight.sum()
    shade = (0.12 + 0.88 * np.clip(light / usual, 0, 2.4)) ** 0.62
    return np.dstack([np.clip(np.array(colour) * shade[..., None], 0, 1), alpha])
