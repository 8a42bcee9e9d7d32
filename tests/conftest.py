"""What all tests share: where the project, the sample and, if it is there, the real data lie."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


# Servers of these tests are on this machine, whatever proxy leads out of it.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def copy_files(folder: Path) -> None:
    """Copy the project to `folder`: tracked files, and new ones that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip(f"git does not know the project's files: {listed.stderr.strip()}")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def mirror() -> Path | None:
    """Return the folder with the real LFW files, if there is one."""
    places = [os.environ.get("FACECOURSE_MIRROR", ""), ROOT.parent / "shared" / "mirror"]
    return next(
        (Path(p).resolve() for p in places if p and (Path(p) / "lfw-deepfunneled.tgz").exists()), None
    )


@pytest.fixture(scope="session")
def lfw_mirror() -> Path:
    """The folder with real LFW, or a skip that says why."""
    folder = mirror()
    if folder is None:
        pytest.skip("real LFW is not here: set FACECOURSE_MIRROR to a folder with lfw-deepfunneled.tgz")
    return folder
