"""Who is invented by hand: the twenty people of the sample, their families, and how they look years later."""

import re
from dataclasses import dataclass, field, replace

# fmt: off
HAIR = {
    "black": (.09, .08, .08), "darkbrown": (.20, .14, .10), "brown": (.33, .22, .14), "chestnut": (.38, .20, .12),
    "lightbrown": (.50, .37, .24), "blonde": (.74, .57, .37), "ash": (.60, .53, .43), "red": (.58, .26, .11),
    "fadedred": (.62, .46, .36), "grey": (.55, .54, .53), "white": (.80, .79, .77), "saltpepper": (.36, .35, .35),
}
IRIS = {
    "brown": (.30, .17, .08), "darkbrown": (.16, .09, .05), "hazel": (.42, .32, .14), "green": (.33, .42, .24),
    "blue": (.30, .45, .62), "grey": (.46, .52, .56), "amber": (.50, .31, .10),
}
# fmt: on


@dataclass(frozen=True)
class Skin:
    """A base texture, another one mixed in with a share of 0 to 1, and a gain for red, green and blue."""

    base: str
    gain: tuple[float, float, float]
    mixed: str | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Person:
    """What is decided about a person before anything is drawn."""

    name: str
    male: int
    age: int
    ancestry: dict[str, float]  # shares of the three macro targets, together 1
    weight: float  # 0 to 1, as muscle
    muscle: float
    skin: Skin
    hair: str  # key of HAIR
    styles: tuple[str, ...]  # hair styles: the usual one and, in about a quarter of the photos, the last one
    iris: str  # key of IRIS
    brow: str
    extras: dict = field(default_factory=dict)  # beard, stubble, freckles, lip, glasses, frame
    family: str | None = None
    shared: float = 0.0  # how many of the face's features come from the family; 1 for twins


WHITE, BLACK, ASIAN = {"caucasian": 1.0}, {"african": 1.0}, {"asian": 1.0}
BLEND = {"caucasian": 0.45, "african": 0.35, "asian": 0.2}
# fmt: off
PEOPLE = (
    Person("Ada_Ferro", 0, 27, WHITE, .45, .5, Skin("young_lightskinned_female_diffuse", (1.02, .97, .93)),
           "darkbrown", ("ponytail01", "bob02"), "green", "eyebrow006", {"lip": (.62, .22, .22)}),
    Person("Bruno_Takala", 1, 34, WHITE, .72, .5, Skin("young_lightskinned_male_diffuse2", (1.07, 1.0, 1.0)),
           "blonde", ("short04",), "blue", "eyebrow010", {"beard": "full", "freckles": .2}),
    Person("Chioma_Lindqvar", 0, 31, BLACK, .5, .5, Skin("young_darkskinned_female_diffuse", (1.10, 1.05, 1.05)),
           "black", ("curls", "braid01"), "darkbrown", "eyebrow001", {"lip": (.45, .13, .16)}),
    Person("Dario_Monteluz", 1, 46, {"caucasian": .75, "african": .25}, .6, .6,
           Skin("middleage_lightskinned_male_diffuse", (1., .98, .95), "young_darkskinned_male_diffuse", .28),
           "saltpepper", ("short02",), "brown", "eyebrow012", {"beard": "moustache", "glasses": "square"}),
    Person("Eun_Saramova", 0, 23, ASIAN, .3, .45, Skin("young_lightskinned_female_diffuse3", (1.03, 1.0, .97)),
           "black", ("long01", "bob02"), "darkbrown", "eyebrow001", {"lip": (.70, .32, .34)}),
    Person("Farid_Okonska", 1, 29, BLACK, .45, .75, Skin("young_darkskinned_male_diffuse", (1.15, 1.12, 1.1)),
           "black", ("buzz",), "darkbrown", "eyebrow009", {"beard": "goatee"}),
    Person("Greta_Holmavik", 0, 58, WHITE, .62, .45, Skin("old_lightskinned_female_diffuse", (1.04, .99, .98)),
           "grey", ("bob02", "short03"), "grey", "eyebrow004", {"glasses": "round"}),
    Person("Hideo_Brandao", 1, 52, ASIAN, .5, .45, Skin("middleage_lightskinned_male_diffuse2", (1.0, .96, .90)),
           "black", ("short03",), "darkbrown", "eyebrow011", {"stubble": .35, "glasses": "square"}),
    Person("Ines_Valkamo", 0, 36, WHITE, .38, .5, Skin("young_lightskinned_female_diffuse2", (1.05, .98, .97)),
           "red", ("ponytail01", "long01"), "hazel", "eyebrow006", {"freckles": .9}),
    Person("Jarek_Umbeta", 1, 21, {"caucasian": .5, "asian": .5}, .3, .4,
           Skin("young_lightskinned_male_diffuse3", (.93, .88, .82)),
           "brown", ("short01",), "amber", "eyebrow012", {"stubble": .12}),
    Person("Kalinda_Frostad", 0, 44, {"asian": .35, "african": .35, "caucasian": .3}, .68, .5,
           Skin("middleage_lightskinned_female_diffuse2", (1., .97, .93), "middleage_darkskinned_female_diffuse", .52),
           "darkbrown", ("braid01", "long01"), "brown", "eyebrow007", {"lip": (.55, .20, .22)}),
    Person("Leopold_Anwar", 1, 64, WHITE, .4, .4, Skin("old_lightskinned_male_diffuse", (1.0, .93, .92)),
           "white", ("bald",), "blue", "eyebrow010", {"beard": "full", "freckles": .15}),
    # Three families of look-alikes, with two skin types in each.
    Person("Mira_Solenne", 0, 29, WHITE, .42, .5, Skin("young_lightskinned_female_diffuse2", (1.03, .98, .96)),
           "brown", ("long01", "bob02"), "hazel", "eyebrow006", {}, "Solenne", 1.0),
    Person("Nora_Solenne", 0, 29, WHITE, .46, .5, Skin("young_lightskinned_female_diffuse2", (1.03, .98, .96)),
           "brown", ("bob02", "long01"), "hazel", "eyebrow006", {"lip": (.60, .24, .26)}, "Solenne", 1.0),
    Person("Odile_Solenne", 0, 33, {"caucasian": .6, "african": .4}, .5, .5,
           Skin("young_lightskinned_female_diffuse2", (1., .97, .93), "young_darkskinned_female_diffuse", .7),
           "black", ("ponytail01", "curls"), "brown", "eyebrow006", {}, "Solenne", .88),
    Person("Otto_Brandvik", 1, 35, WHITE, .5, .5, Skin("young_lightskinned_male_diffuse", (1.03, .98, .96)),
           "lightbrown", ("short04",), "blue", "eyebrow010", {"stubble": .3}, "Brandvik", .88),
    Person("Pelle_Brandvik", 1, 31, WHITE, .44, .55, Skin("young_lightskinned_male_diffuse", (1.03, .98, .96)),
           "lightbrown", ("short01",), "blue", "eyebrow010", {"stubble": .15}, "Brandvik", .88),
    Person("Samir_Brandvik", 1, 27, {"caucasian": .6, "african": .4}, .46, .55,
           Skin("young_lightskinned_male_diffuse", (1., .98, .95), "young_darkskinned_male_diffuse", .65),
           "black", ("buzz",), "brown", "eyebrow010", {"stubble": .3}, "Brandvik", .88),
    Person("Ramiro_Estanque", 1, 39, BLEND, .55, .55,
           Skin("middleage_lightskinned_male_diffuse", (1., .97, .93), "young_darkskinned_male_diffuse", .35),
           "black", ("short02",), "darkbrown", "eyebrow009", {"beard": "goatee"}, "Estanque", .86),
    Person("Teo_Estanque", 1, 36, BLEND, .5, .6, Skin("young_darkskinned_male_diffuse", (1.15, 1.1, 1.05)),
           "black", ("curls",), "darkbrown", "eyebrow009", {"stubble": .25}, "Estanque", .86),
)
BY_NAME = {person.name: person for person in PEOPLE}

