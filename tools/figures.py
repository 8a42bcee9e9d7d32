"""`make results PROFILE=...`: put a run's figures into docs/figures.json, and the tables made from it into the texts.

A table is between `<!-- figures: NAME ... -->` and `<!-- end: NAME -->`; no figure in it is typed by hand.
"""

import json
import re
import sys
from pathlib import Path

from facecourse.core.paths import OUTPUTS, ROOT

ROWS = {
    "backbone": "Backbone",
    "identities": "Identities",
    "images": "Photos",
    "faces_found": "Photos with a face found",
    "test_top1": "Top-1 on held-out photos (course_split)",
    "val_top1_own": "The same, the people of data/people alone",
    "seed_split_top1": "Top-1, 30 % of each identity's photos held out (seed_split)",
    "lfw_accuracy": "LFW verification, 10 folds",
    "lfw_std": "Its standard error",
    "tar_at_far_1e3": "TAR at FMR = 0.001",
    "unknown_far": "Strangers who get a name (FPIR)",
    "unknown_frr": "Known people refused or misnamed at that threshold (FNIR)",
    "detect": "Seconds, detect",
    "embed": "Seconds, embed",
    "train": "Seconds, train",
    "total": "Seconds, total",
    "onnx_mb": "Size of the exported network, MB",
    "parity_max_abs_diff": "Its largest difference to torch, in 32 bits",
}
COSTS = {
    "speed_1": "Photos/s, 1 core",
    "speed_2": "2 cores",
    "memory": "Peak memory, MB",
    "weights": "Weights, MB",
    "packages": "Packages, MB",
}
ACCURACY = {
    "no_face": "LFW, photos without a face",
    "folds": "LFW, accuracy over folds",
    "lfw_1e-3": "LFW, TAR at FMR 1e-3",
    "lfw_1e-4": "LFW, TAR at FMR 1e-4",
    "people_1e-3": "people.zip, TAR at FMR 1e-3",
    "fnir": "Its ten enrolled, FNIR at FPIR 1 %",
    "celebrities_1e-3": "Celebrities, TAR at FMR 1e-3",
}
LESS_IS_BETTER = ("memory", "weights", "packages", "no_face", "fnir")
GROUPS = ("label", "group", "people", "photos", "right", "wrong", "refused", "interval")


def add(profile: str, folder: Path) -> None:
    """Put the run in `folder` (report.json, seconds.json, perhaps groups.json) into docs/figures.json and the texts.

    A run of some notebooks alone changes what it measured; the other figures of the profile stay.
    """
    report = json.loads((folder / "report.json").read_text())
    if (folder / "groups.json").exists():
        put("groups", json.loads((folder / "groups.json").read_text()))
    report["notebooks"] = json.loads((folder / "seconds.json").read_text())
    before = known().get(profile, {})
    same = before.get("backbone") == report.get("backbone")  # no figure of one network under another's name
    put(profile, _newer(report, before) if same else report)


def _newer(value, before):
    """Return a figure as it is measured now, or as it was where it is None now; so, too, by name in dictionaries."""
    if isinstance(value, dict) and isinstance(before, dict):
        return before | {name: _newer(part, before.get(name)) for name, part in value.items()}
    return before if value is None else value


def known() -> dict:
    """Return docs/figures.json."""
    return json.loads((ROOT / "docs/figures.json").read_text())


def put(key: str, figures: dict | list) -> None:
    """Put figures into docs/figures.json under `key`, and write the texts' tables anew."""
    found = known() | {key: figures}
    (ROOT / "docs/figures.json").write_text(json.dumps(found, indent=1) + "\n")
    for name in ("README.md", "docs/MODEL_CARD.md"):
        text = (ROOT / name).read_text()
        (ROOT / name).write_text(filled(text, found))


def filled(text: str, found: dict) -> str:
    """Return a text with all its tables written anew."""

    def write(match: re.Match) -> str:
        table = TABLES[match["name"]](found, match["before"])
        return f"{match['start']}\n\n{table}\n\n{match['end']}"

    pattern = r"(?P<start><!-- figures: (?P<name>\w+).*?-->)(?P<before>.*?)(?P<end><!-- end: (?P=name) -->)"
    return re.sub(pattern, write, text, flags=re.S)


def results(found: dict, before: str) -> str:
    """One column per profile, one row per figure of its report with its interval, and below what each was measured on."""
    runs = {profile: found[profile] for profile in ("sample", "lfw") if profile in found}
    flat = [run | run["seconds"] | run["export"] for run in runs.values()]
    rows = [
        [title, *(_cell(key, run.get(key), (run.get("intervals") or {}).get(key)) for run in flat)]
        for key, title in ROWS.items()
    ]
    machines = {run["machine"]: [] for run in runs.values()}
    for profile, run in runs.items():
        machines[run["machine"]].append(f"`{profile}`")
    where = "; ".join(f"{' and '.join(profiles)} on {machine}" for machine, profiles in machines.items())
    return f"{_table(['', *(f'`{profile}`' for profile in runs)], rows)}\n\nMeasured: {where}."


