"""Who is invented by chance: the other people, with one or two photos each, and the strangers of the group pictures."""

import numpy as np
from noises import rng_for
from people import IRIS, Person, Skin

OTHERS = 200  # numbers from here on are strangers, who have no photos of their own
# fmt: off
FIRST_FEMALE = ("Alva", "Brisa", "Cerys", "Delfa", "Elowen", "Fenna", "Gioia", "Hanneli", "Ilvy", "Jorunn", "Katsia",
                "Linnet", "Maelle", "Nerida", "Odalys", "Petra", "Quilla", "Runa", "Sefora", "Tamsin")
FIRST_MALE = ("Anselm", "Benoa", "Cato", "Dragan", "Edmar", "Florin", "Gaspar", "Harun", "Isko", "Jorgen", "Kofi",
              "Ludo", "Matteus", "Nilo", "Oskar", "Pavlo", "Quirin", "Rasmo", "Selim", "Tibor")
LAST = ("Abrentis", "Bolvar", "Cendrik", "Dalmoro", "Estevik", "Farrowin", "Galdamar", "Hestrand", "Ivarelli", "Jankovar",
        "Kestrelio", "Lomaquin", "Marwendi", "Norvath", "Olistad", "Pellarin", "Quenstra", "Rovandi", "Selmaric", "Tolvanik",
        "Umarell", "Vestergil", "Wolmarik", "Xandrello", "Yaramund", "Zelkova", "Amberlon", "Brackwin", "Corvallen",
        "Dunmarek", "Elvestam", "Fjordane", "Grantola", "Holmeric", "Istravan", "Jovellin", "Kirvanto", "Lundaro", "Merovan",
        "Nystrada")
# fmt: on


def other_person(seed: int, number: int) -> Person:
    """Invent one of the other people by chance; the same seed and number give the same person."""
    rng = rng_for(seed, "other", number)
    male, age = int(number % 2), int(rng.uniform(20, 72))
    origins = ["caucasian", "asian", "african"]
    origin = origins[number % 3]
    shares = rng.dirichlet([0.3, 0.3, 0.3]) * 0.35
    ancestry = {name: float(share) for name, share in zip(origins, shares, strict=True)}
    ancestry[origin] += 0.65
    hair, style, iris = _hair_and_eyes(rng, male, age, origin)
    extras = _extras(rng, male, origin)
    first = (FIRST_MALE if male else FIRST_FEMALE)[number // 2 % 20]
    # Every round of forty shifts the last names by one, so that no two people share both names.
    name = f"{first}_{LAST[(number + number // 40) % 40]}"
    skin = _skin(rng, male, age, origin)
    weight, muscle = float(rng.uniform(0.25, 0.8)), float(rng.uniform(0.3, 0.7))
    brow = f"eyebrow{rng.integers(1, 13):03d}"
    return Person(name, male, age, ancestry, weight, muscle, skin, hair, (style,), iris, brow, extras)


def _skin(rng: np.random.Generator, male: int, age: int, origin: str) -> Skin:
    years = "young" if age < 38 else ("middleage" if age < 54 else "old")
    sex = "male" if male else "female"
    texture = f"{years}_{'dark' if origin == 'african' else 'light'}skinned_{sex}_diffuse"
    if origin == "asian":
        texture += "3" if years == "young" else "2"
    gain = tuple(float(v) for v in np.clip(rng.normal(1.02, 0.05) * (1 + rng.normal(0, 0.02, 3)), 0.85, 1.15))
    if origin == "african" or rng.random() < 0.5:
        return Skin(texture, gain)
    return Skin(texture, gain, f"{years}_darkskinned_{sex}_diffuse", float(rng.uniform(0.08, 0.4)))


def _hair_and_eyes(rng: np.random.Generator, male: int, age: int, origin: str) -> tuple[str, str, str]:
    if age > 55:
        colours = ["grey", "white", "saltpepper", "darkbrown"]
    elif origin != "caucasian":
        colours = ["black", "darkbrown"]
    else:
        colours = ["black", "darkbrown", "brown", "chestnut", "lightbrown", "blonde", "ash", "red"]
    colour = str(rng.choice(colours))
    curls = ["curls"] if origin == "african" else []
    if male:
        styles = ["short01", "short02", "short03", "short04", "buzz", *(["bald"] if age > 40 else []), *curls]
    else:
        styles = ["bob02", "long01", "ponytail01", "braid01", *(curls or ["short03"])]
    style = str(rng.choice(styles))
    return colour, style, str(rng.choice(["darkbrown", "brown"] if origin != "caucasian" else list(IRIS)))


def _extras(rng: np.random.Generator, male: int, origin: str) -> dict:
    extras: dict = {}
    if male and rng.random() < 0.45:
        extras["beard"] = str(rng.choice(["full", "goatee", "moustache"]))
    elif male and rng.random() < 0.5:
        extras["stubble"] = float(rng.uniform(0.1, 0.45))
    if not male and rng.random() < 0.5:
        ranges = ((0.45, 0.7), (0.15, 0.3), (0.18, 0.32))
        extras["lip"] = tuple(float(rng.uniform(*limits)) for limits in ranges)
    if rng.random() < 0.25:
        extras["glasses"] = str(rng.choice(["round", "square"]))
        extras["frame"] = tuple(float(value) for value in rng.uniform(0.03, 0.35, 3))
    if origin == "caucasian" and rng.random() < 0.3:
        extras["freckles"] = float(rng.uniform(0.2, 0.9))
    return extras
