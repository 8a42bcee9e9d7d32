"""Who is invented: the twelve people of the sample by hand, forty others and the group pictures by chance."""

from dataclasses import dataclass, field

import numpy as np
from noises import rng_for

HAIR = {
    "black": (0.09, 0.08, 0.08),
    "darkbrown": (0.20, 0.14, 0.10),
    "brown": (0.33, 0.22, 0.14),
    "chestnut": (0.38, 0.20, 0.12),
    "lightbrown": (0.50, 0.37, 0.24),
    "blonde": (0.74, 0.57, 0.37),
    "ash": (0.60, 0.53, 0.43),
    "red": (0.58, 0.26, 0.11),
    "grey": (0.55, 0.54, 0.53),
    "white": (0.80, 0.79, 0.77),
    "saltpepper": (0.36, 0.35, 0.35),
}
IRIS = {
    "brown": (0.30, 0.17, 0.08),
    "darkbrown": (0.16, 0.09, 0.05),
    "hazel": (0.42, 0.32, 0.14),
    "green": (0.33, 0.42, 0.24),
    "blue": (0.30, 0.45, 0.62),
    "grey": (0.46, 0.52, 0.56),
    "amber": (0.50, 0.31, 0.10),
}


@dataclass(frozen=True)
class Skin:
    """A base texture, another one mixed in with a share of 0 to 1, and a gain for red, green and blue."""

    base: str
    gain: tuple[float, float, float]
    mixed: str | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Person:
    """What is decided about a person before anything is drawn.

    Attributes
    ----------
    name : str
    male, age : int
        0 or 1; years.
    ancestry : dict of str to float
        Shares of the three macro targets, together 1.
    weight, muscle : float
        0 to 1.
    skin : Skin
    hair : str
        Key of HAIR.
    styles : tuple of str
        Hair styles: the usual one and, in about a quarter of the photos, the last one.
    iris : str
        Key of IRIS.
    brow : str
    extras : dict
        beard, stubble, freckles, lip, glasses, frame.
    """

    name: str
    male: int
    age: int
    ancestry: dict[str, float]
    weight: float
    muscle: float
    skin: Skin
    hair: str
    styles: tuple[str, ...]
    iris: str
    brow: str
    extras: dict = field(default_factory=dict)


WHITE, BLACK, ASIAN = {"caucasian": 1.0}, {"african": 1.0}, {"asian": 1.0}
# fmt: off
PEOPLE = (
    Person("Ada_Ferro", 0, 27, WHITE, .45, .5, Skin("young_lightskinned_female_diffuse", (1.02, .97, .93)),
           "darkbrown", ("ponytail01", "bob02"), "green", "eyebrow006", {"lip": (.62, .22, .22)}),
    Person("Bruno_Takala", 1, 34, WHITE, .72, .5, Skin("young_lightskinned_male_diffuse2", (1.07, 1.0, 1.0)),
           "blonde", ("short04",), "blue", "eyebrow010", {"beard": "full", "freckles": .2}),
    Person("Chioma_Lindqvar", 0, 31, BLACK, .5, .5, Skin("young_darkskinned_female_diffuse", (1.10, 1.05, 1.05)),
           "black", ("afro01", "braid01"), "darkbrown", "eyebrow001", {"lip": (.45, .13, .16)}),
    Person("Dario_Monteluz", 1, 46, {"caucasian": .75, "african": .25}, .6, .6,
           Skin("middleage_lightskinned_male_diffuse", (1., .98, .95), "young_darkskinned_male_diffuse", .28),
           "saltpepper", ("short02",), "brown", "eyebrow012", {"beard": "moustache", "glasses": "square"}),
    Person("Eun_Saramova", 0, 23, ASIAN, .3, .45, Skin("young_lightskinned_female_diffuse3", (1.03, 1.0, .97)),
           "black", ("long01", "bob02"), "darkbrown", "eyebrow003", {"lip": (.70, .32, .34)}),
    Person("Farid_Okonska", 1, 29, BLACK, .45, .75, Skin("young_darkskinned_male_diffuse", (1.15, 1.12, 1.1)),
           "black", ("buzz",), "darkbrown", "eyebrow009", {"beard": "goatee"}),
    Person("Greta_Holmavik", 0, 58, WHITE, .62, .45, Skin("old_lightskinned_female_diffuse", (1.04, .99, .98)),
           "grey", ("bob02", "short03"), "grey", "eyebrow004", {"glasses": "round"}),
    Person("Hideo_Brandao", 1, 52, ASIAN, .5, .45, Skin("middleage_lightskinned_male_diffuse2", (1.0, .96, .90)),
           "black", ("short03",), "darkbrown", "eyebrow011", {"stubble": .35, "glasses": "square"}),
    Person("Ines_Valkamo", 0, 36, WHITE, .38, .5, Skin("young_lightskinned_female_diffuse2", (1.05, .98, .97)),
           "red", ("ponytail01", "long01"), "hazel", "eyebrow005", {"freckles": .9}),
    Person("Jarek_Umbeta", 1, 21, {"caucasian": .5, "asian": .5}, .3, .4,
           Skin("young_lightskinned_male_diffuse3", (.93, .88, .82)),
           "brown", ("short01",), "amber", "eyebrow002", {"stubble": .12}),
    Person("Kalinda_Frostad", 0, 44, {"asian": .35, "african": .35, "caucasian": .3}, .68, .5,
           Skin("middleage_lightskinned_female_diffuse2", (1., .97, .93), "middleage_darkskinned_female_diffuse", .52),
           "darkbrown", ("braid01", "long01"), "brown", "eyebrow007", {"lip": (.55, .20, .22)}),
    Person("Leopold_Anwar", 1, 64, WHITE, .4, .4, Skin("old_lightskinned_male_diffuse", (1.0, .93, .92)),
           "white", ("bald",), "blue", "eyebrow008", {"beard": "full", "freckles": .15}),
)
# fmt: on
# Who stands in each group picture; a number is that other person, who is in no gallery.
GROUPS = (
    ("Ada_Ferro", "Bruno_Takala", "Chioma_Lindqvar"),
    ("Dario_Monteluz", "Eun_Saramova", "Farid_Okonska", "Greta_Holmavik"),
    ("Hideo_Brandao", "Ines_Valkamo", "Jarek_Umbeta", "Kalinda_Frostad", 3),
    ("Leopold_Anwar", "Ada_Ferro", 8, "Farid_Okonska", "Ines_Valkamo", 13),
)
OTHERS = 40
FIRST_FEMALE = [
    "Alva",
    "Brisa",
    "Cerys",
    "Delfa",
    "Elowen",
    "Fenna",
    "Gioia",
    "Hanneli",
    "Ilvy",
    "Jorunn",
    "Katsia",
    "Linnet",
    "Maelle",
    "Nerida",
    "Odalys",
    "Petra",
    "Quilla",
    "Runa",
    "Sefora",
    "Tamsin",
]
FIRST_MALE = [
    "Anselm",
    "Benoa",
    "Cato",
    "Dragan",
    "Edmar",
    "Florin",
    "Gaspar",
    "Harun",
    "Isko",
    "Jorgen",
    "Kofi",
    "Ludo",
    "Matteus",
    "Nilo",
    "Oskar",
    "Pavlo",
    "Quirin",
    "Rasmo",
    "Selim",
    "Tibor",
]
LAST = [
    "Abrentis",
    "Bolvar",
    "Cendrik",
    "Dalmoro",
    "Estevik",
    "Farrowin",
    "Galdamar",
    "Hestrand",
    "Ivarelli",
    "Jankovar",
    "Kestrelio",
    "Lomaquin",
    "Marwendi",
    "Norvath",
    "Olistad",
    "Pellarin",
    "Quenstra",
    "Rovandi",
    "Selmaric",
    "Tolvanik",
    "Umarell",
    "Vestergil",
    "Wolmarik",
    "Xandrello",
    "Yaramund",
    "Zelkova",
    "Amberlon",
    "Brackwin",
    "Corvallen",
    "Dunmarek",
    "Elvestam",
    "Fjordane",
    "Grantola",
    "Holmeric",
    "Istravan",
    "Jovellin",
    "Kirvanto",
    "Lundaro",
    "Merovan",
    "Nystrada",
]


