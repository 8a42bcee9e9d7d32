"""The findings of the photo checks: what is odd, where, why, and what it means for the split."""

from itertools import groupby

import numpy as np
import pandas as pd

from facecourse.core.paths import DATA
from facecourse.photos.duplicates import WithinPerson
from facecourse.photos.files import name_key

UNUSABLE = {
    "unreadable": "the file cannot be opened",
    "empty": "the file has 0 bytes",
    "not_an_image": "not a picture, or a kind that is not read here",
    "truncated": "the file ends too early",
    "damaged": "the picture is damaged",
    "too_many_pixels": "far too large: perhaps a decompression bomb",
    "too_many_scans": "built to take minutes to decode",
    "too_many_parts": "built to take minutes to decode",
    "no_face": "no face was found",
}
LOOK = {
    "several_faces": "another face about as large: was the right one taken?",
    "too_small": "the face is very small",
    "blurred": "the face is very blurred",
    "duplicate": "the same file twice in one person's folder",
    "near_duplicate": "nearly the same picture twice in one person's folder",
    "two_names": "the same picture under two people's names",
    "wrong_name": "known to show somebody else than LFW says: not in course_split",
    "different_person": "looks like somebody else than the person's other photos",
}
NOTE = {
    "other_faces": "smaller faces beside the one that was taken",
    "animated": "an animation: its first frame was taken",
    "cmyk": "stored for print (CMYK): converted",
    "16_bit": "16 bits per channel: brought to 8",
    "palette": "stored with a palette: converted",
    "transparent": "has transparent parts: put on white",
    "turned": "the camera was held sideways: turned upright",
    "merged": "photos of the same name from two sources are one person's",
    "known_double": "one person under two names in LFW: no stranger, and confused with the other name",
    "similar_names": "names that differ only in case, accents or punctuation",
    "empty_folder": "a person's folder without files",
    "stray_file": "a file outside of any person's folder",
    "missing_source": "photos that could not be fetched: the rest is used",
}
COLUMNS = ["check", "kind", "person", "path", "reason", "other"]

SMALL_FACE = 40  # pixels of the box's shorter side: below, embeddings get worse quickly
BLURRED = 18.0  # grey levels squared, see examine.sharpness
RIVAL = 0.8  # another face makes the choice doubtful from this share of the taken one's area on
BESIDE = 0.5  # ... and is mentioned from this share on


def kind_of(check: str) -> str:
    """Return "unusable", "look" (the reader should look) or "note" (put right, or harmless)."""
    return "unusable" if check in UNUSABLE else "look" if check in LOOK else "note"


def file_checks(table: pd.DataFrame) -> list[dict]:
    """List what `examine.examine` found about single files."""
    rows = [_row(row.fault, row, row.fault_reason) for row in table[table.fault != ""].itertuples()]
    for row in table[table.notes != ""].itertuples():
        rows += [_row(note, row, NOTE[note]) for note in row.notes.split(",")]
    return rows


def face_checks(table: pd.DataFrame) -> list[dict]:
    """List photos without a face, with several, with a small or a blurred one."""
    missing = "no face was found; turn it upright, or take one where the face is larger"
    without = table[(table.fault == "") & (table.faces == 0)]
    rows = [_row("no_face", row, missing) for row in without.itertuples()]
    found = table[table.faces > 0]
    for row in found[found.rival >= BESIDE].itertuples():
        check = "several_faces" if row.rival >= RIVAL else "other_faces"
        why = f"the largest was taken; the next is {row.rival:.0%} of its size"
        if row.rival > 1:
            why = f"the one nearest the centre was taken, though another is {row.rival:.1f} times its size"
        rows.append(_row(check, row, f"{row.faces} faces; {why}"))
    for row in found[found.face_side < SMALL_FACE].itertuples():
        reason = f"the face is {row.face_side:.0f} pixels wide or high; it should have {SMALL_FACE}"
        rows.append(_row("too_small", row, reason))
    for row in found[found.quality < BLURRED].itertuples():
        rows.append(_row("blurred", row, f"sharpness {row.quality:.1f}, below {BLURRED:.0f}"))
    return rows


def double_checks(table: pd.DataFrame, pairs: np.ndarray) -> list[dict]:
    """List pictures that are there twice, the later one with a pointer to the earlier."""
    person, sums, path = table.person.to_numpy(), table.sha256.to_numpy(), table.path.to_numpy()
    rows = []
    for i, j in pairs:
        later = table.iloc[j]
        if person[i] != person[j]:
            reason = f"the same picture is {path[i]}, as {person[i]}: one of the two names is wrong"
            rows.append(_row("two_names", later, reason, path[i]))
        elif sums[i] == sums[j]:
            rows.append(_row("duplicate", later, f"the same file as {path[i]}", path[i]))
        else:
            rows.append(_row("near_duplicate", later, f"nearly the same picture as {path[i]}", path[i]))
    unique = {(row["path"], row["check"]): row for row in reversed(rows)}  # the first partner is enough
    return list(unique.values())


