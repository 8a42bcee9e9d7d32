"""Run the six notebooks in order, as `make run` does, and keep what they show."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from facecourse.core.files import write_atomically
from facecourse.core.paths import PROFILES, ROOT, outputs_for
from facecourse.core.report import load_report, record, start_report
from facecourse.run.execution import execute, save

NOTEBOOKS = (
    "01_assemble_dataset",
    "02_detect_faces",
    "03_finetune",
    "04_evaluate",
    "05_deploy_lambda",
    "06_try_it",
)
FAILURES = (
    CellExecutionError,
    CellTimeoutError,
    RuntimeError,
)  # the last: a kernel that dies or does not start


class WrongSetting(ValueError):
    """PROFILE, PEOPLE or BACKBONE is something that a notebook would stumble over later."""


def run_course(profile: str, names: Sequence[str] = NOTEBOOKS) -> int:
    """Run notebooks on `profile` into outputs/<profile>/, and print the report.

    Parameters
    ----------
    profile : str
        "sample" or "lfw". PEOPLE, BACKBONE and FACECOURSE_MIRROR are read from the environment.
    names : sequence of str
        File names in notebooks/, without their ending. Any others than the six add to the report that is there.

    Returns
    -------
    int
        0; 1 if a notebook failed; 2 if a setting is wrong; 130 if it was interrupted.
    """
    try:
        check_settings(profile)
    except WrongSetting as error:
        print(error, file=sys.stderr)
        return 2
    folder, start, times = outputs_for(profile), time.perf_counter(), {}
    whole = tuple(names) == NOTEBOOKS
    if whole:
        start_report(profile)
    for name in names:
        try:
            times[name] = run_notebook(name, folder)
        except FAILURES as error:
            print(f"\n{advice(name, folder, error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\nStopped in {name}. What was computed is kept: `make run` goes on quickly from there.")
            return 130
        _note_times(folder, times)
    if whole:
        record(profile, seconds={"total": round(time.perf_counter() - start, 1)})
    _print_summary(profile, times, folder)
    return 0


def check_settings(profile: str) -> None:
    """Refuse now what would stop a notebook minutes later, and make paths independent of the folder.

    Raises
    ------
    WrongSetting
        With what is wrong and what would be right.
    """
    if profile not in PROFILES:
        raise WrongSetting(f"PROFILE must be one of {', '.join(PROFILES)}, not {profile!r}")
    for name in ("PEOPLE", "BACKBONE", "FACECOURSE_MIRROR"):  # the notebooks run in another folder
        value = os.environ.get(name, "").strip()
        if value and "://" not in value and Path(value).expanduser().exists():
            os.environ[name] = str(Path(value).expanduser().resolve())
    people, backbone = os.environ.get("PEOPLE", ""), os.environ.get("BACKBONE", "")
    if people and not Path(people).is_dir():
        raise WrongSetting(
            f"PEOPLE is {people!r}, which is no folder: give one with a folder per person in it"
        )
    if backbone and not Path(backbone).is_file():
        from facecourse.embedding.backbones import BACKBONES, EIGHT_BITS

        whole = backbone.removesuffix(EIGHT_BITS)
        if whole not in BACKBONES and not Path(whole).is_file():
            known = ", ".join(BACKBONES)
            raise WrongSetting(
                f"BACKBONE is {backbone!r}: neither one of {known}, these with {EIGHT_BITS}, nor a file that exists"
            )


def run_notebook(name: str, folder: Path) -> float:
    """Execute one notebook of the course and save it as .ipynb and .html.

    Parameters
    ----------
    name : str
        File name in notebooks/, without its ending.
    folder : Path
        Where the executed copies go; what ran before an error is saved too.

    Returns
    -------
    float
        Wall time in seconds.

    Raises
    ------
    CellExecutionError, CellTimeoutError, RuntimeError
        If a cell fails or hangs, or if the kernel dies or does not start.
    """
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    start = time.perf_counter()
    try:
        execute(notebook, name, ROOT / "notebooks")
    finally:
        save(notebook, folder / name)
    return time.perf_counter() - start


def advice(name: str, folder: Path, error: Exception) -> str:
    """Say which notebook failed, why, where to see it and what to do."""
    if isinstance(error, CellExecutionError):
        reason = f"{error.ename}: {error.evalue}".strip()
    elif isinstance(error, DeadKernelError):
        reason = "Its kernel died, most likely for want of memory: the course needs 4 GB."
    elif isinstance(error, CellTimeoutError):
        reason = "A cell took longer than an hour."
    else:
        reason = f"Its kernel did not start: {error}"
    shown = (folder / f"{name}.html").resolve()
    shown = shown.relative_to(ROOT) if shown.is_relative_to(ROOT) else shown
    return (
        f"notebooks/{name}.ipynb failed.\n\n{reason}\n\n"
        f"As far as it came, with the full traceback: {shown}\n"
        f"To try in place: `make lab`, then {name}. After the correction run the same command again: downloads,\n"
        "boxes and embeddings are kept, so it is soon back here."
    )


def _note_times(folder: Path, times: dict[str, float]) -> None:
    """Add to outputs/<profile>/seconds.json, where the README's table of notebooks has its times from."""
    path = folder / "seconds.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {name: round(seconds, 1) for name, seconds in times.items()}
    write_atomically(path, (json.dumps(known, indent=2) + "\n").encode())


def _print_summary(profile: str, times: dict[str, float], folder: Path) -> None:
    print()
    for name, seconds in times.items():
        print(f"{name:24s} {seconds:7.1f} s")
    for name, value in load_report(profile).items():
        print(f"{name:24s} {'-' if value is None else value}")
    print(f"\nRead them: {os.path.relpath(folder)}/*.html; try it: make lab, then 06_try_it")


if __name__ == "__main__":
    sys.exit(run_course(os.environ.get("PROFILE") or "sample", sys.argv[1:] or NOTEBOOKS))
