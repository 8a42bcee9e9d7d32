"""What makes a portrait hard: conditions one by one and combined, and which photo of a person has which."""

import numpy as np

COLOURS = ((0.45, 0.14, 0.16), (0.15, 0.20, 0.35), (0.20, 0.20, 0.20), (0.50, 0.45, 0.35), (0.20, 0.33, 0.28))
MASKS = ((0.62, 0.70, 0.78), (0.12, 0.12, 0.14), (0.70, 0.70, 0.69), (0.20, 0.28, 0.40))
SINGLE = ("sunglasses", "mask", "hat", "profile", "night", "far", "motion", "backlight")
COMBINED = (
    "mask+hat+backlight",
    "sunglasses+hat+motion",
    "profile+mask",
    "profile+night",
    "mask+night",
    "far+hat",
    "sunglasses+profile",
    "mask+motion",
)


def plan(number: int) -> list[str]:
    """Return the conditions of the sixteen photos of person `number`: ten plain, four single, two combined."""
    single = [SINGLE[(number + 2 * i) % 8] for i in range(4)]
    combined = [COMBINED[(number // 2 + 2 * i) % 8] for i in range(2)]
    return ["plain"] * 6 + single + combined + ["plain"] * 4


def settings(rng: np.random.Generator, condition: str) -> tuple[str | None, dict, dict]:
    """Return what a condition sets instead of leaving it to chance: place, parts of the pose, arguments of the camera."""
    place, pose, camera = None, {}, {}
    for name in condition.split("+"):
        if name == "sunglasses":
            pose["glasses"] = "sun"
        elif name == "mask":
            pose["mask"] = MASKS[rng.integers(len(MASKS))]
        elif name == "hat":
            pose["hat"] = (str(rng.choice(["wool", "cap"])), COLOURS[rng.integers(len(COLOURS))])
        elif name == "profile":
            pose["yaw"] = float(rng.choice([-1, 1]) * rng.uniform(48, 70))
        elif name == "night":
            place, camera = "night", camera | {"bright": (0.05, 0.08), "grains": (9, 13)}
        elif name == "far":  # a face of 20 to 40 pixels
            camera |= {"seen": float(rng.uniform(0.9, 1.35))}
        elif name == "motion":
            camera |= {"shake": (float(rng.uniform(7, 12)), float(rng.uniform(0, 180)))}
        elif name == "backlight":
            place, camera = "back", camera | {"bright": (0.045, 0.06)}
        elif name != "plain":
            raise KeyError(f"no condition {name}; there are plain, {', '.join(SINGLE)}")
    return place, pose, camera
