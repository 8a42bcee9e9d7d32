"""Freely licensed photos of named people from Wikimedia Commons: `python -m facecourse.commons.collect`."""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from facecourse.commons.client import API, PAUSE, PICTURES, Commons, CommonsError, CommonsPhoto
from facecourse.core import paths
from facecourse.core.cache import write_atomically
from facecourse.core.downloads import DownloadError
from facecourse.detection.detector import detect_photos
from facecourse.embedding.backbones import find_backbone
from facecourse.embedding.embeddings import embed_faces
from facecourse.photos.files import add_credits, folder_name, read_credits
from lambda_function.photos import PhotoError
from lambda_function.pipeline import sha256_of

LOOK_AT = 40  # search results per person
KEEP = 20  # photos per person
SMALLEST = 60  # pixels of the face's shorter side
AGREE = 0.5  # cosine similarity to the others; between different people of LFW 1 in 1,000 reaches it
ENOUGH = 3  # photos that must agree with each other before any is believed
BACKBONE = "msceleb1m"  # AGREE belongs to it
VERDICTS = {
    "kept": "kept",
    "not_free": "no free licence",
    "kind": "not a JPEG, PNG or WebP",
    "not_fetched": "could not be fetched",
    "unreadable": "cannot be opened",
    "no_face": "no face",
    "several_faces": "several faces",
    "small_face": "the face is too small",
    "twice": "the same file twice",
    "someone_else": "does not agree with the others",
    "enough": f"more than {KEEP}",
    "removed": "you removed it after an earlier run",
}


def names_to_collect(path: str | Path | None = None) -> dict[str, str]:
    """Return names and what to search for, {"Shushma_Swaraj": "Sushma Swaraj", ...}.

    They come from a CSV file with the columns name and search; data/people_to_collect.csv by default.
    """
    text = Path(path or paths.DATA / "people_to_collect.csv").read_text(encoding="utf-8-sig")
    return {row["name"]: row.get("search") or row["name"] for row in csv.DictReader(text.splitlines())}


def collect_people(
    names: dict[str, str] | list[str] | str | None = None,
    people: str | Path | None = None,
    api: str = API,
    pause: float = PAUSE,
) -> pd.DataFrame:
    """Search, download, look, and keep what is free, shows one face, and agrees with the others.

    `names` are one name, several, or names with what to search for, by default `names_to_collect`; `pause` are the
    seconds between two requests to `api`. What was found and fetched is kept in data/downloads/commons: a run that
    was stopped goes on there. Kept photos go to people/Name/ (data/people by default), their credits to
    people/credits.csv. What you delete from there stays away.

    Returned is a row per photo that was found: person, title, verdict (see VERDICTS), reason, similarity to the
    others, file (where the download lies), source (address of its page). Raises CommonsError if Wikimedia Commons
    cannot be asked.
    """
    names = names_to_collect() if names is None else [names] if isinstance(names, str) else names
    wanted = names if isinstance(names, dict) else {name: name for name in names}
    client, tables = Commons(api, pause), []
    for name, words in wanted.items():
        table = _collect_one(client, folder_name(name), words.replace("_", " "), people)
        tables.append(table)
        print(f"{name}: {len(table)} found, {(table.verdict == 'kept').sum()} kept")
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _collect_one(client: Commons, person: str, words: str, people: str | Path | None) -> pd.DataFrame:
    people, store = Path(people or paths.PEOPLE_DIR).expanduser(), paths.DOWNLOADS / "commons" / person
    photos = _found(client, store / "found.json", words)
    rows = [_fetched(client, photo, store) for photo in tqdm(photos, desc=person, unit="photo", leave=False)]
    table = pd.DataFrame(rows, columns=["title", "verdict", "file", "sha256", "source"])
    table.insert(0, "person", person)
    table["similarity"] = np.nan
    _look(table)
    good = table.index[(table.verdict == "") & ~table.sha256.duplicated()]
    table.loc[(table.verdict == "") & table.sha256.duplicated(), "verdict"] = "twice"
    _keep_those_that_agree(table, good)
    _save_kept(table, {photo.title: photo for photo in photos}, people)
    table["reason"] = table.verdict.map(VERDICTS)
    return table.drop(columns="sha256")


def _found(client: Commons, path: Path, words: str) -> list[CommonsPhoto]:
    """Search, or take the result of an earlier search for the same words."""
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["words"] == words:
            return [CommonsPhoto(**photo) for photo in stored["photos"]]
    photos = client.search(words, LOOK_AT)
    stored = {"words": words, "photos": [photo.as_dict() for photo in photos]}
    write_atomically(path, json.dumps(stored, ensure_ascii=False, indent=1).encode())
    return photos


