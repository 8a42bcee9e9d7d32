"""The function's zip: its code and the few libraries it needs, and how fast it runs with nothing else beside it."""

import compileall
import hashlib
import importlib.metadata
import io
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from facecourse.core import paths
from facecourse.deployment.local_function import url_event

FUNCTION = paths.ROOT / "lambda_function"
REQUIREMENTS, TEMPLATE = FUNCTION / "requirements.txt", FUNCTION / "template.yaml"
# That Lambda has and that all libraries support: on 3.11 and older, Lambda's Linux has glibc 2.26, and they need 2.28.
RUNTIMES = ("3.12", "3.13", "3.14")
UNZIPPED_LIMIT = 250 * 2**20  # bytes; Lambda's, layers included
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}  # Lambda's word and the wheels'
VERSION = "3"  # part of the kept zip's name: raise it when the packing changes
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold

# Whole folders and kinds of file that nothing loads while a photo is recognised.
UNUSED = re.compile(
    r"(^|/)(tests?|testing/tests|__pycache__|include|f2py|pyinstaller|doc|bin)/"
    r"|^onnxruntime/(tools|transformers|quantization|datasets|backend)/"
    r"|^numpy/(distutils|_core/lib|random/lib|random/_examples|typing)/"
    r"|\.(pyi|pyx|pxd|h|c|a)$|(^|/)py\.typed$"
    r"|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|sboms/)"
)


class PackageError(RuntimeError):
    """The function's zip cannot be built, would be refused by Lambda, or does not run; the message says why."""


def lambda_runtime() -> str:
    """Return the version of Python the function runs on: the reader's own if Lambda has it, else the newest."""
    own = "{}.{}".format(*sys.version_info)
    return own if own in RUNTIMES else RUNTIMES[-1]


def build_package(for_lambda: bool = False, architecture: str = "x86_64") -> Path:
    """Pack the function into a zip in data/cache/, again only when code, libraries or Python have changed.

    `for_lambda` has pip fetch the libraries, by hash, for Lambda's Linux on x86_64 or arm64, from whatever system this
    is. Else they are those
    that are installed here, which needs no network: what the local cloud runs. Raises PackageError if pip fails, or
    the zip would unpack to more than Lambda takes.
    """
    target, folder = f"lambda-{architecture}" if for_lambda else "local", paths.CACHE / "package"
    digest = hashlib.sha256(f"{VERSION} {sys.version_info[:2]} {sys.platform}".encode())
    for path in (REQUIREMENTS, *own_files()):
        digest.update(path.name.encode() + path.read_bytes())
    if not for_lambda:
        digest.update(str([(name, importlib.metadata.version(name)) for name in libraries()]).encode())
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{target}-{digest.hexdigest()[:16]}.zip"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            packed = _pack(Path(work) / "content", ARCHITECTURES[architecture] if for_lambda else "")
            for old in folder.glob(f"{target}-*.zip"):
                old.unlink()
            packed.replace(archive)
    if (size := unzipped_size(archive)) > UNZIPPED_LIMIT:
        raise PackageError(f"the function unpacks to {size / 2**20:.0f} MB; Lambda takes 250")
    return archive


def own_files() -> list[Path]:
    """Return the function's own files that go into its zip."""
    return sorted([*FUNCTION.glob("*.py"), *(p for p in FUNCTION.glob("web/*") if p.is_file())])


def libraries() -> list[str]:
    """Return the names of the libraries in lambda_function/requirements.txt, each once."""
    return list(dict.fromkeys(re.findall(r"^([\w.-]+)\s*==", REQUIREMENTS.read_text(), re.M)))


def _pack(content: Path, machine: str) -> Path:
    """Collect everything in `content`, without what is unused, and zip it beside that folder."""
    if machine:
        _install(content, machine)
    else:
        _copy_installed(content)
    for path in [p for p in content.rglob("*") if p.is_file()]:
        if UNUSED.search(path.relative_to(content).as_posix()):
            path.unlink()
    for source in own_files():
        target = content / "lambda_function" / source.relative_to(FUNCTION)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if not machine or lambda_runtime() == "{}.{}".format(*sys.version_info):
        # Lambda's folder is read-only: every cold start would compile again. The paths are the same whoever packs.
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        places = {"stripdir": str(content), "prependdir": "/var/task"}
        compileall.compile_dir(content, quiet=2, invalidation_mode=unchecked, **places)
    files = sorted(path for path in content.rglob("*") if path.is_file())
    archive = content.with_suffix(".zip")
    write_zip(archive, ((path.relative_to(content).as_posix(), path) for path in files), zipfile.ZIP_DEFLATED)
    return archive


