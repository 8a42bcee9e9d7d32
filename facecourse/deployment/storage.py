"""Models and code in S3: private, encrypted, versioned, and checked on arrival."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError
from tqdm.auto import tqdm

from facecourse.deployment.cloud import REGION, Cloud, CloudError
from lambda_function.pipeline import sha256_of


@dataclass(frozen=True)
class Stored:
    """One file in S3.

    Attributes
    ----------
    bucket, key, version : str
        The version is S3's own: a key that is overwritten keeps what it held before.
    sha256 : str
        Of the content, 64 hexadecimal digits.
    size : int
        Bytes.
    sent : bool
        False where the same content was there already.
    """

    bucket: str
    key: str
    version: str
    sha256: str
    size: int
    sent: bool


def make_bucket(cloud: Cloud, name: str) -> None:
    """Make a private bucket, or bring an existing one of ours to the same state.

    Public access is blocked in all four ways, every object is encrypted at rest, every version kept, old
    versions go after 30 days, and a request without TLS is refused.

    Raises
    ------
    CloudError
        If the name belongs to another account, or may not be used.
    """
    s3 = cloud.client("s3")
    place = {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
    try:
        s3.create_bucket(
            Bucket=name, ObjectOwnership="BucketOwnerEnforced", **({} if cloud.region == REGION else place)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise CloudError(f"the bucket {name} cannot be made: {error}") from None
    block = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(block, True))
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [_OLD_VERSIONS_GO]})
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_only_tls(name)))


_OLD_VERSIONS_GO = {
    "ID": "old-versions",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}


def _only_tls(name: str) -> dict:
    everything = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    statement = {"Sid": "OnlyTLS", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    without = {"Bool": {"aws:SecureTransport": "false"}}
    return {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Resource": everything, "Condition": without}],
    }


def upload(cloud: Cloud, bucket: str, prefix: str, path: Path) -> Stored:
    """Send a file to <prefix>/<start of its hash>.zip, unless the same content is there already.

    S3 compares the SHA-256 that is sent along with what arrived and refuses a damaged upload; we ask for it
    again afterwards.

    Parameters
    ----------
    cloud : Cloud
    bucket : str
    prefix : str
        Folder within the bucket.
    path : Path
        The file.

    Raises
    ------
    CloudError
        If S3 holds something else than what was sent.
    """
    s3, sha256 = cloud.client("s3"), sha256_of(path)
    key = f"{prefix}/{sha256[:16]}{path.suffix}"
    found = _head(s3, bucket, key)
    if sent := found is None or _hex(found.get("ChecksumSHA256")) != sha256:
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        with _Watched(path, f"{path.name} to S3") as body:
            s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
                ServerSideEncryption="AES256",
            )
        found = _head(s3, bucket, key)
    if found is None or _hex(found.get("ChecksumSHA256")) != sha256:
        raise CloudError(f"S3 holds something else under {key} than what was sent: send it again")
    return Stored(bucket, key, found.get("VersionId", ""), sha256, int(found["ContentLength"]), sent)


class _Watched:
    """A file that shows how much of it has been read; botocore may go back to its start to try again."""

    def __init__(self, path: Path, title: str):
        self._file = open(path, "rb")  # noqa: SIM115, closed in __exit__
        self._bar = tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=title, leave=False)

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._bar.update(len(block))
        return block

    def seek(self, offset: int, whence: int = 0) -> int:
        place = self._file.seek(offset, whence)
        if whence == 0:
            self._bar.n = place
        return place

    def tell(self) -> int:
        return self._file.tell()

    def __enter__(self) -> "_Watched":
        return self

    def __exit__(self, *_) -> None:
        self._bar.close()
        self._file.close()


def _head(s3, bucket: str, key: str) -> dict | None:
    try:
        return s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def _hex(checksum: str | None) -> str:
    return base64.b64decode(checksum).hex() if checksum else ""


def fetch(cloud: Cloud, stored: Stored) -> bytes:
    """Return a file's content, or complain if it is no longer what was sent.

    Raises
    ------
    CloudError
        If its SHA-256 has changed.
    """
    content = cloud.client("s3").get_object(Bucket=stored.bucket, Key=stored.key)["Body"].read()
    if hashlib.sha256(content).hexdigest() != stored.sha256:
        raise CloudError(f"{stored.key} in S3 has changed since it was sent")
    return content


def describe_bucket(cloud: Cloud, name: str) -> dict[str, object]:
    """Return what S3 itself says about a bucket's protection.

    Parameters
    ----------
    cloud : Cloud
        Where the bucket is.
    name : str
        Its name.
    """
    s3 = cloud.client("s3")
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    return {
        "encrypted with": rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "public access blocked": len(blocked) == 4 and all(blocked.values()),
        "versions kept": s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled",
    }


def remove_bucket(cloud: Cloud, name: str) -> int:
    """Delete a bucket and everything in it, old versions too; return how many objects that were."""
    s3, gone = cloud.client("s3"), 0
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            found = page.get("Versions", []) + page.get("DeleteMarkers", [])
            if found:
                keys = [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in found]
                s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
                gone += len(found)
        s3.delete_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchBucket", "404"):
            raise
    return gone
