"""`make run`: run the six notebooks in order, and keep what they show."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from facecourse.core.cache import write_atomically
from facecourse.core.paths import PROFILES, ROOT, THREADS, outputs_for
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
# What a reader may set for the notebooks, in their cells or before a command.
SETTINGS = (
    *("PROFILE", "PEOPLE", "BACKBONE", "ALBUM", "PHOTO", "PHOTOS", "LFW_PHOTOS", "TUNE_PEOPLE"),
    *("FACECOURSE_OUTPUTS", "FACECOURSE_FLAGS"),
)


class WrongSetting(ValueError):
    """A setting that a notebook would stumble over later, or no notebook of this name."""


def run_course(profile: str, names: Sequence[str] = NOTEBOOKS) -> int:
    """Run notebooks on `profile` into outputs/<profile>/, print the report, and return the exit status.

    `names` are file names in notebooks/ without their ending; any others than the six add to the report that is
    there. The status is 1 if a notebook failed, 2 if a setting is wrong, 130 after an interruption.
    """
    try:
        check_settings(profile)
        check_names(names)
    except WrongSetting as error:
        print(error, file=sys.stderr)
        return 2
    folder, start, times = outputs_for(profile), time.perf_counter(), {}
    whole = tuple(names) == NOTEBOOKS
    if whole:
        start_report(profile)
    for name in names:
        try:
            times[name] = round(run_notebook(name, folder), 1)
        except (CellExecutionError, CellTimeoutError, RuntimeError) as error:
            print(f"\n{advice(name, folder, error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\nStopped in {name}. What was computed is kept: `make run` goes on quickly from there.")
            return 130
        path = folder / "seconds.json"  # beside the report; the README's table of notebooks is made from it
        known = json.loads(path.read_text()) if path.exists() else {}
        write_atomically(path, (json.dumps(known | times, indent=2) + "\n").encode())
    if whole:
        record(profile, machine=machine(), seconds={"total": round(time.perf_counter() - start, 1)})
    print()
    for name, seconds in times.items():
        print(f"{name:24s} {seconds:7.1f} s")
    for name, value in load_report(profile).items():
        print(f"{name:24s} {'-' if value is None else value}")
    print(f"\nRead them: {os.path.relpath(folder)}/*.html; try it: make lab, then 06_try_it")
    return 0


def check_settings(profile: str) -> None:
    """Refuse now what would stop a notebook minutes later; make paths absolute, since notebooks run in another
    folder.

    Raises WrongSetting with what is wrong and what would be right.
    """
    from facecourse.embedding.backbones import BACKBONES, EIGHT_BITS

    if profile not in PROFILES:
        raise WrongSetting(f"PROFILE must be one of {', '.join(PROFILES)}, not {profile!r}")
    os.environ["PROFILE"] = profile
    for name in ("PEOPLE", "BACKBONE", "FACECOURSE_MIRROR", "ALBUM", "PHOTO", "PHOTOS"):
        value = os.environ.get(name, "").strip()
        ending = EIGHT_BITS if name == "BACKBONE" and value.endswith(EIGHT_BITS) else ""
        path = Path(value.removesuffix(ending)).expanduser()
        if value and "://" not in value and value.removesuffix(ending) not in BACKBONES and path.exists():
            os.environ[name] = str(path.resolve()) + ending
    people, backbone = os.environ.get("PEOPLE", ""), os.environ.get("BACKBONE", "")
    if people and not Path(people).is_dir():
        raise WrongSetting(
            f"PEOPLE is {people!r}, which is no folder: give one with a folder per person in it"
        )
    whole = backbone.removesuffix(EIGHT_BITS)
    if whole and whole not in BACKBONES and not Path(whole).is_file():
        raise WrongSetting(
            f"BACKBONE is {backbone!r}: neither one of {', '.join(BACKBONES)}, these with {EIGHT_BITS}, nor a file"
            " that exists"
        )


def check_names(names: Sequence[str]) -> None:
    """Raise WrongSetting if one of `names` is no notebook."""
    known = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    if wrong := [name for name in names if name not in known]:
        raise WrongSetting(f"there is no notebook {wrong[0]!r}; there are {', '.join(known)}")


def run_notebook(name: str, folder: Path) -> float:
    """Execute a notebook, save it in `folder` as .ipynb and .html even if a cell fails; return the seconds.

    Raises CellExecutionError, CellTimeoutError or RuntimeError if a cell fails or hangs, or the kernel dies or does
    not start.
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
        reason = "Its kernel was killed, probably because memory ran out: the course needs 4 GB."
    elif isinstance(error, CellTimeoutError):
        reason = "A cell took longer than an hour."
    else:
        reason = f"Its kernel did not start: {error}"
    shown = (folder / f"{name}.html").resolve()
    shown = shown.relative_to(ROOT) if shown.is_relative_to(ROOT) else shown
    return (
        f"notebooks/{name}.ipynb failed.\n\n{reason}\n\n"
        f"The page up to there, with the full traceback: {shown}\n"
        f"To try in place: `make lab`, then {name}. After the correction run the same command again: downloads,\n"
        "boxes and embeddings are kept, so it is soon back here."
    )


def machine() -> str:
    """Name what a run was measured on: cores, processor with the instructions that matter, and NVIDIA card if any."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = re.search(r"^model name\s*: (.+)$", text, re.M)[1]
        model += ", AVX-512 with VNNI" if "avx512_vnni" in text else ", no AVX-512"
    except (OSError, TypeError):  # not Linux, or a processor without a name
        model = platform.processor() or platform.machine()
    card = "no GPU"
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        cards = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
        card = ", ".join(cards) or card
    return f"{THREADS} cores, {model}, {card}"


if __name__ == "__main__":
    sys.exit(run_course(os.environ.get("PROFILE") or "sample", sys.argv[1:] or NOTEBOOKS))
