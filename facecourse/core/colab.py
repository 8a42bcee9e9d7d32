"""`python -m facecourse.core.colab`, called by the set-up cell of every notebook: install what Google Colab lacks."""

import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from facecourse.core.paths import ROOT, in_colab


def upload_in_colab() -> list[tuple[str, bytes]]:
    """Ask for photos with Colab's own file chooser, (file name, content) each; RuntimeError if this is not Colab."""
    if not in_colab():
        raise RuntimeError("this file chooser is Colab's: elsewhere, name a path with utils.photos_at")
    from google.colab import files

    return list(files.upload().items())


def package_name(requirement: str) -> str:
    """Return the normalised name of the package that a requirement asks for (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def install_missing() -> int:
    """Install what the course needs and this Python lacks, and change no package that is there.

    Colab's own torch, numpy, matplotlib and ipywidgets fit its kernel, its drivers and its page, so everything
    installed is a constraint. What is new gets the course's pinned versions or, where those do not fit what is there,
    ones that do. Returns pip's exit status.
    """
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [(package_name(d.name), d.version) for d in metadata.distributions() if d.name]
    present = dict(reversed(found))  # of two with one name, the first on the path is the one that is imported
    needed = [*project["dependencies"], *project["optional-dependencies"]["deploy"]]
    lacking = [line for line in needed if package_name(line) not in present]
    if not lacking:
        return 0
    print("Installing what Colab lacks:", ", ".join(sorted(map(package_name, lacking))), flush=True)
    kept = [f"{name}=={version}" for name, version in present.items()]
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1].isalnum()]
    pins = [line for line in lines if package_name(line) not in present]
    for constraints in (kept + pins, kept):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "constraints.txt").write_text("\n".join(constraints))
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            command += ["--constraint", f"{folder}/constraints.txt", *lacking]
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return 0
    print(f"pip could not install what Colab lacks:\n{done.stderr[-2000:]}", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(install_missing())
