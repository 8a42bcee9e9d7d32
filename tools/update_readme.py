"""`make results`: write the table of results into README.md from the reports of the last runs."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START, END = (
    "<!-- results: written by `make results` from outputs/*/report.json -->\n",
    "<!-- end of results -->",
)
ROWS = {
    "backbone": "Backbone",
    "identities": "Identities",
    "images": "Photos",
    "faces_found": "Photos with a face found",
    "val_top1": "Top-1 on held-out photos (course_split)",
    "val_top1_own": "The same, your own people alone",
    "seed_split_top1": "Top-1, 30 % of each identity's photos held out (seed_split)",
    "lfw_accuracy": "LFW verification, 10 folds",
    "lfw_std": "Its standard error",
    "tar_at_far_1e3": "TAR at FAR = 0.001",
    "unknown_far": "Strangers who get a name (FAR)",
    "unknown_frr": "Known people refused at that threshold (FRR)",
}


def main() -> None:
    """Replace what stands between the two marks in README.md."""
    reports = [json.loads(path.read_text()) for path in sorted(ROOT.glob("outputs/*/report.json"))]
    reports = sorted(
        (r for r in reports if r["val_top1"] is not None), key=lambda r: r["profile"] != "sample"
    )
    lines = ["| | " + " | ".join(f"`{report['profile']}`" for report in reports) + " |"]
    lines.append("| --- |" + " ---: |" * len(reports))
    for key, words in ROWS.items():
        lines.append(f"| {words} | " + " | ".join(_cell(report[key]) for report in reports) + " |")
    for stage in ("detect", "embed", "train", "total"):
        cells = [_cell(report["seconds"][stage], " s") for report in reports]
        lines.append(f"| Seconds, {stage} | " + " | ".join(cells) + " |")
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + "\n" + "\n".join(lines) + "\n\n" + END + rest.split(END)[1])


def _cell(value, unit: str = "") -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}{unit}" if unit else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
