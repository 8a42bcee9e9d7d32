"""What a face does: expressions as sums of movements, and smiles that reach the eyes by a measured amount."""

import numpy as np
from anatomy import Anatomy
from assets import Assets

# Under every expression: brows and lids of somebody who is at ease.
RELAXED = {"browInnerUp": 0.24, "browOuterUp": 0.14, "eyeWide": 0.14, "mouthSmile": 0.12}
EXPRESSIONS = {
    "neutral": {},
    "open": {"jawOpen": 0.26},
    "talk": {"jawOpen": 0.14, "mouthFunnel": 0.28},
    "surprise": {"browInnerUp": 0.6, "browOuterUp": 0.6, "eyeWide": 0.5, "jawOpen": 0.18},
    "frown": {"browDown": 0.6, "mouthFrown": 0.4, "eyeSquint": 0.3},
    "press": {"mouthPress": 0.5, "mouthShrugUpper": 0.2},
    "smile": {
        "mouthSmile": 0.75,
        "mouthDimple": 0.25,
        "cheekSquint": 0.65,
        "eyeSquint": 0.25,
        "browInnerUp": -0.1,
    },
    "bigsmile": {
        "mouthSmile": 0.80,
        "mouthStretch": 0.12,
        "mouthUpperUp": 0.52,
        "mouthLowerDown": 0.15,
        "jawOpen": 0.09,
        "cheekSquint": 0.85,
        "eyeSquint": 0.38,
    },
    "laugh": {
        "mouthSmile": 0.85,
        "mouthUpperUp": 0.42,
        "mouthLowerDown": 0.2,
        "jawOpen": 0.2,
        "cheekSquint": 0.95,
        "eyeSquint": 0.5,
        "noseSneer": 0.12,
    },
}
LIFT = {"smile": 0.07, "bigsmile": 0.085, "laugh": 0.08}  # of the mouth's corners over its middle, decimetres
SIDED = ("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeSquint", "eyeWide", "noseSneer")


def show(assets: Assets, anatomy: Anatomy, body: np.ndarray, pose: dict) -> None:
    """Put a pose's expression on a face, in place.

    Faces differ in how much the same movement shows, so a smile is made as strong as it has to be for the corners
    of the mouth to rise by LIFT, with cheeks and eyes along with them.
    """
    _move(assets, body, RELAXED, pose["ease"])
    kind = pose["expr"]
    strength = pose["expr_w"]
    if kind in LIFT:
        tried = body.copy()
        _move(assets, tried, EXPRESSIONS[kind], 1.0)
        before, after = (face[[anatomy.mouth_left, anatomy.mouth_right], 1].mean() for face in (body, tried))
        middle = anatomy.lip_vertices[abs(anatomy.rest[anatomy.lip_vertices, 0]) < 0.05]
        missing = LIFT[kind] * strength - (before - body[middle, 1].mean())
        strength = float(np.clip(missing / max(after - before, 0.01), 0.8, 1.5))
    _move(assets, body, EXPRESSIONS[kind], strength)
    _move(assets, body, {"eyeBlink": 1.0}, pose["blink"])


def _move(assets: Assets, body: np.ndarray, movements: dict[str, float], strength: float) -> None:
    for name, weight in movements.items():
        sided = name in SIDED or (name.startswith("mouth") and name not in ("mouthFunnel", "mouthShrugUpper"))
        for ending in ("Left", "Right") if sided else ("",):
            assets.morph(body, f"faceunits/{name}{ending}", weight * strength)
