"""Where a million photos may lie: folders, archives and S3 buckets, listed in one order and read one by one."""

import os
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

INSIDE = "::"  # between an archive's path and the name of the photo in it
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
TAR_ENDINGS = (".tar", ".tgz", ".tar.gz")
S3 = "s3://"


class InputError(ValueError):
    """A place that cannot be listed, with what to do about it."""


def list_photos(place: str | os.PathLike) -> list[str]:
    """Name every photo of a place, in an order that is the same on every machine.

    Parameters
    ----------
    place : path or str
        A folder (searched through), a .zip, .tar or .tgz archive, or s3://bucket/prefix (credentials, region and
        AWS_ENDPOINT_URL as boto3 finds them).

    Returns
    -------
    list of str
        Paths, "archive::member" names or s3:// addresses, sorted; only names that end like photos.

    Raises
    ------
    InputError
        If there is nothing at `place`, or it is no folder, archive or bucket.
    """
    text = os.fspath(place)
    if text.startswith(S3):
        return sorted(name for name in _list_bucket(text) if _is_photo(name))
    path = Path(text).expanduser()
    if path.is_dir():
        return sorted(str(file) for file in path.rglob("*") if _is_photo(file.name) and file.is_file())
    if not path.exists():
        raise InputError(
            f"there is nothing at {text}: name a folder, a .zip, .tar or .tgz, or s3://bucket/prefix"
        )
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    elif path.name.lower().endswith(TAR_ENDINGS):
        with tarfile.open(path) as archive:
            names = [member.name for member in archive if member.isfile()]
    else:
        raise InputError(f"{path.name} is no folder and no .zip, .tar or .tgz archive")
    return sorted(f"{path}{INSIDE}{name}" for name in names if _is_photo(name))


def _is_photo(name: str) -> bool:
    return name.lower().endswith(PHOTO_ENDINGS)


@cache
def _s3():
    import boto3

    return boto3.client("s3")


def _list_bucket(address: str) -> Iterator[str]:
    bucket, _, prefix = address.removeprefix(S3).partition("/")
    for page in _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (f"{S3}{bucket}/{entry['Key']}" for entry in page.get("Contents", ()))


def read_photos(names: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
    """Read photos one after the other; nothing is unpacked to disk.

    Parameters
    ----------
    names : iterable of str
        As `list_photos` gives them; those of one archive should follow each other.

    Yields
    ------
    (str, bytes or None)
        Name and content; None where it cannot be read any more. The photos of a tar come in the tar's order, since a
        compressed one can only be read from its beginning.
    """
    for container, group in groupby(
        names, key=lambda name: name.partition(INSIDE)[0] if INSIDE in name else ""
    ):
        if not container:
            yield from ((name, _read_single(name)) for name in group)
        elif container.lower().endswith(".zip"):
            yield from _read_zip(container, list(group))
        else:
            yield from _read_tar(container, list(group))


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


def _read_zip(container: str, names: list[str]) -> Iterator[tuple[str, bytes | None]]:
    with zipfile.ZipFile(container) as archive:
        for name in names:
            try:
                yield name, archive.read(name.partition(INSIDE)[2])
            except (KeyError, zipfile.BadZipFile, OSError):
                yield name, None


def _read_tar(container: str, names: list[str]) -> Iterator[tuple[str, bytes | None]]:
    wanted = {name.partition(INSIDE)[2]: name for name in names}
    with tarfile.open(container) as archive:
        for member in archive:
            if member.isfile() and (name := wanted.pop(member.name, None)):
                yield name, archive.extractfile(member).read()
            if not wanted:
                return
    yield from ((name, None) for name in wanted.values())
