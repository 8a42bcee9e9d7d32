"""Who made a collected photo and under which licence: credits.csv, beside the people's folders."""

import csv
import io
from pathlib import Path

from facecourse.core.cache import write_atomically

COLUMNS = ("path", "title", "author", "licence", "licence_url", "source")


def read_credits(people: Path) -> dict[str, dict[str, str]]:
    """Return the rows of people/credits.csv by path ("Name/Name_123.jpg"); empty where there is none."""
    path = Path(people) / "credits.csv"
    if not path.exists():
        return {}
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    return {row["path"]: row for row in rows if row.get("path")}


def add_credits(people: Path, rows: list[dict[str, str]]) -> None:
    """Add rows to people/credits.csv, or renew them; others stay."""
    known = read_credits(people) | {row["path"]: row for row in rows}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(known[path] for path in sorted(known))
    write_atomically(Path(people) / "credits.csv", text.getvalue().encode("utf-8-sig"))
