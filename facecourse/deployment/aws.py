"""What a deployment is made of: a bucket with model and code, and one stack with function, role, log and address."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import requests
from botocore.exceptions import ClientError, WaiterError
from tqdm.auto import tqdm

from facecourse.core.cache import write_atomically
from facecourse.core.paths import outputs_for
from facecourse.deployment.cloud import REGION, Cloud, CloudError
from facecourse.deployment.package import TEMPLATE, lambda_runtime
from lambda_function.pipeline import sha256_of

NOTE = "endpoint.json"  # of a deployment's address, in outputs/<profile>/
AUTH_TYPES = ("AWS_IAM", "NONE")  # of the template; a local cloud would take any word
UNFINISHED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")


@dataclass(frozen=True)
class Names:
    """What a deployment is called; the function is called like its stack."""

    stack: str
    bucket: str
    log: str


def names_for(cloud: Cloud, profile: str) -> Names:
    """Return the names that follow from profile, account and region, so that a later run finds everything again."""
    stack = f"facecourse-{profile}"
    return Names(stack, f"{stack}-{cloud.account}-{cloud.region}", f"/aws/lambda/{stack}")


# ---- the bucket ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """One file in S3: `version` is S3's own, `sha256` has 64 hexadecimal digits, `size` is in bytes."""

    bucket: str
    key: str
    version: str
    sha256: str
    size: int


