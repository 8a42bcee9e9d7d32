"""Make Google Colab ready for the course without touching what Colab brings.

Only the standard library is imported here: this runs before anything is installed.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
# Colab's own versions of these fit its kernel, its drivers and its page: another one breaks them, or wants a restart.
NEVER = {"torch", "torchvision", "numpy", "ipywidgets", "jupyterlab", "ipykernel", "matplotlib"}
# Colab is the notebook, and nobody runs our tests there.
SKIPPED_SECTIONS = {"Notebooks", "Tests"}
# Installed without what they ask for, since they would ask for another torch or numpy.
WITHOUT_DEPENDENCIES = {"facenet-pytorch"}


def in_colab() -> bool:
    """Return whether this Python runs in Google Colab."""
    try:
        return importlib.util.find_spec("google.colab") is not None
    except (ImportError, ValueError):  # there is no package "google", or one without a specification
        return False


def upload_in_colab() -> list[tuple[str, bytes]]:
    """Ask for photos with Colab's own file chooser, where the widget cannot be used: (file name, content).

    Raises
    ------
    RuntimeError
        If this is not Colab.
    """
    if not in_colab():
        raise RuntimeError("this file chooser is Colab's: elsewhere, name a path with utils.photos_at")
    from google.colab import files

    return list(files.upload().items())


def package_name(line: str) -> str:
    """Return the normalised name of the package that a line of requirements.txt asks for (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s=<>!~;\[]", line.strip(), maxsplit=1)[0]).lower()


def installed() -> dict[str, str]:
    """Return every package of this Python by its normalised name, with its version."""
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(package_name(name), distribution.version)
    return found


def missing(requirements: str, present: dict[str, str]) -> list[str]:
    """Pick the lines of requirements.txt that Colab has to install.

    Parameters
    ----------
    requirements : str
        Text of requirements.txt: sections under a comment of one or two words, one package per line.
    present : dict of str to str
        Installed packages, see `installed`.

    Returns
    -------
    list of str
        Lines, pins and markers included, of packages that are absent and that Colab does not bring itself.
    """
    lines, section, after_blank = [], "", True
    for line in requirements.splitlines():
        line = line.strip()
        if line.startswith("#") and after_blank:
            section = line.lstrip("# ")
        elif line and not line.startswith("#") and section not in SKIPPED_SECTIONS:
            name = package_name(line)
            if name not in NEVER and name not in present:
                lines.append(line)
        after_blank = not line
    return lines


def prepare() -> list[str]:
    """Install what the course needs and Colab lacks; outside Colab, do nothing.

    Nothing that is already installed changes its version, so the kernel need not be restarted.

    Returns
    -------
    list of str
        Names of the packages that were installed.

    Raises
    ------
    RuntimeError
        If pip cannot install them; the message ends with what pip said.
    """
    if not in_colab():
        return []
    present = installed()
    lines = missing(REQUIREMENTS.read_text(), present)
    if not lines:
        return []
    names = sorted({package_name(line) for line in lines})
    print("Installing what Colab lacks:", ", ".join(names))
    alone = [line for line in lines if package_name(line) in WITHOUT_DEPENDENCIES]
    together = [line for line in lines if line not in alone]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "present.txt"
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(present.items())))
        if together:
            _install(together, "--constraint", str(constraints))
        if alone:
            _install(alone, "--no-deps")
    importlib.invalidate_caches()
    return names


def _install(lines: list[str], *options: str) -> None:
    """Install the pinned versions or, where those do not fit Colab's own packages, ones that do."""
    loose = [re.sub(r"==[^;\s]+", "", line) for line in lines]
    for wanted in (lines, list(dict.fromkeys(loose))):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*command, *options, *wanted], capture_output=True, text=True)
        if done.returncode == 0:
            return
    raise RuntimeError("pip could not install what Colab lacks:\n" + done.stderr[-2000:])