def _install(content: Path, machine: str) -> None:
    """Have pip fetch wheels for Lambda's Linux and Python, whatever this machine has."""
    platforms = [f"manylinux{glibc}_{machine}" for glibc in ("_2_28", "_2_27", "2014")]
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["--no-compile", "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={lambda_runtime()}", *(f"--platform={name}" for name in platforms)]
    command += ["--target", str(content), "-r", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True)
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


def write_zip(target: Path, files: Iterable[tuple[str, Path]], method: int) -> None:
    """Write a zip whose bytes depend on names and contents only, not on dates, owners or the system."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type, entry.external_attr, entry.create_system = method, 0o644 << 16, 3
            with open(path, "rb") as source, archive.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed, 1 << 20)


def unzipped_size(archive: Path) -> int:
    """Return how many bytes a zip unpacks to."""
    with zipfile.ZipFile(archive) as opened:
        return sum(entry.file_size for entry in opened.infolist())


def package_contents(archive: Path) -> pd.Series:
    """Return what a package unpacks to, in MB (2**20 bytes) by library, largest first."""
    sizes: dict[str, int] = {}
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            top = entry.filename.split("/")[0].split("-")[0].removesuffix(".libs").lower()
            name = {"pil": "pillow"}.get(top, top)
            sizes[name] = sizes.get(name, 0) + entry.file_size
    return (pd.Series(sizes, name="MB") / 2**20).sort_values(ascending=False)


# ---- its speed -----------------------------------------------------------------------------------------

# Runs with nothing on Python's path but the package, one thread, and a photo as a Function URL sends it.
SCRIPT = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from lambda_function.app import handler
event = json.load(open(sys.argv[2]))
first = handler(event)
ready, times = time.time(), []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    handler(event)
    times.append(time.perf_counter() - start)
try:
    lines = open("/proc/self/status").read().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
except OSError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
print("RESULT" + json.dumps({"ready": ready, "times": times, "peak": peak, "answer": first}))
"""


@dataclass(frozen=True)
class FunctionSpeed:
    """One process's life."""

    cold_s: float  # from the start of Python to the first answer
    warm_ms: float  # median of the further answers
    peak_mb: float  # most memory held, in 10**6 bytes
    answer: dict  # the first answer's JSON


def example_photo(face: Path, width: int = 640, height: int = 480) -> bytes:
    """Return a JPEG of `width` x `height` pixels with one photo in its middle, as high as the picture."""
    with Image.open(face) as opened:
        inner = opened.convert("RGB")
        inner = inner.resize((round(inner.width * height / inner.height), height))
    picture = Image.new("RGB", (width, height), (96, 112, 128))
    picture.paste(inner, ((width - inner.width) // 2, 0))
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=90)
    return packed.getvalue()


def measure_function(package: Path, bundle: Path, photo: bytes, runs: int = 10) -> FunctionSpeed:
    """Unpack the function's zip, start it in a clean Python on one thread, and let it recognise one photo, a JPEG.

    `package` is from `build_package`, `bundle` the model's folder: its way from S3 is not part of the figures. After
    the first answer there are `runs` more. Raises PackageError if it ends without an answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(package) as opened:
            opened.extractall(folder)
        return run_alone([sys.executable, "-I", "-S", "-c", SCRIPT, folder], bundle, photo, runs)


def run_alone(command: list[str], bundle: Path, photo: bytes, runs: int) -> FunctionSpeed:
    """Run a command that takes the event's file and the number of runs, and prints SCRIPT's RESULT line."""
    environment = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    environment |= {"PATH": os.environ.get("PATH", ""), "MODEL_BUNDLE": str(bundle), "FACE_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        event = Path(folder) / "event.json"
        event.write_text(json.dumps(url_event("POST", "/recognize", {"Content-Type": "image/jpeg"}, photo)))
        start = time.time()
        done = subprocess.run(
            [*command, str(event), str(runs)], env=environment, capture_output=True, text=True, cwd=folder
        )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    if done.returncode or line is None:
        raise PackageError(f"the function does not run on its own:\n{done.stderr.strip()[-1500:]}")
    found = json.loads(line.removeprefix("RESULT"))
    if found["answer"]["statusCode"] != 200:
        raise PackageError(f"the function answered {found['answer']['body'][:300]}")
    warm = float(np.median(found["times"])) * 1000 if found["times"] else float("nan")
    answer = json.loads(found["answer"]["body"])
    return FunctionSpeed(found["ready"] - start, warm, found["peak"] / 1e6, answer)