def make_bucket(cloud: Cloud, name: str) -> None:
    """Make a private bucket, or bring an existing one of ours to the same state.

    Public access is blocked in all four ways, every object is encrypted at rest, every version kept, old versions go
    after 30 days, and a request without TLS is refused. Raises CloudError if the name belongs to another account, or
    may not be used.
    """
    s3, place = cloud.client("s3"), {}
    if cloud.region != REGION:
        place = {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
    try:
        s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", **place)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise CloudError(f"the bucket {name} cannot be made: {error}") from None
    block = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    encrypted = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    old_versions_go = {
        "ID": "old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    only_tls = {
        "Sid": "OnlyTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(block, True))
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": encrypted})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [old_versions_go]})
    policy = {"Version": "2012-10-17", "Statement": [only_tls]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def describe_bucket(cloud: Cloud, name: str) -> dict[str, object]:
    """Return what S3 itself answers about a bucket's protection."""
    s3 = cloud.client("s3")
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    return {
        "encrypted with": rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "public access blocked": len(blocked) == 4 and all(blocked.values()),
        "versions kept": s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled",
    }


def upload(cloud: Cloud, bucket: str, prefix: str, path: Path) -> Stored:
    """Send a file to <prefix>/<start of its hash>.<extension>, unless the same content is there already.

    S3 compares the SHA-256 that is sent along with what arrives, and refuses a damaged upload (ClientError).
    """
    s3, sha256, size = cloud.client("s3"), sha256_of(path), path.stat().st_size
    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
    key = f"{prefix}/{sha256[:16]}{path.suffix}"
    try:
        held = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        held = {}
    if held.get("ChecksumSHA256") != checksum:
        bar = {"total": size, "desc": f"{path.name} to S3", "leave": False}
        with open(path, "rb") as file, tqdm.wrapattr(file, "read", **bar) as body:
            safe = {
                "ChecksumAlgorithm": "SHA256",
                "ChecksumSHA256": checksum,
                "ServerSideEncryption": "AES256",
            }
            held = s3.put_object(Bucket=bucket, Key=key, Body=body, **safe)
    return Stored(bucket, key, held.get("VersionId", ""), sha256, size)


def _delete_bucket(cloud: Cloud, name: str) -> int:
    """Delete a bucket and everything in it, old versions too; return how many objects that were."""
    s3, count = cloud.client("s3"), 0
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            found = page.get("Versions", []) + page.get("DeleteMarkers", [])
            if found:
                keys = [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in found]
                s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
                count += len(found)
        s3.delete_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchBucket", "404"):
            raise
    return count


# ---- the stack -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deployment:
    """A function that is up; `url` has no slash at its end."""

    cloud: Cloud
    names: Names
    url: str

    def call(self, method: str, path: str, **options) -> requests.Response:
        """Call the function: `path` such as "/recognize"; options as in requests, for example data=."""
        return self.cloud.request(method, self.url + path, **options)


def deploy(
    cloud: Cloud, profile: str, code: Stored, model: Stored, authorisation: str = "AWS_IAM", **settings
) -> Deployment:
    """Create the stack, or bring it up to date, and leave its address in outputs/<profile>/endpoint.json.

    `code` and `model` are the function's zip and the bundle's, both in the deployment's bucket. `authorisation` is
    "AWS_IAM" for signed requests only, or "NONE" for everyone who knows the address. `settings` are further
    parameters of the template, for example MemorySize=1024. Raises CloudError, with CloudFormation's own reasons, if
    the stack cannot be made.
    """
    if authorisation not in AUTH_TYPES:
        raise CloudError(f"AUTHORISATION must be one of {', '.join(AUTH_TYPES)}, not {authorisation!r}")
    names, formation = names_for(cloud, profile), cloud.client("cloudformation")
    values = {
        "Bucket": code.bucket,
        "CodeKey": code.key,
        "ModelKey": model.key,
        "ModelSha256": model.sha256,
        "Runtime": f"python{lambda_runtime()}",
        "Authorisation": authorisation,
        **settings,
    }
    status = _stack_status(cloud, names.stack)
    if status in UNFINISHED:
        _delete_stack(cloud, names.stack)  # what a failed first attempt leaves can only be deleted
        status = None
    change = "create" if status is None else "update"
    try:
        getattr(formation, f"{change}_stack")(
            StackName=names.stack,
            TemplateBody=TEMPLATE.read_text(),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": k, "ParameterValue": str(v)} for k, v in values.items()],
        )
        _wait(cloud, names.stack, change)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise CloudError(f"the stack {names.stack} cannot be made: {error}") from None
    stack = formation.describe_stacks(StackName=names.stack)["Stacks"][0]
    address = next(o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "Url")
    deployment = Deployment(cloud, names, cloud.public_url(address))
    note = {"url": deployment.url, "kind": cloud.kind, "authorisation": authorisation, "region": cloud.region}
    write_atomically(outputs_for(profile) / NOTE, (json.dumps(note, indent=2) + "\n").encode())
    return deployment


def _stack_status(cloud: Cloud, stack: str) -> str | None:
    """Return CloudFormation's word for the state of a stack, or None where there is none."""
    try:
        found = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    status = found[0]["StackStatus"] if found else None
    return None if status == "DELETE_COMPLETE" else status


def _delete_stack(cloud: Cloud, stack: str) -> None:
    cloud.client("cloudformation").delete_stack(StackName=stack)
    _wait(cloud, stack, "delete")


def _wait(cloud: Cloud, stack: str, change: str) -> None:
    """Wait until CloudFormation has done a create, update or delete; fail with its own reasons."""
    formation = cloud.client("cloudformation")
    pace = {"Delay": 1 if cloud.endpoint else 5, "MaxAttempts": 120}
    try:
        formation.get_waiter(f"stack_{change}_complete").wait(StackName=stack, WaiterConfig=pace)
    except WaiterError:
        events = formation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [e for e in events if e["ResourceStatus"].endswith("FAILED")][-5:]
        reasons = [f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed]
        message = f"CloudFormation could not {change} the stack {stack}:"
        raise CloudError("\n".join([message, *reasons])) from None


# ---- tear-down -----------------------------------------------------------------------------------------


def tear_down(cloud: Cloud, profile: str) -> pd.DataFrame:
    """Delete everything that belongs to a profile's deployment, and ask for each part whether it is gone.

    It goes by names, so that it also removes what an interrupted run left. A local cloud is stopped last. The note of
    the address goes when nothing else is left. Returned are, by what: asked (the question put to AWS), answer, gone
    (bool). Raises CloudError if CloudFormation cannot delete the stack; nothing else is touched then. Raises
    botocore's BotoCoreError if AWS does not answer: that proves nothing.
    """
    names, rows = names_for(cloud, profile), []
    if cloud.running:
        if _stack_status(cloud, names.stack) is not None:
            _delete_stack(cloud, names.stack)
        print(f"{_delete_bucket(cloud, names.bucket)} objects deleted from S3")
        rows = _ask_what_is_left(cloud, names)
    if cloud.kind == "local":
        cloud.stop()
        rows.append(("local cloud", "process", "running" if cloud.running else "ended", not cloud.running))
    table = pd.DataFrame(rows, columns=["what", "asked", "answer", "gone"]).set_index("what")
    if table["gone"].all():
        (outputs_for(profile) / NOTE).unlink(missing_ok=True)
    return table


def _ask_what_is_left(cloud: Cloud, names: Names) -> list[tuple[str, str, str, bool]]:
    functions, s3, name = cloud.client("lambda"), cloud.client("s3"), {"FunctionName": names.stack}
    status = _stack_status(cloud, names.stack)
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix=names.log)["logGroups"]
    log = any(group["logGroupName"] == names.log for group in groups)
    return [
        ("stack", "DescribeStacks", status or "does not exist", status is None),
        _ask("function", "GetFunction", lambda: functions.get_function(**name)),
        _ask("address", "GetFunctionUrlConfig", lambda: functions.get_function_url_config(**name)),
        _ask("bucket", "HeadBucket", lambda: s3.head_bucket(Bucket=names.bucket)),
        ("log", "DescribeLogGroups", "still there" if log else "does not exist", not log),
    ]


def _ask(what: str, asked: str, question: Callable[[], object]) -> tuple[str, str, str, bool]:
    """Gone is only what AWS calls not found: a refusal for another reason proves nothing."""
    try:
        question()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return what, asked, error.response["Error"]["Code"], status == 404
    return what, asked, "still there", False
