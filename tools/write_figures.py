"""`make results`: write measured figures into README.md and the two cards, between marks, from docs/figures.json.

docs/figures.json is what `make publish` measured; no figure in these files is typed by hand.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS = {
    "backbone": "Backbone",
    "identities": "Identities",
    "images": "Photos",
    "faces_found": "Photos with a face found",
    "val_top1": "Top-1 on held-out photos (course_split)",
    "val_top1_own": "The same, the people of data/people alone",
    "seed_split_top1": "Top-1, 30 % of each identity's photos held out (seed_split)",
    "lfw_accuracy": "LFW verification, 10 folds",
    "lfw_std": "Its standard error",
    "tar_at_far_1e3": "TAR at FAR = 0.001",
    "unknown_far": "Strangers who get a name (FAR)",
    "unknown_frr": "Known people refused at that threshold (FRR)",
}
FILES = ("README.md", "docs/MODEL_CARD.md", "docs/DATA_CARD.md")


def results_table(figures: dict) -> str:
    """One column per profile, one row per figure of its report."""
    profiles = _profiles(figures)
    lines = _head(["", *(f"`{profile}`" for profile in profiles)])
    for key, words in ROWS.items():
        lines.append(_row([words, *(_cell(figures[profile][key]) for profile in profiles)]))
    for stage in ("detect", "embed", "train", "total"):
        cells = [_cell(figures[profile]["seconds"][stage], " s") for profile in profiles]
        lines.append(_row([f"Seconds, {stage}", *cells]))
    return "\n".join(lines) + f"\n\nMeasured on {figures['machine']}, with {figures['caches']} caches."


def notebooks_table(figures: dict, before: str) -> str:
    """Fill in the last two columns, and keep the others as they stand in the file."""
    lines = []
    for line in before.strip().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if name := re.match(r"\[(\w+)\]", cells[0]):
            for place, profile in ((-2, "sample"), (-1, "lfw")):
                seconds = figures.get(profile, {}).get("notebooks", {}).get(name[1])
                cells[place] = _duration(seconds)
            line = _row(cells)
        lines.append(line)
    return "\n".join(lines)


def groups_table(figures: dict) -> str:
    """Right, wrong and refused photos of the rendered people, by what is known about them."""
    lines = _head(["Label", "Group", "People", "Photos", "Right", "Wrong", "Refused", "Right, 95 % interval"])
    for row in figures["groups"]["rows"]:
        low, high = row["interval"]
        cells = [row[key] for key in ("label", "group", "people", "photos", "right", "wrong", "refused")]
        lines.append(_row([*map(str, cells), f"{low:.3f} to {high:.3f}"]))
    return figures["groups"]["protocol"] + "\n\n" + "\n".join(lines)


def export_table(figures: dict) -> str:
    """Size of the exported network and its distance from torch."""
    profiles = _profiles(figures)
    lines = _head(["", *(f"`{profile}`" for profile in profiles)])
    sizes = [_cell(figures[profile]["export"]["onnx_mb"], " MB") for profile in profiles]
    parts = [figures[profile]["export"]["parity_max_abs_diff"] for profile in profiles]
    lines.append(_row(["Size of the exported network", *sizes]))
    lines.append(
        _row(["Largest difference to torch", *("-" if part is None else f"{part:.1e}" for part in parts)])
    )
    return "\n".join(lines)


BLOCKS: dict[str, Callable[..., str]] = {
    "results": lambda figures, before: results_table(figures),
    "notebooks": notebooks_table,
    "groups": lambda figures, before: groups_table(figures),
    "export": lambda figures, before: export_table(figures),
}


def filled(text: str, figures: dict) -> str:
    """Return a text with every block between `<!-- figures: NAME ... -->` and `<!-- end: NAME -->` written anew.

    Raises
    ------
    KeyError
        If a block has a name that is not known.
    """

    def write(match: re.Match) -> str:
        block = BLOCKS[match["name"]](figures, match["before"])
        return f"{match['start']}\n\n{block}\n\n{match['end']}"

    pattern = r"(?P<start><!-- figures: (?P<name>\w+).*?-->)(?P<before>.*?)(?P<end><!-- end: (?P=name) -->)"
    return re.sub(pattern, write, text, flags=re.S)


def main() -> None:
    """Rewrite the blocks of all files."""
    figures = json.loads((ROOT / "docs/figures.json").read_text())
    for name in FILES:
        path = ROOT / name
        path.write_text(filled(path.read_text(), figures))


def _profiles(figures: dict) -> list[str]:
    return [profile for profile in ("sample", "lfw") if profile in figures]


def _head(cells: list[str]) -> list[str]:
    return [_row(cells), "| --- |" + " ---: |" * (len(cells) - 1)]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.0f} s" if seconds < 99.5 else f"{seconds / 60:.1f} min"


def _cell(value, unit: str = "") -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}{unit}" if unit else f"{value:.4f}"
    return f"{value:,}{unit}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