def _older(name: str, age: int, skin: Skin, **changes) -> Person:
    """Return the same person at another age: same features, since they go by the name, but other shape and skin."""
    return replace(BY_NAME[name], age=age, skin=skin, **changes)


LATER = (  # who is photographed years later too, and in how many photos
    (_older("Ines_Valkamo", 56, Skin("old_lightskinned_female_diffuse2", (1.05, .99, .97)),
            hair="fadedred", weight=.5, styles=("bob02", "short03")), 5),
    (_older("Jarek_Umbeta", 31, Skin("young_lightskinned_male_diffuse3", (.95, .89, .84)),
            weight=.42, extras={"beard": "full", "stubble": .4}), 3),
)
CHILDREN = {  # who of the people is photographed as a child too, at what age
    "Ada_Ferro": 6, "Chioma_Lindqvar": 8, "Farid_Okonska": 9, "Hideo_Brandao": 7, "Ines_Valkamo": 10, "Jarek_Umbeta": 5,
    "Mira_Solenne": 6, "Nora_Solenne": 6, "Odile_Solenne": 10, "Otto_Brandvik": 11, "Pelle_Brandvik": 7, "Samir_Brandvik": 5,
}
# fmt: on


def as_child(name: str) -> Person:
    """Return one of CHILDREN: the adult's features on a child's head, smooth skin, no beard, no make-up, no glasses."""
    adult, age = BY_NAME[name], CHILDREN[name]
    base, mixed = (
        part and re.sub("middleage|old", "young", part).replace("_male", "_female")
        for part in (adult.skin.base, adult.skin.mixed)
    )
    freckles = {key: value for key, value in adult.extras.items() if key == "freckles"}
    return replace(
        adult,
        age=age,
        weight=0.5,
        muscle=0.4,
        skin=replace(adult.skin, base=base, mixed=mixed),
        extras=freckles,
    )


def kinship(person: Person) -> dict[str, str]:
    """Return who of the people is a twin or a sibling of a person: name to relation."""
    return {
        other.name: "twin" if other.shared == person.shared == 1 else "sibling"
        for other in PEOPLE
        if person.family and other.family == person.family and other.name != person.name
    }
