"""A stand-in for a Colab machine: its own packages with ipywidgets 7, a google.colab, and an empty folder to work in."""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from facecourse.core.colab import package_name
from tests.conftest import ROOT
from tools.publish import project_files

# What Colab brings. facecourse.core.colab must install none of these, and change none.
BROUGHT = [
    "pip",
    "torch",
    "torchvision",
    "numpy",
    "pandas",
    "pyarrow",
    "pillow",
    "scikit-learn",
    "h5py",
    "matplotlib",
    "requests",
    "tqdm",
    "psutil",
    "ipython",
    "jupyter_client",
    "comm",
    "debugpy",
    "matplotlib-inline",
    "pyzmq",
    "tornado",
    "nbformat",
    "nbclient",
    "nbconvert",
]
# Colab's versions, which are not ours; without what they ask for, which is a whole Jupyter server.
OLDER = (
    "ipywidgets==7.7.1",
    "widgetsnbextension==3.6.10",
    "jupyterlab-widgets==1.1.11",
    "ipykernel==6.31.0",
    "ipython_genutils==0.2.0",
    "nest-asyncio==1.6.0",
)
FILES = '''"""Stand-in for Colab's file chooser: it chooses the photo in CHOSEN."""
import os
from pathlib import Path


def upload():
    path = Path(os.environ["CHOSEN"])
    return {path.name: path.read_bytes()}
'''
CACHED = ("downloads", "cache")


def with_all_they_need(names: list[str]) -> dict[str, metadata.Distribution]:
    """Return the installed distributions of these names and of everything they ask for, by normalised name."""
    found, seen, waiting = {}, set(), [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        try:
            distribution = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            continue
        found[package_name(wanted.name)] = distribution
        for extra in {"", *wanted.extras}:
            if (wanted.name, extra) not in seen:
                seen.add((wanted.name, extra))
                asked = (Requirement(line) for line in distribution.requires or [])
                waiting += [r for r in asked if r.marker is None or r.marker.evaluate({"extra": extra})]
    return found


def give(distribution: metadata.Distribution, site: Path) -> None:
    """Put one installed distribution into another environment too, as hard links where the disk allows."""
    for file in distribution.files or []:
        source, target = Path(distribution.locate_file(file)), site / file
        program = ".." in file.parts and file.parent.name == "bin"  # these name their own Python
        if program or "__pycache__" in file.parts or not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)


class Machine:
    """Python of its own, without what the course adds.

    Parameters
    ----------
    folder : Path
        Empty; the environment, the course's repository and the folder /content come into it.

    Raises
    ------
    RuntimeError
        If pip cannot fetch Colab's older packages, for want of a network.
    """

    def __init__(self, folder: Path):
        self.content, self.repository = folder / "content", folder / "repository"
        self.python = folder / "machine" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "machine")], check=True)
        site = Path(self.run("import sysconfig; print(sysconfig.get_paths()['purelib'])", folder))
        for distribution in with_all_they_need(BROUGHT).values():
            give(distribution, site)
        (site / "google" / "colab").mkdir(parents=True)
        (site / "google" / "colab" / "__init__.py").write_text("")
        (site / "google" / "colab" / "files.py").write_text(FILES)
        command = [self.python, "-m", "pip", "install", "--quiet", "--no-deps", *OLDER]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-500:])
        self.content.mkdir()
        self._publish()

    def _publish(self) -> None:
        """Make a repository of the working tree, for the set-up cell to clone."""
        for name in project_files():
            (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.repository / name)
        author = ("-c", "user.name=reader", "-c", "user.email=reader@example.org")
        for command in (["init", "--quiet"], ["add", "--all"], [*author, "commit", "--quiet", "-m", "Copy"]):
            subprocess.run(["git", *command], cwd=self.repository, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a new machine: nothing of the course is set."""
        ours = ("PROFILE", "PEOPLE", "BACKBONE", "PHOTOS", "PYTHONPATH", "VIRTUAL_ENV")
        kept = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("FACECOURSE_")}
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        chosen = str(ROOT / "data" / "people" / "Ada_Ferro" / "Ada_Ferro_0014.jpg")
        return kept | {"PATH": path, "FACECOURSE_REPOSITORY": self.repository.as_uri(), "CHOSEN": chosen}

    def run(self, program: str, folder: Path | None = None) -> str:
        """Run a program with this machine's Python, by default in /content; return what it printed."""
        command = [self.python, "-c", program]
        done = subprocess.run(
            command, cwd=folder or self.content, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def spare_the_downloads(self) -> None:
        """Give the clone what the checkout has fetched and cached by hash already."""
        for name in CACHED:
            (ROOT / "data" / name).mkdir(exist_ok=True)
            (self.content / "facecourse" / "data" / name).symlink_to(ROOT / "data" / name)
