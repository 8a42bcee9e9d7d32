"""What all tests share: where the project, the sample and, if it is there, the real data lie."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


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
