"""Where a million photos may lie: folders, archives and S3 buckets, listed in one order and read one by one."""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

INSIDE = "::"  # between an archive's path and the name of the photo in it
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
TAR_ENDINGS = (".tar", ".tgz", ".tar.gz")
S3 = "s3://"


class InputError(ValueError):
    """A place that cannot be listed, with what to do about it."""


def list_photos(place: str | os.PathLike) -> list[str]:
    """Name every photo of a place, in an order that is the same on every machine: a tar's own, else sorted.

    A place is a folder (searched through), a .zip, .tar or .tgz archive, or s3://bucket/prefix (credentials, region
    and AWS_ENDPOINT_URL as boto3 finds them). Names are paths, "archive::member" or s3:// addresses, only those that
    end like photos. Raises InputError if there is nothing at `place`, or it is no folder, archive or bucket.
    """
    text = os.fspath(place)
    path = Path(text).expanduser()
    if text.startswith(S3):
        bucket, _, prefix = text.removeprefix(S3).partition("/")
        pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        names = sorted(f"{S3}{bucket}/{entry['Key']}" for page in pages for entry in page.get("Contents", ()))
    elif path.is_dir():
        names = sorted(str(file) for file in path.rglob("*") if file.is_file())
    elif not path.exists():
        raise InputError(
            f"there is nothing at {text}: name a folder, a .zip, .tar or .tgz, or s3://bucket/prefix"
        )
    elif path.name.lower().endswith((".zip", *TAR_ENDINGS)):
        try:
            names = _members(path)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
            raise InputError(f"{path.name} is damaged or cut off: {error}") from error
    else:
        raise InputError(f"{path.name} is no folder and no .zip, .tar or .tgz archive")
    return [name for name in dict.fromkeys(names) if name.lower().endswith(PHOTO_ENDINGS)]


def _members(path: Path) -> list[str]:
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            return sorted(f"{path}{INSIDE}{name}" for name in archive.namelist())
    with tarfile.open(path) as archive:
        return [f"{path}{INSIDE}{member.name}" for member in _files_in(archive)]


def _files_in(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Go on from where `archive` has been read up to."""
    while member := archive.next():
        archive.members = []  # it would keep all of a million
        if member.isfile():
            yield member


@cache
def _s3():
    import boto3

    return boto3.client("s3")


def read_photos(names: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
    """Read photos one after the other, (name, content); None where one cannot be read any more.

    Nothing is unpacked to disk. `names` are as `list_photos` gives them; those of one archive should follow each other.
    An archive stays open for the next call, so that shards which are read in turn read a compressed tar once.
    """
    for container, group in groupby(names, _container):
        if not container:
            yield from ((name, _read_single(name)) for name in group)
        elif container.lower().endswith(".zip"):
            yield from ((name, _read_zipped(container, name)) for name in group)
        else:
            yield from _read_tar(container, list(group))


def _container(name: str) -> str:
    """Return the archive that a photo lies in, or "": a file's own name may have INSIDE in it too."""
    container = name.partition(INSIDE)[0]
    return container * (INSIDE in name and container.lower().endswith((".zip", *TAR_ENDINGS)))


def _read_single(name: str) -> bytes | None:
    if not name.startswith(S3):
        try:
            return Path(name).read_bytes()
        except OSError:
            return None
    from botocore.exceptions import ClientError

    bucket, _, key = name.removeprefix(S3).partition("/")
    try:
        return _s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise  # a bucket that refuses or throttles is no property of the photo: let the engine try again


@lru_cache(maxsize=1)
def _opened(container: str, changed: int) -> zipfile.ZipFile | tarfile.TarFile:
    """Open an archive; `changed`, the time in nanoseconds, lets go of one that has been replaced meanwhile."""
    return zipfile.ZipFile(container) if container.lower().endswith(".zip") else tarfile.open(container)


def _read_zipped(container: str, name: str) -> bytes | None:
    try:
        return _opened(container, Path(container).stat().st_mtime_ns).read(name.partition(INSIDE)[2])
    # RuntimeError: it is locked, or packed in a way that Python does not know.
    except (KeyError, zipfile.BadZipFile, zlib.error, RuntimeError, OSError):
        return None


def _read_tar(container: str, names: list[str]) -> Iterator[tuple[str, bytes | None]]:
    wanted = {name.partition(INSIDE)[2]: name for name in names}
    changed = Path(container).stat().st_mtime_ns
    for _ in range(2):  # on from where the last shard ended; then from the start: a shard may be done again
        archive = _opened(container, changed)
        for member in _files_in(archive):
            if name := wanted.pop(member.name, None):
                yield name, archive.extractfile(member).read()
            if not wanted:
                return
        _opened.cache_clear()
    yield from ((name, None) for name in wanted.values())
