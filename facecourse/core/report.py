"""The figures of a run: outputs/<profile>/report.json."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from facecourse.core.files import write_atomically
from facecourse.core.paths import outputs_for

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
OF_ANY_BACKBONE = ("identities", "images", "faces_found")


def empty_report(profile: str) -> dict:
    """Return a report in which no figure has been measured: every one of them is None.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".
    """
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
    """Write measured figures into report.json; dictionaries are merged into their entry.

    Another backbone than before makes the figures that were measured with the old one None.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".
    **figures
        Numbers, strings or None by the names of the report; `seconds` and `export` take dictionaries. A
        figure that is nan or infinite was not measured, and becomes None.

    Returns
    -------
    dict
        The whole report after the change.
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
    """Turn NumPy's numbers into Python's, and what JSON does not know into None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(profile: str, report: dict) -> None:
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    write_atomically(outputs_for(profile) / "report.json", text.encode())


@contextmanager
def stage(profile: str, name: str) -> Iterator[None]:
    """Measure the wall time of a block in seconds and record it as seconds[name], if nothing longer stands there.

    A second call in the same run finds everything in the caches; what counts is the one that did the work.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".
    name : str
        "detect", "embed", "train" or "total".
    """
    start = time.perf_counter()
    yield
    spent = round(time.perf_counter() - start, 2)
    before = (load_report(profile).get("seconds") or {}).get(name) or 0.0
    record(profile, seconds={name: max(spent, before)})
