"""Unpacking archives from elsewhere without trusting them."""

import gzip
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MAX_BYTES = 8 << 30  # LFW unpacks to 0.13 GB; more than this is an attack or a mistake
BLOCK = 1 << 20
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
)


class UnsafeArchive(RuntimeError):
    """The archive is damaged or holds an entry that has no business in it."""


def extract(
    archive: Path, folder: Path, place: Callable[[str], str | None] | None = None, max_bytes: int = MAX_BYTES
) -> Path:
    """Unpack a tar or zip archive into a new folder, all of it or nothing; a folder that exists is returned as it is.

    The files are written into a temporary folder beside it that is renamed at the very end, so that a full disk, a
    bad entry or a kill leaves no half-filled one. `place` gets each file's name and returns its name below `folder`,
    or None to leave it out. Raises UnsafeArchive if the archive is damaged, unpacks to more than `max_bytes`, or
    holds anything but plain files and folders inside it; OSError if the disk is full or not writable.
    """
    folder = Path(folder)
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in folder.parent.glob(f".{folder.name}.*.partial"):  # of an earlier run that was killed
        shutil.rmtree(old, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".partial"))
    try:
        _write_all(Path(archive), partial, place or (lambda name: name), max_bytes)
        partial.chmod(0o755)  # mkdtemp's 0700 would hide the photos from other accounts
        partial.rename(folder)
    except DAMAGE as error:
        raise UnsafeArchive(f"{Path(archive).name} is damaged: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UnsafeArchive(f"{Path(archive).name} holds the same name twice") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _write_all(archive: Path, folder: Path, place: Callable[[str], str | None], max_bytes: int) -> None:
    written = 0
    for name, source in _files(archive):
        new_name = place(_checked(name))
        if new_name is None:
            continue
        target = folder / _checked(new_name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:  # "x": an archive that writes the same file twice is refused
            while block := source.read(BLOCK):
                written += len(block)
                if written > max_bytes:
                    raise UnsafeArchive(f"{archive.name} unpacks to more than {max_bytes:,} bytes")
                file.write(block)


def _checked(name: str) -> str:
    """Return a harmless relative name, or refuse it."""
    posix = PurePosixPath(name.replace("\\", "/"))
    if posix.is_absolute() or ".." in posix.parts or ":" in (posix.parts or ("",))[0] or "\0" in name:
        raise UnsafeArchive(f"the archive wants to write outside its folder: {name!r}")
    return str(posix)


def _files(archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Yield name and content of every plain file; refuse everything but files and folders."""
    if zipfile.is_zipfile(archive):
        yield from _zip_files(archive)
        return
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile():
                yield member.name, opened.extractfile(member)
            elif not member.isdir():
                kind = "a link" if member.issym() or member.islnk() else "a device or pipe"
                raise UnsafeArchive(f"the archive holds {kind}: {member.name!r}")
            else:
                _checked(member.name)


def _zip_files(archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = (member.external_attr >> 16) & 0o170000  # Unix file type; 0 from other systems
            if kind not in (0, 0o100000, 0o040000):
                raise UnsafeArchive(f"the archive holds a link or device: {member.filename!r}")
            if member.flag_bits & 1:
                raise UnsafeArchive(f"the archive is locked with a password: {member.filename!r}")
            if member.is_dir():
                _checked(member.filename)
                continue
            with opened.open(member) as source:
                yield member.filename, source


def free_bytes(folder: Path) -> int:
    """Return how many bytes the disk of `folder` can still take."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