def other_person(seed: int, number: int) -> Person:
    """Invent one of the other people by chance; the same seed and number give the same person."""
    rng = rng_for(seed, "other", number)
    male, age = int(number % 2), int(rng.uniform(20, 65))
    origins = ["caucasian", "asian", "african"]
    origin = origins[number % 3]
    ancestry = {
        o: float(share) for o, share in zip(origins, rng.dirichlet([0.3, 0.3, 0.3]) * 0.35, strict=True)
    }
    ancestry[origin] += 0.65
    years = "young" if age < 38 else ("middleage" if age < 54 else "old")
    sex = "male" if male else "female"
    texture = f"{years}_{'dark' if origin == 'african' else 'light'}skinned_{sex}_diffuse"
    if origin == "asian":
        texture += "3" if years == "young" else "2"
    hair, style, iris = _hair_and_eyes(rng, male, age, origin)
    extras = _extras(rng, male, origin)
    first = (FIRST_MALE if male else FIRST_FEMALE)[number // 2 % 20]
    gain = tuple(float(v) for v in np.clip(rng.normal(1.02, 0.05) * (1 + rng.normal(0, 0.02, 3)), 0.85, 1.15))
    mixed, share = None, 0.0
    if not (rng.random() < 0.5 or origin == "african"):
        mixed, share = f"{years}_darkskinned_{sex}_diffuse", float(rng.uniform(0.08, 0.4))
    weight, muscle = float(rng.uniform(0.25, 0.8)), float(rng.uniform(0.3, 0.7))
    brow = f"eyebrow{rng.integers(1, 13):03d}"
    skin = Skin(texture, gain, mixed, share)
    name = f"{first}_{LAST[number % 40]}"
    return Person(name, male, age, ancestry, weight, muscle, skin, hair, (style,), iris, brow, extras)


def _hair_and_eyes(rng: np.random.Generator, male: int, age: int, origin: str) -> tuple[str, str, str]:
    if age > 55:
        colours = ["grey", "white", "saltpepper", "darkbrown"]
    elif origin != "caucasian":
        colours = ["black", "darkbrown"]
    else:
        colours = ["black", "darkbrown", "brown", "chestnut", "lightbrown", "blonde", "ash", "red"]
    colour = str(rng.choice(colours))
    curls = ["afro01"] if origin == "african" else []
    if male:
        styles = ["short01", "short02", "short03", "short04", "buzz", *(["bald"] if age > 40 else []), *curls]
    else:
        styles = ["bob01", "bob02", "long01", "ponytail01", "braid01", *(curls or ["short03"])]
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