def person_checks(table: pd.DataFrame, similarity: WithinPerson) -> list[dict]:
    """List photos that probably show somebody else than their person's other photos."""
    rows = []
    for i in similarity.doubtful():
        reason = f"similarity {similarity.own[i]:.2f} to this person's other photos"
        if similarity.own[i] < similarity.rival[i]:
            reason += f", {similarity.rival[i]:.2f} to {similarity.who[i]}"
        else:
            reason += f"; of strangers' photos one in ten reaches {similarity.common:.2f}"
        rows.append(_row("different_person", table.iloc[i], reason))
    return rows


def label_checks(table: pd.DataFrame) -> list[dict]:
    """List what is known to be wrong in LFW's own names."""
    right = wrongly_named(table)
    rows = [
        _row("wrong_name", table.loc[i], f"shows {name}: LFW's name is wrong, verified by hand")
        for i, name in right[right != ""].items()
    ]
    doubled = doubled_people(table.person[table.source == "lfw"])
    return rows + [
        _person_row("known_double", person, f"{person} and {other} are one person, verified by hand")
        for person, other in sorted(doubled.items())
        if person < other
    ]


def name_checks(table: pd.DataFrame) -> list[dict]:
    """List people whose photos come from two sources, and names that may mean the same person."""
    sources = table.groupby("person").source.agg(lambda values: sorted(set(values)))
    rows = [
        _person_row("merged", person, f"photos from {' and '.join(found)} are taken as one person's")
        for person, found in sources.items()
        if len(found) > 1
    ]
    for key, alike in groupby(sorted(sources.index, key=name_key), name_key):
        names = list(alike)
        if key and len(names) > 1:
            reason = f"{', '.join(names)}: if they are one person, give their folders the same name"
            rows.append(_person_row("similar_names", names[0], reason))
    return rows


def as_table(rows: list[dict]) -> pd.DataFrame:
    """Return all checks as one table, the gravest first."""
    table = pd.DataFrame(rows, columns=["check", "person", "path", "reason", "other"]).fillna("")
    table["kind"] = [kind_of(check) for check in table.check]
    table["order"] = table.kind.map({"unusable": 0, "look": 1, "note": 2})
    return table.sort_values(["order", "check", "person", "path"], ignore_index=True)[COLUMNS]


def summary(checks: pd.DataFrame) -> pd.DataFrame:
    """Count the checks: one row per check that found something, with what it means."""
    counted = checks.groupby(["kind", "check"], sort=False).size().rename("found").reset_index()
    counted["meaning"] = counted.check.map(UNUSABLE | LOOK | NOTE)
    return counted


def _row(check: str, row, reason: str, other: str = "") -> dict:
    return {"check": check, "person": row.person, "path": row.path, "reason": reason, "other": other}


def _person_row(check: str, person: str, reason: str) -> dict:
    return {"check": check, "person": person, "path": "", "reason": reason, "other": ""}


# ---- LFW's own mistakes, found where the recogniser was most sure of another name, then verified by hand ----


def known_errors() -> pd.DataFrame:
    """Return data/lfw_label_errors.csv: kind, name, other.

    "wrong_name": the photo `name` shows the person `other`. "two_names": the people `name` and `other` are one person,
    or some photo of one of them shows the other.
    """
    return pd.read_csv(DATA / "lfw_label_errors.csv")


def wrongly_named(table: pd.DataFrame) -> pd.Series:
    """Say who is on photos that LFW gives to somebody else: the right name in those rows of a manifest, "" in all others."""
    errors = known_errors()
    right = errors[errors.kind == "wrong_name"].set_index("name").other
    stems = table.path.str.extract(r"([^/]+)\.[^.]+$")[0]
    return stems.where(table.source == "lfw").map(right).fillna("")


def rightly_named(table: pd.DataFrame) -> pd.Series:
    """Say which rows of a manifest are LFW's photos under the right name, of people who are there under one name only."""
    people = table["person"].isin(doubled_people(table["person"]))
    return (table["source"] == "lfw") & (wrongly_named(table) == "") & ~people


def doubled_people(persons: pd.Series) -> dict[str, str]:
    """Return those of LFW's people who are there under another name too, with that name, if both are here."""
    errors, here = known_errors(), set(persons)
    pairs = errors[errors.kind == "two_names"][["name", "other"]].to_numpy().tolist()
    found = [pair for pair in pairs if set(pair) <= here]
    return {one: other for a, b in found for one, other in ((a, b), (b, a))}