def _fetched(client: Commons, photo: CommonsPhoto, store: Path) -> dict:
    """Download one photo unless its licence or kind rules it out; a file that is there is not asked for."""
    row = {"title": photo.title, "verdict": "", "file": "", "sha256": "", "source": photo.source}
    if not photo.free:
        return row | {"verdict": "not_free"}
    if photo.mime not in PICTURES:
        return row | {"verdict": "kind"}
    target = store / f"{photo.page}{PICTURES[photo.mime]}"
    if not target.exists():
        part = target.with_name(f"{target.name}.part")
        try:
            client.fetch(photo, part)
        except DownloadError as error:
            return row | {"verdict": "not_fetched", "title": f"{photo.title} ({error})"}
        part.replace(target)
    return row | {"file": str(target), "sha256": sha256_of(target)}


def _look(table: pd.DataFrame) -> None:
    """Open the photos and find their faces; `verdict` stays empty where there is exactly one large one."""
    for i in table.index[table.verdict == ""]:
        path, value = table.file[i], table.sha256[i]
        try:
            faces = detect_photos([path], [value], progress=False)[value]
        except PhotoError:
            table.loc[i, "verdict"] = "unreadable"
            continue
        if len(faces) != 1:
            table.loc[i, "verdict"] = "several_faces" if faces else "no_face"
        elif min(faces[0].box[2] - faces[0].box[0], faces[0].box[3] - faces[0].box[1]) < SMALLEST:
            table.loc[i, "verdict"] = "small_face"


def _keep_those_that_agree(table: pd.DataFrame, good: pd.Index) -> None:
    if not len(good):
        return
    files, sums = [Path(table.file[i]) for i in good], [table.sha256[i] for i in good]
    found = detect_photos(files, sums, progress=False)
    faces = [found[value][0] for value in sums]
    embeddings = embed_faces(files, sums, faces, find_backbone(BACKBONE), progress=False)
    member, similarity = largest_agreement(embeddings)
    table.loc[good, "similarity"] = similarity
    table.loc[good, "verdict"] = np.where(member, "kept", "someone_else")
    kept = good[member]
    best = table.similarity[kept].sort_values(ascending=False, kind="stable").index
    table.loc[best[KEEP:], "verdict"] = "enough"


def largest_agreement(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the largest set of photos, (n, d) float32 unit rows, that show one person.

    It starts with the photo that most others agree with, and is then made of all that agree with its mean, until
    nothing changes. Returned is who belongs to it, (n,) bool (nobody, if fewer than ENOUGH agree), and each photo's
    similarity to the mean of the others in the set, (n,).
    """
    near = embeddings @ embeddings.T
    member = near[(near >= AGREE).sum(1).argmax()] >= AGREE
    for _ in range(10):
        total = embeddings[member].sum(0)
        others = total - embeddings * member[:, None]
        length = np.maximum(np.linalg.norm(others, axis=1), 1e-9)
        similarity = (others * embeddings).sum(1) / length
        if np.array_equal(similarity >= AGREE, member):
            break
        member = similarity >= AGREE
    return (member if member.sum() >= ENOUGH else np.zeros(len(member), bool)), similarity


def _save_kept(table: pd.DataFrame, photos: dict[str, CommonsPhoto], people: Path) -> None:
    """Copy the kept photos into people/Name/ and write their credits."""
    known, new = read_credits(people), []
    for i in table.index[table.verdict == "kept"]:
        photo, person = photos[table.title[i]], table.person[i]
        shown = f"{person}/{person}_{photo.page}{Path(table.file[i]).suffix}"
        if shown in known and not (people / shown).exists():
            table.loc[i, "verdict"] = "removed"
            continue
        write_atomically(people / shown, Path(table.file[i]).read_bytes())
        new.append({"path": shown} | photo.as_dict())
    if new:
        add_credits(people, new)


def collection_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Count, per person, how many photos were found, kept, and left out for which reason; from `collect_people`."""
    counted = table.groupby(["person", "reason"]).size().unstack(fill_value=0)
    counted = counted[[reason for reason in VERDICTS.values() if reason in counted]]
    counted.insert(0, "found", counted.sum(axis=1))
    return counted


def main(arguments: list[str] | None = None) -> int:
    """Collect from the command line; returns 0, or 1 if Wikimedia Commons cannot be asked."""
    parser = argparse.ArgumentParser(prog="python -m facecourse.commons.collect", description=__doc__)
    parser.add_argument("names", nargs="*", help="whom to look for; by default data/people_to_collect.csv")
    parser.add_argument("--people", help="folder to put them into; by default data/people")
    parser.add_argument("--api", default=API, help="address of the MediaWiki API")
    options = parser.parse_args(arguments)
    try:
        table = collect_people(options.names or None, options.people, options.api)
    except CommonsError as error:
        print(error, file=sys.stderr)
        return 1
    print(collection_summary(table).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
