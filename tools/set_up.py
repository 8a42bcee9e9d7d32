"""`make setup`: an environment with all that the course needs, by uv where it is present, else by pip. No package needed.

Each step can be interrupted and repeated: an environment without a working pip is made anew, a package that was not
installed to its end is installed again, downloads go on where they stopped.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH_INDEX = "https://download.pytorch.org/whl"
ONLY_FOR_CUDA = re.compile(r"(nvidia|cuda)-|triton\b")
WITH_CUDA, WITHOUT = (8, 3), (3, 1)  # GB on the project's disk, and in the temporary folder while pip unpacks


def problems(
    here: float, temporary: float, same_disk: bool, needs: tuple[int, int], system: str, machine: str
) -> list[str]:
    """Return a sentence for each thing that would make an installation of gigabytes fail.

    `here` and `temporary` are free GB on the project's disk and in the temporary folder, perhaps on the `same_disk`;
    `needs` is what each must have; `system` and `machine` are the platform module's words.
    """
    found = []
    if (system, machine) == ("Darwin", "x86_64"):
        found.append(
            "torch no longer comes for Macs with an Intel processor (or this Python is an Intel one: take an arm64"
            " Python). The notebooks run on Colab: see README.md."
        )
    if here < (wanted := needs[0] + needs[1] * same_disk):
        found.append(
            f"{here:.1f} GB are free on the project's disk; setting up needs about {wanted} GB. Free some space and"
            " run this again: what has arrived is kept. Torch's build for the CPU alone needs 4 GB: make run TORCH=cpu"
        )
    if not same_disk and temporary < needs[1]:
        found.append(
            f"{temporary:.1f} GB are free in {tempfile.gettempdir()}; pip needs about {needs[1]} GB there. Name"
            " another folder, as in `TMPDIR=$HOME/tmp make run` (it must exist)."
        )
    return found


def torch_build(wanted: str, index: str = TORCH_INDEX, gpu: bool | None = None) -> str:
    """Return the folder of torch's own index to install from, or "plain" for the package registry's build.

    `wanted` is the reader's choice, or "": then "cpu" on a Linux without an NVIDIA card, if the index answers in time.
    """
    if wanted or sys.platform != "linux":
        return wanted or "plain"
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists() if gpu is None else gpu:
        return "plain"
    try:
        with urllib.request.urlopen(f"{index}/cpu/torch/", timeout=5):
            return "cpu"
    except OSError:
        return "plain"


def make_environment(venv: Path, uv: str) -> None:
    """Make the virtual environment, unless there is one whose pip works; exit if this Python cannot."""
    python = venv / "bin/python"
    if _works([python, "-m", "pip", "--version"]):
        return
    own = [sys.executable, "-m"]
    by_uv = [uv or "uv", "venv", "--quiet", "--seed", "--clear", "--python", sys.executable, venv]
    if (uv and _works(by_uv)) or _works([*own, "venv", "--clear", venv]):
        return
    bare = [*own, "venv", "--clear", "--without-pip", venv]  # Debian's Python may lack ensurepip
    if not _works(bare) or not _works([*own, "pip", "--python", python, "install", "--quiet", "pip"]):
        sys.exit("set-up: this Python cannot make environments. On Debian, Ubuntu: apt install python3-venv")


def install(venv: Path, uv: str, build: str, chosen: bool) -> None:
    """Install requirements.txt, with torch in this build; what is there already is left alone.

    Only where the reader has `chosen` the build does it take another one's place, and must its index have it.
    """
    python = venv / "bin/python"
    packages = list(venv.glob("lib/python*/site-packages/*.dist-info"))
    for folder in packages:
        if not (folder / "INSTALLER").exists():  # written last
            shutil.rmtree(folder)
    installer = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    installer += [] if uv else ["--disable-pip-version-check", "--no-compile"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    if build != "plain":
        names = [line.split()[0] for line in lines if re.match(r"torch(vision)?==", line)]
        # Packages for Linux carry the build in their version.
        names = [f"{name}+{build}" for name in names] if chosen and sys.platform == "linux" else names
        address = f"{TORCH_INDEX}/{build}"
        done = subprocess.run([*installer, "--no-deps", "--index-url", address, *names], check=chosen)
        build = "plain" if done.returncode else build
    elif chosen and any(re.match(r"torch-.*\+", path.name) for path in packages):
        subprocess.run([python, "-m", "pip", "uninstall", "--yes", "torch", "torchvision"], check=True)
    if build == "cpu":
        lines = [line for line in lines if not ONLY_FOR_CUDA.match(line)]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("\n".join(lines))
        subprocess.run([*installer, "-r", wanted], check=True)


def _works(command: list) -> bool:
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def main(venv: Path) -> int:
    """Set up; TORCH and UV are read from the environment."""
    uv, chosen = os.environ.get("UV", ""), os.environ.get("TORCH", "")
    build = torch_build(chosen)
    if not (venv / "bin/python").exists():
        temporary = Path(tempfile.gettempdir())
        space = [shutil.disk_usage(place).free / 1e9 for place in (ROOT, temporary)]
        same = ROOT.stat().st_dev == temporary.stat().st_dev
        needs = WITHOUT if build == "cpu" or sys.platform != "linux" else WITH_CUDA
        if found := problems(*space, same, needs, platform.system(), platform.machine()):
            print(*(f"set-up: {sentence}" for sentence in found), sep="\n", file=sys.stderr)
            return 1
    try:
        make_environment(venv, uv)
        install(venv, uv, build, bool(chosen))
        return subprocess.run([venv / "bin/python", "-m", "facecourse.run.prepare"], cwd=ROOT).returncode
    except subprocess.CalledProcessError as error:
        return error.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
