"""LFW and own people -> found, checked, split: the one table that every later notebook starts from."""

import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from facecourse.core import paths, sources
from facecourse.core.files import write_atomically
from facecourse.core.paths import outputs_for, require
from facecourse.core.report import record, stage
from facecourse.detection import detector
from facecourse.embedding import embeddings
from facecourse.photos import checks, duplicates, examine, flags
from facecourse.photos.credits import read_credits
from facecourse.photos.files import PhotoFile, scan
from facecourse.photos.label_errors import doubled_people, wrongly_named
from facecourse.photos.splits import course_split, seed_split
from lambda_function.faces import select_face

LICENCES = {
    "people": "the reader's own; the sample's are CC0",
    "others": "CC0",
    "celebrities": "none stated (photos found on the web)",
    "lfw": "none stated (press photos, research)",
}
SOURCES = {  # beside the reader's own people
    "sample": {"others": lambda: paths.DATA / "others", "celebrities": lambda: sources.celebrity_photos()},
    "lfw": {"lfw": lambda: sources.lfw_photos()},
}
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("person", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("faces", pa.int32()),
        ("box", pa.list_(pa.float32())),
        ("landmarks", pa.list_(pa.float32())),
        ("score", pa.float32()),
        ("quality", pa.float32()),
        ("problem", pa.string()),
        ("reason", pa.string()),
        ("flag", pa.string()),
        ("seed_split", pa.string()),
        ("course_split", pa.string()),
    ]
)


def find_photos(
    profile: str, people: str | Path | None = None, photos_each: str = "1-999"
) -> tuple[list[PhotoFile], list[dict]]:
    """List every file that could be a photo.

    Parameters
    ----------
    profile : str
        "sample": people, data/others and the celebrities. "lfw": people and all of LFW.
    people : path, optional
        Folder with one sub-folder per own person; data/people by default.
    photos_each : str
        "10-14": take only those of LFW's people who have 10 to 14 photos.

    Returns
    -------
    (list of PhotoFile, list of dict)
        Files in order of their path, and notices about folders.

    Raises
    ------
    FileNotFoundError
        If there is no folder `people`, or nothing at all was found.
    ValueError
        If `profile` or `photos_each` cannot be understood.
    """
    if not re.fullmatch(r"\d+-\d+", photos_each):
        raise ValueError(f"photos of each person must be given as 10-14, say, not {photos_each!r}")
    least, most = (int(number) for number in photos_each.split("-"))
    outputs_for(profile)  # refuses a misspelt profile before anything is fetched
    folder = Path(people) if people else paths.PEOPLE_DIR
    files, notices = scan(folder, "people", LICENCES["people"])
    files = _credited(files, folder)
    for source, place in SOURCES[profile].items():
        try:
            found, odd = scan(place(), source, LICENCES[source])
        except sources.SourceError as error:  # no network: go on with what is here, and say so
            print(f"Without {source}: {error}\n")
            notices.append(_missing(source, error))
            continue
        if source == "lfw":
            counts = Counter(file.person for file in found)
            found = [file for file in found if least <= counts[file.person] <= most]
        files += found
        notices += odd
    if not files:
        raise FileNotFoundError(
            f"no photo was found: {folder} holds no person's folder with files, and nothing could be fetched"
        )
    return sorted(files, key=lambda file: (file.person, file.shown)), notices


def _credited(files: list[PhotoFile], folder: Path) -> list[PhotoFile]:
    """Give collected photos the licence that stands in credits.csv."""
    root = Path(folder).resolve()
    licences = {str(root / path): row["licence"] for path, row in read_credits(folder).items()}
    return [replace(f, licence=licences[f.path]) if f.path in licences else f for f in files]


def _missing(source: str, error: Exception) -> dict:
    reason = str(error).partition("\n")[0]
    return {"check": "missing_source", "person": "", "path": source, "reason": reason}


