"""Which photo files there are, whose they are and who made them, without opening any."""

import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from facecourse.core import paths
from facecourse.core.cache import write_atomically

CREDITS = ("path", "title", "author", "licence", "licence_url", "source")  # columns of credits.csv
SIDE_FILES = {"credits.csv", "flags.csv", "readme.md", "thumbs.db", "desktop.ini"}
WINDOWS_RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}
FRESH_NS = 2_000_000_000  # a file changed twice within a clock tick looks unchanged: don't trust a young one


@dataclass(frozen=True)
class PhotoFile:
    """One file in a person's folder."""

    path: str  # where to open it
    display_path: (
        str  # as the manifest has it: with forward slashes, relative to the project where it lies inside
    )
    person: str  # made from the folder's name, see `person_name`
    source: str
    licence: str
    fingerprint: str  # changes whenever the file does; "" if it must not be relied on
    problem: str = ""  # why it cannot be read at all


def person_name(folder: str) -> str:
    """Turn a folder's name into the person's, as LFW writes it: "Zoë Saldaña" -> "Zoë_Saldaña".

    Unicode is brought into one form (NFC: macOS and Linux store accents differently).
    """
    return re.sub(r"[\s_]+", "_", unicodedata.normalize("NFC", folder)).strip("_") or folder


def folder_name(person: str) -> str:
    """Turn what somebody typed as a name into a folder name that every system takes; ValueError if nothing is left of
    it.
    """
    composed = unicodedata.normalize("NFC", person)
    kept = "".join(c for c in composed if c.isprintable() and c not in '<>:"/\\|?*')
    name = re.sub(r"[\s_]+", "_", kept).strip("_")
    while len(name.encode()) > 200:  # 255 bytes is the limit, and a file name repeats it with a number
        name = name[:-1]
    name = name.rstrip(".")  # Windows takes no dot at the end
    if not name.strip("._"):
        raise ValueError(f"{person!r} cannot be used as a name: it needs at least one letter or digit")
    if name.startswith("."):
        name = f"_{name}"  # a leading dot would hide the folder
    return f"{name}_" if name.split(".")[0].lower() in WINDOWS_RESERVED else name


def name_key(person: str) -> str:
    """Return what is left of a name without case, accents and punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", person) if not unicodedata.combining(c))
    return "".join(c for c in bare.casefold() if c.isalnum())


def scan(folder: Path, source: str, licence: str) -> tuple[list[PhotoFile], list[dict]]:
    """List the files of a folder with one sub-folder per person, whose own folders belong to that person.

    Returned are the files in order of their path, and notices {check, person, path, reason} about what holds no
    photos. Raises FileNotFoundError if there is no such folder.
    """
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    inside = root.is_relative_to(paths.ROOT)
    display_root = (root.relative_to(paths.ROOT) if inside else root).as_posix()
    files, notices = [], []
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        display = f"{display_root}/{entry.name}"
        if _ignored(entry.name):
            continue
        if not entry.is_dir():
            notices.append(_notice("stray_file", "", display, "lies in no person's folder"))
            continue
        person = person_name(entry.name)
        found = [_photo_file(*place, person, source, licence) for place in _below(entry.path, display)]
        if not found:
            notices.append(_notice("empty_folder", person, display, "holds no files"))
        files += found
    return files, notices


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in SIDE_FILES or name.endswith((".part", ".tmp"))


def _notice(check: str, person: str, path: str, reason: str) -> dict:
    return {"check": check, "person": printable(person), "path": printable(path), "reason": reason}


def printable(text: str) -> str:
    """Show bytes that are no Unicode as escapes, so that they can be written into a table."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _below(folder: str, display: str) -> Iterator[tuple[str, str]]:
    """Yield every file below a folder, in order; a folder that cannot be listed is given like a file, to be reported."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield folder, display
        return
    for entry in entries:
        if _ignored(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, f"{display}/{entry.name}")
        else:
            yield entry.path, f"{display}/{entry.name}"


def _photo_file(path: str, display: str, person: str, source: str, licence: str) -> PhotoFile:
    fingerprint = problem = ""
    try:
        found = Path(path).stat()
        if stat.S_ISREG(found.st_mode):
            if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) >= FRESH_NS:
                fingerprint = f"{path}|{found.st_size}|{found.st_mtime_ns}|{found.st_ctime_ns}"
        else:  # opening a named pipe would wait for ever
            problem = "it is not a file"
    except OSError as error:
        problem = f"it cannot be opened: {error.strerror}"
    if printable(display) != display:
        fingerprint, problem = "", "its name is not valid Unicode; rename it"
    return PhotoFile(path, printable(display), printable(person), source, licence, fingerprint, problem)


def read_credits(people: Path) -> dict[str, dict[str, str]]:
    """Return the rows of people/credits.csv by path ("Name/Name_123.jpg"); empty where there is none."""
    path = Path(people).expanduser() / "credits.csv"
    if not path.exists():
        return {}
    # A spreadsheet in Berlin writes semicolons.
    table = pd.read_csv(
        path, sep=None, engine="python", dtype=str, encoding="utf-8-sig", keep_default_na=False
    )
    rows = table.reindex(columns=CREDITS, fill_value="").to_dict("records")
    return {row["path"]: row for row in rows if row["path"]}


def add_credits(people: Path, rows: list[dict[str, str]]) -> None:
    """Add rows to people/credits.csv, or renew them; others stay."""
    known = read_credits(people) | {row["path"]: row for row in rows}
    table = pd.DataFrame([known[path] for path in sorted(known)], columns=CREDITS)
    write_atomically(
        Path(people) / "credits.csv", table.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")
    )
