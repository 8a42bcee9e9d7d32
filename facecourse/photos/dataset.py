"""LFW and own people -> found, checked, split: the one table that every later notebook starts from."""

import json
import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from facecourse.core import paths, sources
from facecourse.core.cache import ContentCache, batches, cached, write_atomically
from facecourse.core.paths import outputs_for, require
from facecourse.core.report import keep_longest, record
from facecourse.detection.detector import STORE, detector, pack
from facecourse.embedding.backbones import Backbone, default_backbone, default_views, find_backbone
from facecourse.embedding.embeddings import as_rows, embed_crops, embedding_key, embedding_store
from facecourse.photos import checks, flags
from facecourse.photos.checks import doubled_people, wrongly_named
from facecourse.photos.duplicates import duplicate_groups, near_pairs, within_person_similarity
from facecourse.photos.examine import examine, faces_of, rounded
from facecourse.photos.files import PhotoFile, read_credits, scan
from facecourse.photos.splits import course_split, seed_split
from lambda_function.faces import Face
from lambda_function.gallery import Gallery
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser, sha256_of

LOOKS = "v1"  # part of the cache's name: change it when `examine` notes something else
MAX_BYTES = 200_000_000
BATCH = 64  # photos whose results are put on disk together: what a kill can cost

LICENCES = {
    "people": "the reader's own; the sample's are CC0",
    "others": "CC0",
    "lfw": "none stated (press photos, research)",
}
SOURCES = {  # beside the reader's own people
    "sample": {"others": lambda: paths.DATA / "others"},
    "lfw": {"lfw": lambda: sources.lfw_photos()},
}
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("path", "sha256", "person", "source", "licence")]
    + [(name, pa.int32()) for name in ("width", "height", "faces")]
    + [(name, pa.list_(pa.float32())) for name in ("box", "landmarks")]
    + [("score", pa.float32()), ("quality", pa.float32()), ("group", pa.int32())]
    + [(name, pa.string()) for name in ("problem", "reason", "flag", "seed_split", "course_split")]
)


def find_photos(
    profile: str, people: str | Path | None = None, photos_each: str = "1-999"
) -> tuple[list[PhotoFile], list[dict]]:
    """List every file that could be a photo, in order of its path, with notices about odd folders.

    "sample" is `people` (a folder with one sub-folder per own person, data/people by default) and data/others, "lfw"
    is `people` and all of LFW; photos_each="10-14" takes only those of LFW's people who have 10 to 14 photos. Raises
    FileNotFoundError if there is no folder `people` or no photo at all, ValueError if `profile` or `photos_each`
    cannot be understood.
    """
    if not re.fullmatch(r"\d+-\d+", photos_each):
        raise ValueError(f"photos of each person must be given as 10-14, say, not {photos_each!r}")
    least, most = (int(number) for number in photos_each.split("-"))
    outputs_for(profile)  # refuses a misspelt profile before anything is fetched
    folder = Path(people) if people else paths.PEOPLE_DIR
    files, notices = scan(folder, "people", LICENCES["people"])
    root, credits = Path(folder).expanduser().resolve(), read_credits(folder)
    licences = {str(root / path): row["licence"] for path, row in credits.items()}
    files = [replace(file, licence=licences.get(file.path, file.licence)) for file in files]
    for source, place in SOURCES[profile].items():
        try:
            found, odd = scan(place(), source, LICENCES[source])
        except sources.SourceError as error:  # no network: go on with what is here, and say so
            print(f"Without {source}: {error}\n")
            reason = str(error).partition("\n")[0]
            notices.append({"check": "missing_source", "person": "", "path": source, "reason": reason})
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
    return sorted(files, key=lambda file: (file.person, file.display_path)), notices