def assemble(
    profile: str,
    people: str | Path | None = None,
    backbone: str | None = None,
    photos_each: str = "1-999",
    progress: bool = True,
) -> pd.DataFrame:
    """Find, check and split all photos, and write the manifest.

    No photo is ever changed, moved or deleted. What was computed once for a photo is kept by its content:
    a run that was killed goes on, and a second run does only what is new. Writes
    outputs/<profile>/manifest.parquet, manifest.csv and checks.csv, and brings data/flags.csv up to date.

    Parameters
    ----------
    profile, people, photos_each
        As in `find_photos`.
    backbone : str, optional
        Network that compares a photo with its person's others; by default the profile's.
    progress : bool

    Returns
    -------
    DataFrame
        One row per file: path, sha256, person, source, licence, width, height, faces (how many were
        found), box (x0, y0, x1, y1) and landmarks (x, y of image-left eye, image-right eye, nose,
        image-left and image-right mouth corner) of the face that was taken, in pixels of the upright
        photo, score (0 to 1), quality (sharpness, see `examine.sharpness`), problem ("" or codes,
        see `checks`), reason, flag, seed_split, course_split (both "" for photos that are not used).

    Raises
    ------
    flags.FlagsError
        If data/flags.csv cannot be understood.
    """
    decided = flags.read_flags()  # a mistake in there should show before the long work, not after
    files, rows = find_photos(profile, people, photos_each)
    table = examined(files, progress)
    with stage(profile, "detect"):
        add_faces(table, progress)
    pairs = find_doubles(table)
    with stage(profile, "embed"):
        embeddings = embeddings.embed_manifest(
            table, backbone or embeddings.default_backbone(profile), progress=progress
        )
    rows += checks.file_checks(table) + checks.face_checks(table) + checks.double_checks(table, pairs)
    rows += checks.person_checks(table, duplicates.agreement(embeddings, table.person))
    rows += checks.name_checks(table) + checks.label_checks(table)
    found = checks.as_table(rows)
    add_problems(table, found)
    table["flag"] = flags.decisions(table.path, table.sha256, decided)
    add_splits(table, pairs)
    _write(profile, table, found)
    return load_manifest(profile)


def examined(files: list[PhotoFile], progress: bool = True) -> pd.DataFrame:
    """Read what can be read: one row per file, its hash, size, and what is wrong or unusual."""
    sums, facts = examine.examine_files(files, progress)
    facts = [facts[value] for value in sums]
    return pd.DataFrame(
        {
            "path": [file.shown for file in files],
            "sha256": [value if len(value) == 64 else "" for value in sums],
            "person": [file.person for file in files],
            "source": [file.source for file in files],
            "licence": [file.licence for file in files],
            "width": [fact.get("width", 0) for fact in facts],
            "height": [fact.get("height", 0) for fact in facts],
            "phash": [fact.get("phash", "") for fact in facts],
            "notes": [",".join(fact.get("notes", ())) for fact in facts],
            "fault": [fact["problem"] for fact in facts],
            "fault_reason": [fact["reason"] for fact in facts],
        }
    )


def add_faces(table: pd.DataFrame, progress: bool = True) -> None:
    """Find the faces of all readable photos, take one per photo, and measure it."""
    good = np.flatnonzero(table.fault == "")
    paths, sums = [str(paths.ROOT / path) for path in table.path], table.sha256.tolist()
    widths, heights = table.width.tolist(), table.height.tolist()  # a cell of a DataFrame costs far more
    found = detector.detect_photos([paths[i] for i in good], [sums[i] for i in good], progress=progress)
    columns = {name: [empty] * len(table) for name, empty in _NO_FACE.items()}
    for i in good:
        faces = found[sums[i]]
        if (chosen := select_face(faces, widths[i], heights[i])) is not None:
            for name, value in _describe(faces, chosen).items():
                columns[name][i] = value
    for name, values in columns.items():
        table[name] = values
    table["quality"] = examine.face_sharpness(paths, sums, columns["box"], progress)


_NO_FACE = {"faces": 0, "box": None, "landmarks": None, "score": float("nan"), "rival": 0.0, "face_side": 0.0}


