"""One small object that several writers share, in S3 or in a file: read if it has changed, written if it has not."""

import fcntl
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CONFLICT = (404, 409, 412)  # gone, being written, written since: read it again and try once more


@cache
def s3_client():
    """Return boto3's client for S3; it takes a third of a second to import, so only who needs it pays."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 3, "mode": "standard"})
    return boto3.client("s3", config=config)


def owned(owner: str) -> dict:
    """Return what has S3 refuse a bucket that belongs to another account than `owner`, its 12 digits or ""."""
    return {"ExpectedBucketOwner": owner} if owner else {}


def shared_object(place: str, owner: str = "") -> "S3Object | FileObject":
    """Open s3://bucket/key, or a path."""
    if place.startswith("s3://"):
        bucket, _, key = place.removeprefix("s3://").partition("/")
        return S3Object(bucket, key, owner)
    return FileObject(Path(place))


@dataclass(frozen=True)
class S3Object:
    """An object in S3, whose ETag changes with its content."""

    bucket: str
    key: str
    owner: str = ""

    def read(self, tag: str = "") -> tuple[bytes, str] | None:
        """Return content and tag, or None if the tag is still `tag`; FileNotFoundError if there is no object."""
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": tag} if tag else {}
        try:
            found = s3_client().get_object(Bucket=self.bucket, Key=self.key, **condition, **owned(self.owner))
            return found["Body"].read(), found["ETag"]
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 304:
                return None
            if status == 404:
                raise FileNotFoundError(self.key) from None
            raise

    def write(self, content: bytes, tag: str) -> str | None:
        """Put new content in the place of what has `tag` ("": of nothing) and return its tag, or None if it has not."""
        from botocore.exceptions import ClientError

        condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        safe = {"ServerSideEncryption": "AES256", **owned(self.owner)}
        try:
            return s3_client().put_object(
                Bucket=self.bucket, Key=self.key, Body=content, **condition, **safe
            )["ETag"]
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in CONFLICT:
                return None
            raise


@dataclass(frozen=True)
class FileObject:
    """A file that several processes of this machine may write."""

    path: Path

    def read(self, tag: str = "") -> tuple[bytes, str] | None:
        """As `S3Object.read`."""
        content = self.path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        return None if found == tag else (content, found)

    def write(self, content: bytes, tag: str) -> str | None:
        """As `S3Object.write`; a kill at any moment leaves the old file or the new one."""
        with open(self.path.with_name(self.path.name + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path.exists() else ""
            if held != tag:
                return None
            partial = self.path.with_name(f".{self.path.name}.tmp")
            partial.write_bytes(content)
            partial.replace(self.path)
        return hashlib.sha256(content).hexdigest()
