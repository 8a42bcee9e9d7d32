"""Who made a collected photo and under which licence: credits.csv, beside the people's folders."""

from pathlib import Path

import pandas as pd

from facecourse.core.cache import write_atomically

COLUMNS = ("path", "title", "author", "licence", "licence_url", "source")


def read_credits(people: Path) -> dict[str, dict[str, str]]:
    """Return the rows of people/credits.csv by path ("Name/Name_123.jpg"); empty where there is none."""
    path = Path(people) / "credits.csv"
    if not path.exists():
        return {}
    rows = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False).to_dict("records")
    return {row["path"]: row for row in rows if row["path"]}


def add_credits(people: Path, rows: list[dict[str, str]]) -> None:
    """Add rows to people/credits.csv, or renew them; others stay."""
    known = read_credits(people) | {row["path"]: row for row in rows}
    table = pd.DataFrame([known[path] for path in sorted(known)], columns=COLUMNS)
    write_atomically(
        Path(people) / "credits.csv", table.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")
    )
