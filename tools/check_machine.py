"""Say before an installation of gigabytes what would make it fail, and what to do. Standard library only."""

import platform
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALLED_GB = 8  # .venv on Linux, where torch brings CUDA along, with data/ and outputs/
UNPACKING_GB = 3  # pip downloads every archive into the temporary folder before it installs the first one


def problems(
    free_here: float, free_temporary: float, same_disk: bool, system: str, machine: str, bits: int
) -> list[str]:
    """Return one sentence for each thing that is wrong.

    Parameters
    ----------
    free_here, free_temporary : float
        Free space in GB where the project lies, and in the temporary folder.
    same_disk : bool
        Whether both are one disk.
    system, machine : str
        As the module platform names them.
    bits : int
        Of this Python.
    """
    found = []
    if bits < 64:
        found.append("This Python is a 32-bit one; torch needs a 64-bit Python.")
    if (system, machine) == ("Darwin", "x86_64"):
        found.append(
            "torch no longer comes for Macs with an Intel processor (or this Python is an Intel one: take an arm64"
            " Python). The notebooks run on Colab: see README.md."
        )
    wanted = INSTALLED_GB + UNPACKING_GB * same_disk
    if free_here < wanted:
        found.append(
            f"{free_here:.1f} GB are free on the project's disk; setting up needs about {wanted} GB. Make room"
            " and run this again: what has arrived is kept."
        )
    if not same_disk and free_temporary < UNPACKING_GB:
        found.append(
            f"{free_temporary:.1f} GB are free in {tempfile.gettempdir()}; pip needs about {UNPACKING_GB} GB there. Name"
            " another folder, as in `TMPDIR=$HOME/tmp make run` (it must exist)."
        )
    return found


def main() -> int:
    """Print what is wrong; return 1 if anything is."""
    temporary = Path(tempfile.gettempdir())
    found = problems(
        shutil.disk_usage(ROOT).free / 1e9,
        shutil.disk_usage(temporary).free / 1e9,
        ROOT.stat().st_dev == temporary.stat().st_dev,
        platform.system(),
        platform.machine(),
        64 if sys.maxsize > 2**32 else 32,
    )
    for sentence in found:
        print(f"set-up: {sentence}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
