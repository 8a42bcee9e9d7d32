"""The reader's decisions about photos with a problem, kept in data/flags.csv."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from facecourse.core import paths
from facecourse.core.cache import write_atomically

COLUMNS = ("path", "person", "problem", "reason", "flag", "sha256")
DECISIONS = ("", "keep", "drop")


class FlagsError(ValueError):
    """data/flags.csv cannot be understood; it is left as it is."""


def flags_path() -> Path:
    """Return where the decisions are kept: data/flags.csv, or FACECOURSE_FLAGS, meant from the project's folder."""
    return paths.ROOT / (os.environ.get("FACECOURSE_FLAGS") or paths.DATA / "flags.csv")


def read_flags() -> list[dict[str, str]]:
    """Return the rows of data/flags.csv, however a spreadsheet has saved it.

    Raises FlagsError if a flag is neither "keep", "drop" nor empty, or a column is missing.
    """
    path = flags_path()
    if not path.exists():
        return []
    try:  # a spreadsheet in Berlin writes semicolons
        table = pd.read_csv(
            path, sep=None, engine="python", dtype=str, encoding="utf-8-sig", keep_default_na=False
        )
    except UnicodeDecodeError:
        raise FlagsError(f"{path.name} is not saved as UTF-8: save it as “CSV UTF-8”") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise FlagsError(f"{path.name} is no table: {error}") from None
    if not {"path", "flag"} <= set(table):
        raise FlagsError(f"{path.name} needs the columns path and flag; it has {', '.join(table)}")
    rows = table.reindex(columns=COLUMNS, fill_value="").to_dict("records")
    rows = [{column: (row[column] or "").strip() for column in COLUMNS} for row in rows]
    for number, row in enumerate(rows, start=2):
        flag = row["flag"] = row["flag"].lower()
        if flag not in DECISIONS:
            raise FlagsError(f"{path.name}, line {number}: flag must be keep, drop or empty, not {flag!r}")
    return rows


def decisions(paths: Iterable[str], sums: Iterable[str], rows: list[dict[str, str]]) -> list[str]:
    """Return the flag of each photo, given by path and SHA-256: "", "keep" or "drop"; `rows` are those of
    `read_flags`.

    A decision belongs to what the reader saw: it holds for the same file with the same content, and follows a file
    that was renamed or moved; a different photo under the old name is asked about anew.
    """
    paths, sums = list(paths), list(sums)
    here = set(paths)
    exact = {(row["path"], row["sha256"]): row["flag"] for row in rows if row["flag"]}
    moved = {row["sha256"]: row["flag"] for row in rows if row["flag"] and row["path"] not in here}
    return [
        exact.get((path, value)) or exact.get((path, "")) or (moved.get(value, "") if value else "")
        for path, value in zip(paths, sums, strict=True)
    ]


def update_flags(rows: list[dict[str, str]], paths: Iterable[str]) -> None:
    """Bring data/flags.csv up to date: `rows` are those of this run's photos with a problem or a decision.

    Decisions about other photos than `paths` (of the other profile, in a folder that is not there today) stay as they
    are, unless one of `rows` is that very photo under a new name.
    """
    here, shown = set(paths), {row["path"] for row in rows}
    moved = {row["sha256"] for row in rows if row["flag"]}
    others = [row for row in read_flags() if row["flag"] and row["path"] not in shown]
    _save(rows + [row for row in others if row["path"] in here or row["sha256"] not in moved])


def set_flag(path: str, flag: str) -> None:
    """Decide about one photo, by its path in the manifest: "keep", "drop", or "" to take the decision back."""
    if flag not in DECISIONS:
        raise ValueError(f"flag must be one of {DECISIONS}, not {flag!r}")
    rows = read_flags()
    found = [row for row in rows if row["path"] == path]
    for row in found:
        row["flag"] = flag
    if not found:
        rows.append(dict.fromkeys(COLUMNS, "") | {"path": path, "flag": flag})
    _save(rows)


def _save(rows: list[dict[str, str]]) -> None:
    table = pd.DataFrame(sorted(rows, key=lambda row: row["path"]), columns=COLUMNS)
    # Spreadsheets need the mark of utf-8-sig to see UTF-8.
    write_atomically(flags_path(), table.to_csv(index=False, lineterminator="\n").encode("utf-8-sig"))