def _describe(faces: list, chosen: int) -> dict:
    """Describe the face that was taken, and how large the largest other one is beside it."""
    face = faces[chosen]
    areas = [float((other.box[2] - other.box[0]) * (other.box[3] - other.box[1])) for other in faces]
    others = areas[:chosen] + areas[chosen + 1 :]
    return {
        "faces": len(faces),
        "box": [round(float(value), 2) for value in face.box],
        "landmarks": [round(float(value), 2) for value in np.ravel(face.landmarks)],
        "score": round(float(face.score), 4),
        "rival": max(others, default=0.0) / max(areas[chosen], 1e-6),
        "face_side": float(min(face.box[2] - face.box[0], face.box[3] - face.box[1])),
    }


def find_doubles(table: pd.DataFrame) -> list[tuple[int, int]]:
    """Find pairs of rows that show the same picture."""
    rows = np.flatnonzero(table.phash != "")
    part = table.iloc[rows]
    pairs = duplicates.near_pairs(part.phash.tolist(), part.sha256.tolist(), part.person.tolist())
    return [(int(rows[i]), int(rows[j])) for i, j in pairs]


def add_problems(table: pd.DataFrame, found: pd.DataFrame) -> None:
    """Put the codes and reasons of each photo's graver checks into its row."""
    grave = found[(found.kind != "note") & (found.path != "")].groupby("path", sort=False)
    table["problem"] = table.path.map(grave.check.agg(", ".join)).fillna("")
    table["reason"] = table.path.map(grave.reason.agg("; ".join)).fillna("")


def add_splits(table: pd.DataFrame, pairs: list[tuple[int, int]]) -> None:
    """Split the photos that have a face and that the reader has not dropped."""
    usable = (table.faces > 0) & (table.flag != "drop")
    persons, sums = table.person.tolist(), table.sha256.tolist()
    groups = duplicates.groups(len(table), pairs).tolist()
    table["seed_split"] = seed_split(persons, sums, usable.tolist())
    rightly = (usable & (wrongly_named(table) == "")).tolist()
    doubled = set(doubled_people(table.person[table.source == "lfw"]))
    table["course_split"] = course_split(persons, sums, groups, table.source.tolist(), rightly, doubled)


def _write(profile: str, table: pd.DataFrame, found: pd.DataFrame) -> None:
    folder = outputs_for(profile)
    manifest = table[SCHEMA.names]
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(manifest, SCHEMA, preserve_index=False), buffer, compression="zstd")
    written = manifest.copy()
    for column in ("box", "landmarks"):
        written[column] = [json.dumps(value) if value is not None else "" for value in manifest[column]]
    write_atomically(folder / "checks.csv", _csv(found))
    write_atomically(folder / "manifest.csv", _csv(written))
    shown = manifest[(manifest.problem != "") | (manifest.flag != "")]
    flags.update_flags(shown[list(flags.COLUMNS)].to_dict("records"), table.path)
    record(
        profile,
        identities=int(manifest.person.nunique()),
        images=len(manifest),
        faces_found=int((manifest.faces > 0).sum()),
    )
    write_atomically(
        folder / "manifest.parquet", buffer.getvalue().to_pybytes()
    )  # last: the others wait for it


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()


def load_manifest(profile: str) -> pd.DataFrame:
    """Return the manifest that `assemble` wrote.

    Raises
    ------
    paths.MissingInput
        If notebook 01 has not been run with this profile.
    """
    return pd.read_parquet(require(outputs_for(profile) / "manifest.parquet", "01_assemble_dataset"))


def load_checks(profile: str) -> pd.DataFrame:
    """Return the table of all checks that `assemble` wrote: check, kind, person, path, reason, other.

    Raises
    ------
    paths.MissingInput
        If notebook 01 has not been run with this profile.
    """
    path = require(outputs_for(profile) / "checks.csv", "01_assemble_dataset")
    return pd.read_csv(path, keep_default_na=False)


def photo_path(path: str) -> Path:
    """Return where a manifest's photo lies: `path` is relative to the project, or absolute."""
    return Path(os.path.normpath(paths.ROOT / path))