def assemble(
    profile: str,
    people: str | Path | None = None,
    backbone: Backbone | None = None,
    photos_each: str = "1-999",
    progress: bool = True,
    decisions: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Find, check and split all photos (see `find_photos`), and write the manifest.

    No photo is ever changed, moved or deleted. Each is decoded once, and what was computed for it is kept by its
    content: a run that was killed goes on, and a second run does only what is new. Writes
    outputs/<profile>/manifest.parquet, manifest.csv and checks.csv, and brings data/flags.csv up to date. `backbone`,
    by default the profile's, embeds the faces, here to compare a photo with its person's others. `decisions`, path to
    "keep" or "drop", come on top of data/flags.csv, to see what would come of them: nothing is written then.

    Returned is one row per file: path, sha256, person, source, licence, width, height, faces (how many were found),
    box (x0, y0, x1, y1) and landmarks (x, y of image-left eye, image-right eye, nose, image-left and image-right
    mouth corner) of the main face, in pixels of the upright photo, score (0 to 1), quality (sharpness, see
    `examine.sharpness`), group (the same number for near duplicates), problem ("" or codes, see `checks`), reason,
    flag, seed_split, course_split (both "" for photos that are not used). Raises flags.FlagsError if data/flags.csv
    cannot be understood.
    """
    flags.read_flags()  # a mistake in there should show before the long work, not after
    files, rows = find_photos(profile, people, photos_each)
    backbone = backbone or find_backbone(default_backbone(profile), default_views(profile))
    table, found, pairs, seconds = check_photos(files, rows, backbone, progress)
    keep_longest(profile, **seconds)
    table["flag"] = flags.decisions(table.path, table.sha256, flags.read_flags())
    if decisions:
        table["flag"] = table.path.map(decisions).fillna(table.flag)
    table["group"] = duplicate_groups(len(table), pairs)
    add_splits(table)
    if not decisions:
        _write(profile, table, found)
    return table[SCHEMA.names]


def check_photos(
    files: list[PhotoFile], rows: list[dict], backbone: Backbone, progress: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray, dict[str, float]]:
    """Look at photos and compare them with each other; nothing is written but the cache.

    `rows` are notices of `find_photos`. Returned are one row per file, as in the manifest but for flag, group and
    splits; the checks (see `checks.as_table`); the pairs of near duplicates, (n, 2); and seconds by stage.
    """
    records, sums, embeddings, seconds = look_at_photos(files, backbone, progress)
    table = as_table(files, sums, records)
    readable = np.flatnonzero(table.phash != "")
    part = table.iloc[readable]
    thumbnails = [records[i]["thumbnail"] for i in readable]
    pairs = readable[near_pairs(part.phash.tolist(), thumbnails, part.sha256.tolist(), part.person.tolist())]
    rows = rows + checks.file_checks(table) + checks.face_checks(table) + checks.double_checks(table, pairs)
    rows += checks.person_checks(table, within_person_similarity(embeddings, table.person))
    rows += checks.name_checks(table) + checks.label_checks(table)
    found = checks.as_table(rows)
    grave = found[(found.kind != "note") & (found.path != "")].groupby("path", sort=False)
    table["problem"] = table.path.map(grave.check.agg(", ".join)).fillna("")
    table["reason"] = table.path.map(grave.reason.agg("; ".join)).fillna("")
    return table, found, pairs, seconds


def look_at_photos(
    files: list[PhotoFile], backbone: Backbone, progress: bool = True
) -> tuple[list[dict], list[str], np.ndarray, dict[str, float]]:
    """Read, check, search and embed photos, each decoded once; what has not changed is not even opened.

    Returned is what `examine` noted of each file; its SHA-256, "" where it cannot be read; the embedding of its main
    face, (n, d), nan without one; and the seconds spent on "detect" (all before the embedding) and "embed".
    """
    hashes, looks, searched = (ContentCache(name) for name in ("hashes", f"looks-{LOOKS}-{STORE}", STORE))
    store, embedder = embedding_store(backbone), backbone.embedder()
    nobody = Gallery([], np.zeros((0, embedder.dimension)))
    recogniser = Recogniser(detector(threads=1), embedder, nobody, views=backbone.views)
    records, sums, rows, crops = [], [], [], {}
    seconds = {"detect": 0.0, "embed": 0.0}

    def look(file: PhotoFile, sha256: str) -> bytes | None:
        try:
            record, crops[sha256] = examine(Path(file.path).read_bytes(), recogniser)
        except OSError:  # gone since its hash was taken
            return None
        return json.dumps(record).encode()

    def cut(file: PhotoFile, sha256: str, face: Face) -> np.ndarray:
        held = crops.get(sha256)
        return recogniser.cut(open_photo(file.path), face) if held is None else held

    with (
        tqdm(total=len(files), desc="photos", unit="photo", mininterval=0.5, disable=not progress) as bar,
        ThreadPoolExecutor(paths.THREADS) as pool,
    ):
        for part in batches(len(files), BATCH):
            start, batch = time.perf_counter(), [files[i] for i in part]
            own = _hashes(batch, hashes, pool)
            values = cached(looks, own, partial(_in_pool, pool, look, batch, own))
            found = [json.loads(v) if v else _unreadable(f) for f, v in zip(batch, values, strict=True)]
            # Where `detect_photos` looks too: what was searched here is not searched again for a lesson.
            searched.put_many({s: pack(faces_of(r)) for s, r in zip(own, found, strict=True) if s in crops})
            faces = [_main_face(record) for record in found]
            keys = [embedding_key(s, face) if face else "" for s, face in zip(own, faces, strict=True)]
            middle = time.perf_counter()
            crops_of = partial(_in_pool, pool, cut, batch, own, faces)
            rows += cached(store, keys, lambda todo, crops_of=crops_of: embed_crops(backbone, crops_of(todo)))
            crops.clear()
            seconds["detect"] += middle - start
            seconds["embed"] += time.perf_counter() - middle
            records += found
            sums += [s if v else "" for s, v in zip(own, values, strict=True)]
            bar.update(len(part))
    return records, sums, as_rows(rows, embedder.dimension), seconds


def _in_pool(pool: ThreadPoolExecutor, do: Callable, *columns_and_places: list) -> Iterator:
    """Call `do` with the elements of each column at the given places."""
    *columns, places = columns_and_places
    return pool.map(do, *([column[i] for i in places] for column in columns))


def _hashes(files: list[PhotoFile], kept: ContentCache, pool: ThreadPoolExecutor) -> list[str]:
    """Return the SHA-256 of each file, "" where it cannot be read; those of unchanged files are remembered."""

    def digest(file: PhotoFile) -> bytes | None:
        try:
            return None if file.problem or _too_large(file) else sha256_of(Path(file.path)).encode()
        except OSError:
            return None

    values = cached(kept, [f.fingerprint for f in files], partial(_in_pool, pool, digest, files))
    fresh = [i for i, file in enumerate(files) if not file.fingerprint]
    for i, value in zip(fresh, _in_pool(pool, digest, files, fresh), strict=True):
        values[i] = value
    return [value.decode() if value else "" for value in values]


def _too_large(file: PhotoFile) -> bool:
    return Path(file.path).stat().st_size > MAX_BYTES


def _unreadable(file: PhotoFile) -> dict:
    reason = file.problem
    try:
        if not reason and _too_large(file):
            reason = f"it is larger than {MAX_BYTES / 1e6:.0f} MB"
        if not reason:
            with open(file.path, "rb"):
                reason = "it changed while it was read; run this again"
    except OSError as error:
        reason = f"it cannot be opened: {error.strerror}"
    return {"problem": "unreadable", "reason": reason}


def _main_face(record: dict) -> Face | None:
    main = record.get("main")
    return None if main is None else rounded(faces_of(record)[main])


def as_table(files: list[PhotoFile], sums: list[str], records: list[dict]) -> pd.DataFrame:
    """Put what is known of each file into one row of the manifest to be, with what the checks want besides."""
    rows = [
        {
            "path": file.display_path,
            "sha256": value,
            "person": file.person,
            "source": file.source,
            "licence": file.licence,
            "width": record.get("width", 0),
            "height": record.get("height", 0),
            "phash": record.get("phash", ""),
            "notes": ",".join(record.get("notes", ())),
            "fault": record["problem"],
            "fault_reason": record["reason"],
        }
        | _describe(record)
        for file, value, record in zip(files, sums, records, strict=True)
    ]
    return pd.DataFrame(rows)


def _describe(record: dict) -> dict:
    """Describe the main face, and how large the largest other one is beside it."""
    faces, main = faces_of(record), record.get("main")
    if main is None:
        nothing = {"box": None, "landmarks": None, "faces": 0, "score": math.nan}
        return nothing | {"rival": 0.0, "face_side": 0.0, "quality": math.nan}
    sides = np.stack([face.box[2:] - face.box[:2] for face in faces])
    areas = sides.prod(axis=1)
    face = faces[main]
    return {
        "box": [round(float(value), 2) for value in face.box],
        "landmarks": [round(float(value), 2) for value in np.ravel(face.landmarks)],
        "faces": len(faces),
        "score": round(float(face.score), 4),
        "rival": float(np.delete(areas, main).max(initial=0.0) / max(areas[main], 1e-6)),
        "face_side": float(sides[main].min()),
        "quality": record["quality"],
    }


def add_splits(table: pd.DataFrame) -> None:
    """Split the photos that have a face and that the reader has not dropped."""
    usable = (table.faces > 0) & (table.flag != "drop")
    persons, sums, groups = table.person.tolist(), table.sha256.tolist(), table.group.tolist()
    table["seed_split"] = seed_split(persons, sums, usable.tolist())
    rightly = (usable & (wrongly_named(table) == "")).tolist()
    doubled = set(doubled_people(table.person[table.source == "lfw"]))
    table["course_split"] = course_split(persons, sums, groups, table.source.tolist(), rightly, doubled)


def _write(profile: str, table: pd.DataFrame, found: pd.DataFrame) -> None:
    folder, manifest = outputs_for(profile), table[SCHEMA.names]
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(manifest, SCHEMA, preserve_index=False), buffer, compression="zstd")
    written = manifest.copy()
    for column in ("box", "landmarks"):
        written[column] = [json.dumps(value) if value is not None else "" for value in manifest[column]]
    write_atomically(folder / "checks.csv", _csv(found))
    write_atomically(folder / "manifest.csv", _csv(written))
    shown = manifest[(manifest.problem != "") | (manifest.flag != "")]
    flags.update_flags(shown[list(flags.COLUMNS)].to_dict("records"), table.path)
    found = int((manifest.faces > 0).sum())
    record(profile, identities=int(manifest.person.nunique()), images=len(manifest), faces_found=found)
    # Last: the others wait for it.
    write_atomically(folder / "manifest.parquet", buffer.getvalue().to_pybytes())


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()


def load_manifest(profile: str) -> pd.DataFrame:
    """Return the manifest that `assemble` wrote."""
    return pd.read_parquet(require(outputs_for(profile) / "manifest.parquet", "01_assemble_dataset"))


def load_checks(profile: str) -> pd.DataFrame:
    """Return the table of all checks that `assemble` wrote: check, kind, person, path, reason, other."""
    path = require(outputs_for(profile) / "checks.csv", "01_assemble_dataset")
    return pd.read_csv(path, keep_default_na=False)


def photo_path(path: str) -> Path:
    """Return where a manifest's photo lies: `path` is relative to the project, or absolute."""
    return Path(os.path.normpath(paths.ROOT / path))
