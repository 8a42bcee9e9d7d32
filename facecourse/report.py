"""The figures of a run: outputs/<profile>/report.json."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from facecourse.settings import outputs_for

FIGURES = (
    "backbone",
    "identities",
    "images",
    "faces_found",
    "val_top1",
    "val_top1_own",
    "seed_split_top1",
    "lfw_accuracy",
    "lfw_std",
    "tar_at_far_1e3",
    "unknown_far",
    "unknown_frr",
)
STAGES = ("detect", "embed", "train", "total")
EXPORT = ("onnx_mb", "parity_max_abs_diff")


def empty_report(profile: str) -> dict:
    """Return a report in which no figure has been measured: every one of them is None."""
    return {
        "profile": profile,
        **dict.fromkeys(FIGURES),
        "seconds": dict.fromkeys(STAGES),
        "export": dict.fromkeys(EXPORT),
    }


def load_report(profile: str) -> dict:
    """Return the report of `profile` as it stands; figures not measured yet are None."""
    path = outputs_for(profile) / "report.json"
    report = empty_report(profile)
    if path.exists():
        report.update(json.loads(path.read_text()))
    return report


def record(profile: str, **figures) -> dict:
    """Write measured figures into report.json; dictionaries are merged into their entry.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".
    **figures
        Numbers, strings or None by the names of the report; `seconds` and `export` take dictionaries.

    Returns
    -------
    dict
        The whole report after the change.
    """
    report = load_report(profile)
    for name, value in figures.items():
        if isinstance(value, dict):
            report[name] = {**(report.get(name) or {}), **value}
        else:
            report[name] = value
    path = outputs_for(profile) / "report.json"
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(report, indent=2, default=float) + "\n")
    partial.replace(path)  # a reader never sees half a report
    return report


@contextmanager
def stage(profile: str, name: str) -> Iterator[None]:
    """Measure the wall time of a block in seconds and record it as seconds[name]."""
    start = time.perf_counter()
    yield
    record(profile, seconds={name: round(time.perf_counter() - start, 2)})
