"""The figures of a run: outputs/<profile>/report.json."""

import json
import math

import numpy as np

from facecourse.core.cache import write_atomically
from facecourse.core.paths import outputs_for

# What each figure of a run holds; None where a profile does not have it.
FIGURES = {
    "backbone": "name of the network, with -int8 for 8 bits",
    "identities": "people in the manifest",
    "images": "photo files in the manifest",
    "faces_found": "photos in which a face was found",
    "val_top1": "closed-set top-1 of the chosen head on val, which chose it",
    "test_top1": "the same on test, which chose nothing",
    "val_top1_own": "top-1 on the test photos of the reader's own people",
    "seed_split_top1": "top-1 by the split of the original project, 30 % of each identity's photos held out",
    "lfw_accuracy": "LFW's 6,000 pairs, mean accuracy of ten folds",
    "lfw_std": "its standard error",
    "tar_at_far_1e3": "TAR at FMR 0.001 over the pairs of question 2",
    "cosines": "pairs in a hundred bins of the cosine from -1 to 1, mated and non-mated",
    "worse": "FNMR, with its interval, by what was done to one photo of each pair, at the cosine of FMR 0.001 as they are",
    "clusters": "BCubed precision and recall, with intervals, by distance, on the people reported; how many they are",
    "unknown_far": "FPIR: share of strangers' photos, which chose nothing, that get a name",
    "unknown_frr": "FNIR: share of known people's test photos refused or misnamed at the same threshold",
    "intervals": "95 % intervals of the shares above, by name: people are drawn anew",
}
STAGES = {
    "detect": "reading, checking and searching the photos",
    "embed": "cutting and embedding the faces",
    "train": "training the heads",
    "total": "all six notebooks",
}
EXPORT = {
    "onnx_mb": "size of the deployed backbone, 10**6 bytes",
    "parity_max_abs_diff": "largest difference of its 32-bit export to torch",
}
OF_ANY_BACKBONE = ("identities", "images", "faces_found")


def empty_report(profile: str) -> dict:
    """Return a report in which no figure has been measured: every one of them is None."""
    return {
        "profile": profile,
        **dict.fromkeys(FIGURES),
        "seconds": dict.fromkeys(STAGES),
        "export": dict.fromkeys(EXPORT),
    }


def start_report(profile: str) -> None:
    """Begin a run with an empty report, so that no figure of an earlier run is taken for one of this run."""
    _write(profile, empty_report(profile))


def load_report(profile: str) -> dict:
    """Return the report of `profile` as it stands; figures not measured yet are None."""
    path = outputs_for(profile) / "report.json"
    report = empty_report(profile)
    if path.exists():
        report.update(json.loads(path.read_text(encoding="utf-8")))
    return report


def record(profile: str, **figures) -> dict:
    """Write measured figures into report.json, and return all of it.

    `figures` are by the names of FIGURES; dictionaries (`seconds`, `export`, `intervals`) are merged into their
    entry. Nan and infinity, which were not measured, become None. Another backbone makes the figures that were measured
    with the old one None.
    """
    report = load_report(profile)
    if figures.get("backbone", report["backbone"]) != report["backbone"] is not None:
        seconds = {**report["seconds"], "embed": None, "train": None, "total": None}
        kept = {name: report[name] for name in OF_ANY_BACKBONE}
        report = {**empty_report(profile), **kept, "seconds": seconds}
    for name, value in figures.items():
        if isinstance(value, dict):
            report[name] = {**(report.get(name) or {}), **{k: _plain(v) for k, v in value.items()}}
        else:
            report[name] = _plain(value)
    _write(profile, report)
    return report


def _plain(value):
    """Turn NumPy's numbers into Python's, also in a list, and what JSON does not know into None."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(profile: str, report: dict) -> None:
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    write_atomically(outputs_for(profile) / "report.json", text.encode())


def keep_longest(profile: str, **seconds: float) -> None:
    """Record the seconds of stages (see STAGES), each unless this run has measured a longer time already.

    A second call in the same run finds everything in the caches; what counts is the one that did the work.
    """
    before = load_report(profile)["seconds"]
    record(
        profile, seconds={name: max(round(spent, 2), before[name] or 0.0) for name, spent in seconds.items()}
    )
