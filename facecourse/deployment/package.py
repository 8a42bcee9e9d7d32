"""The function's zip: its code and the three libraries it needs, without what is never used there."""

import compileall
import hashlib
import importlib.metadata
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from facecourse.core import paths
from facecourse.deployment.bundle import write_zip

FUNCTION = paths.ROOT / "lambda_function"
REQUIREMENTS = FUNCTION / "requirements.txt"
RUNTIMES = ("3.11", "3.12", "3.13")  # that Lambda has and that all libraries support
UNZIPPED_LIMIT = 250 * 2**20  # bytes; Lambda's, layers included
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
VERSION = "1"  # part of the kept zip's name: raise it when the packing changes

# Whole folders and kinds of file that nothing loads while a photo is recognised.
UNUSED = re.compile(
    r"(^|/)(tests?|testing/tests|__pycache__|include|f2py|pyinstaller|doc|bin)/"
    r"|^onnxruntime/(tools|transformers|quantization|datasets|backend)/"
    r"|^numpy/(distutils|_core/lib|random/lib|random/_examples|typing)/"
    r"|\.(pyi|pyx|pxd|h|c|a)$|(^|/)py\.typed$"
    r"|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|sboms/)"
)


class PackageError(RuntimeError):
    """The function's zip cannot be built, or would be refused by Lambda; the message says why."""


def lambda_runtime() -> str:
    """Return the version of Python the function runs on: the reader's own if Lambda has it, else the newest."""
    own = "{}.{}".format(*sys.version_info)
    return own if own in RUNTIMES else RUNTIMES[-1]


def build_package(for_lambda: bool = False) -> Path:
    """Pack the function.

    Parameters
    ----------
    for_lambda : bool
        Fetch the libraries for Lambda's Linux, from whatever system this is, with pip from the registry. Else
        take those that are installed here, which needs no network: what the local cloud runs.

    Returns
    -------
    Path
        A zip in data/cache/, packed again only when code, libraries or Python have changed.

    Raises
    ------
    PackageError
        If pip fails, or the zip would unpack to more than Lambda takes.
    """
    target = "lambda" if for_lambda else "local"
    folder = paths.CACHE / "package"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{target}-{_fingerprint(for_lambda)}.zip"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            content = Path(work) / "content"
            content.mkdir()
            (_install if for_lambda else _copy_installed)(content)
            for path in [p for p in content.rglob("*") if p.is_file()]:
                if UNUSED.search(path.relative_to(content).as_posix()):
                    path.unlink()
            _add_own_code(content)
            _compile(content, lambda_runtime() if for_lambda else None)
            _pack(content, Path(work) / "function.zip")
            for old in folder.glob(f"{target}-*.zip"):
                old.unlink()
            (Path(work) / "function.zip").replace(archive)
    check_size(archive)
    return archive


def own_files() -> list[Path]:
    """Return the function's own files that go into its zip."""
    return sorted([*FUNCTION.glob("*.py"), *(p for p in FUNCTION.glob("web/*") if p.is_file())])


def _fingerprint(for_lambda: bool) -> str:
    digest = hashlib.sha256(f"{VERSION} {sys.version_info[:2]} {sys.platform}".encode())
    for path in (REQUIREMENTS, *own_files()):
        digest.update(path.name.encode() + path.read_bytes())
    if not for_lambda:
        digest.update(str([(name, importlib.metadata.version(name)) for name in libraries()]).encode())
    return digest.hexdigest()[:16]


def libraries() -> list[str]:
    """Return the names of the libraries in lambda_function/requirements.txt, each once."""
    lines = (line.split("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    return list(dict.fromkeys(line.split("==")[0] for line in lines if line))


def _install(content: Path) -> None:
    """Have pip fetch wheels for Lambda's Linux and Python, whatever this machine has."""
    version = lambda_runtime()
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
        "--no-compile",
    ]
    command += ["--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={version}"]
    done = subprocess.run(
        [*command, *platforms, "--target", str(content), "-r", str(REQUIREMENTS)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise PackageError(f"pip could not fetch the function's libraries:\n{done.stderr.strip()[-800:]}")


def _copy_installed(content: Path) -> None:
    for name in libraries():
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            source = Path(distribution.locate_file(file))
            if ".." not in file.parts and source.is_file():
                (content / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, content / file)


def _add_own_code(content: Path) -> None:
    for source in own_files():
        target = content / "lambda_function" / source.relative_to(FUNCTION)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _compile(content: Path, version: str | None) -> None:
    """Compile now what every cold start would compile again, its folder being read-only; if the Python fits."""
    if version not in (None, "{}.{}".format(*sys.version_info)):
        return
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    # The same paths whoever packs, or the bytes would differ.
    compileall.compile_dir(
        content, quiet=2, invalidation_mode=unchecked, stripdir=str(content), prependdir="/var/task"
    )


def _pack(content: Path, archive: Path) -> None:
    files = sorted(path for path in content.rglob("*") if path.is_file())
    write_zip(archive, ((path.relative_to(content).as_posix(), path) for path in files), zipfile.ZIP_DEFLATED)


def unzipped_size(archive: Path) -> int:
    """Return how many bytes a zip unpacks to."""
    with zipfile.ZipFile(archive) as opened:
        return sum(entry.file_size for entry in opened.infolist())


def check_size(archive: Path) -> int:
    """Return the unpacked size in bytes.

    Raises
    ------
    PackageError
        If it is more than Lambda takes.
    """
    size = unzipped_size(archive)
    if size > UNZIPPED_LIMIT:
        raise PackageError(f"the function unpacks to {size / 2**20:.0f} MB; Lambda takes 250")
    return size


def package_contents(archive: Path) -> pd.Series:
    """Return what a package unpacks to, in MB (2**20 bytes) by library, largest first.

    Parameters
    ----------
    archive : Path
        The zip that is deployed.
    """
    sizes: dict[str, int] = {}
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            top = entry.filename.split("/")[0].split("-")[0].removesuffix(".libs").lower()
            name = {"pil": "pillow"}.get(top, top)
            sizes[name] = sizes.get(name, 0) + entry.file_size
    return (pd.Series(sizes, name="MB") / 2**20).sort_values(ascending=False)