def notebooks(found: dict, before: str) -> str:
    """The table as it is, with the seconds of each profile in the last two columns."""
    head, rule, *lines = before.strip().splitlines()
    for number, line in enumerate(lines):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name = re.match(r"\[(\w+)\]", cells[0])[1]
        spent = [found.get(profile, {}).get("notebooks", {}).get(name) for profile in ("sample", "lfw")]
        cells[-2:] = ["-" if s is None else f"{s:.0f} s" if s < 99.5 else f"{s / 60:.1f} min" for s in spent]
        lines[number] = _row(cells)
    return "\n".join([head, rule, *lines])


def groups(found: dict, before: str) -> str:
    """Right, wrong and refused photos of the rendered people, by what is known about them."""
    rows = [[str(row[key]) for key in GROUPS] for row in found["groups"]]
    return _table(
        ["Label", "Group", "People", "Photos", "Right", "Wrong", "Refused", "Right, 95 % interval"], rows
    )


def vault(found: dict, before: str) -> str:
    """What `tools.vault` found among the people whom nothing was chosen by."""
    return (
        _table(["", "vault"], [list(row) for row in found["vault"].items()])
        if "vault" in found
        else before.strip()
    )


def smaller(found: dict, before: str) -> str:
    """What `tools.smaller` found: size, time and TAR of networks without some of their blocks."""
    if "smaller" not in found:
        return before.strip()
    run = found["smaller"]
    return _table(["", *run["columns"]], [[name, *cells] for name, cells in run["rows"].items()])


def worse(found: dict, before: str) -> str:
    """FNMR of LFW's pairs after one photo of each was made worse, as notebook 04 found it."""
    rows = [
        [*name.rsplit(" ", 1), f"{value:.1%} [{low:.0%}, {high:.0%}]"]
        for name, (value, low, high) in (found["lfw"].get("worse") or {}).items()
    ]
    return _table(["One photo of each pair", "Level", "FNMR"], rows) if rows else before.strip()


def peers(found: dict, before: str) -> str:
    """What each system costs, by machine, and how often it is right, as the benchmark of the peers found."""
    if "peers" not in found:
        return before.strip()
    run, parts = found["peers"], []
    for machine, costs in run["costs"].items():
        parts += [f"{costs['date']}, {machine}:", _best_bold(costs["systems"], COSTS)]
    counts = (f"{name} {photos:,} of {people:,}" for name, (photos, people) in run["photos"].items())
    told = f"Accuracy: {run['pairs']:,} pairs in LFW's folds, else all pairs; photos of people: {', '.join(counts)}."
    return "\n\n".join([*parts, told, _best_bold(run["accuracy"], ACCURACY)])


def _best_bold(systems: dict[str, dict], columns: dict[str, str]) -> str:
    """A row per system; the best of each column is bold."""
    rows = [[name] for name in systems]
    for key in columns:
        values = [system[key] for system in systems.values()]
        first = [value[0] if isinstance(value, list) else value for value in values]
        best = (min if key in LESS_IS_BETTER else max)(value for value in first if value is not None)
        for row, number, value in zip(rows, first, values, strict=True):
            row.append(f"**{_figure(key, value)}**" if number == best else _figure(key, value))
    return _table(["", *columns.values()], rows)


def _figure(key: str, value: float | list[float] | None) -> str:
    if value is None:
        return "n/a"
    if key == "folds":
        return "{:.4f} ± {:.4f}".format(*value)
    if isinstance(value, list):
        return "{:.3f} [{:.3f}, {:.3f}]".format(*value)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


TABLES = {
    "peers": peers,
    "results": results,
    "notebooks": notebooks,
    "groups": groups,
    "vault": vault,
    "smaller": smaller,
    "worse": worse,
}


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(map(_row, [head, ["---", *["---:"] * (len(head) - 1)], *rows]))


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(key: str, value, interval: list[float] | None = None) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, str | int):
        return f"{value:,}" if isinstance(value, int) else value
    if key in ("detect", "embed", "train", "total", "onnx_mb"):
        return f"{value:.0f}"
    if key == "parity_max_abs_diff":
        return f"{value:.1e}"
    return f"{value:.4f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


if __name__ == "__main__":
    add(sys.argv[1], OUTPUTS / sys.argv[1])
