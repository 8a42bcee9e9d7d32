"""Where things lie, and what every part of the course agrees on."""

import importlib.util
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
PEOPLE_DIR = DATA / "people"
DOWNLOADS = DATA / "downloads"
CACHE = DATA / "cache"
OUTPUTS = (ROOT / Path(os.environ.get("FACECOURSE_OUTPUTS") or "outputs").expanduser()).resolve()
PROFILES = ("sample", "lfw")
# Read when torch is loaded: waiting threads sleep. Spinning ones cost three times the time on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class MissingInput(FileNotFoundError):
    """An earlier notebook has not been run yet; the message says which one."""


def in_colab() -> bool:
    """Return whether this Python runs in Google Colab."""
    try:
        return importlib.util.find_spec("google.colab") is not None
    except (ImportError, ValueError):  # there is no package "google", or one without a specification
        return False


def usable_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return the cores this process may use: a container's share (`quota`: "<microseconds> <period>" or "max
    <period>").
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = (int(value) for value in quota.read_text().split())
    except (OSError, ValueError):  # not a container, or one without a limit
        return cores
    return max(1, min(cores, allowed // period))


# Set explicitly everywhere: libraries that guess start one thread per core of the host, not of the container.
THREADS = int(os.environ.get("FACECOURSE_THREADS") or min(usable_cores(), 8))


def checked(profile: str) -> str:
    """Return `profile`; ValueError if it is neither "sample" nor "lfw"."""
    if profile not in PROFILES:
        raise ValueError(f"PROFILE must be one of {', '.join(PROFILES)}, not {profile!r}")
    return profile


def outputs_for(profile: str) -> Path:
    """Return outputs/<profile>/, created if need be."""
    folder = OUTPUTS / checked(profile)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def require(path: Path, notebook: str) -> Path:
    """Return `path`; MissingInput, with the notebook that makes it, if it does not exist yet."""
    if not path.exists():
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        raise missing_input(f"{name} is not there yet", path, notebook)
    return path


def missing_input(reason: str, path: Path, notebook: str) -> MissingInput:
    """Return the error that says which notebook to run; in Colab, where each has its own machine, with the line to paste."""
    told = f"{reason}: run notebooks/{notebook}.ipynb first, with the same PROFILE"
    if in_colab():
        profile = next((part for part in path.parts if part in PROFILES), PROFILES[0])
        earlier = [p.stem for p in sorted(ROOT.glob("notebooks/*.ipynb")) if p.stem <= notebook]
        needed = " ".join(
            name for name in earlier if not name.startswith("02")
        )  # nothing is built on 02's outputs
        told += (
            ".\nIn Colab every notebook has a machine of its own, so run the earlier ones on this one: paste this into a "
            f"new cell, run it, and go on here.\n\n!cd {ROOT} && PROFILE={profile} python -m facecourse.run.course {needed}"
        )
    return MissingInput(told)
