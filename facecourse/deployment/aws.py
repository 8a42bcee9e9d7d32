"""What a deployment is made of: a bucket with model, code and people, and one stack with function, role, log and address."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import requests
from botocore.exceptions import ClientError, WaiterError
from samtranslator.yaml_helper import yaml_parse
from tqdm.auto import tqdm

from facecourse.core.paths import outputs_for
from facecourse.deployment.cloud import Cloud, CloudError
from facecourse.deployment.costs import COPIES, monthly_ceiling
from facecourse.deployment.package import TEMPLATE, lambda_runtime
from lambda_function.access import HEADER, SCOPES, parse_keys
from lambda_function.gallery import Gallery
from lambda_function.pipeline import sha256_of

# Notes of a deployment, in outputs/<profile>/: a local cloud's does not overwrite that of a function which costs money.
NOTES = {"aws": "endpoint.json", "local": "endpoint.local.json"}
AUTH_TYPES = ("AWS_IAM", "NONE")  # of the template; a local cloud would take any word
UNFINISHED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")
ALIAS = "live"  # of the template
OPEN = "yes, anyone may send photos at my cost"  # what NONE without keys needs
FIRST_ANSWER_SECONDS = 60  # until a new role's rights have spread


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
    after 30 days (of the enrolled people after one), and a request without TLS 1.2 is refused. Raises CloudError if the
    name belongs to another account, or may not be used.
    """
    s3, place = cloud.client("s3"), {}
    if cloud.region != "us-east-1":  # which S3 takes for "no region"
        place = {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
    for _ in range(12):
        try:
            s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", **place)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "OperationAborted":  # S3 is still deleting the bucket of that name
                time.sleep(10)
                continue
            if code != "BucketAlreadyOwnedByYou":
                raise CloudError(f"the bucket {name} cannot be made: {error}") from None
        break
    else:
        raise CloudError(f"S3 is still deleting the bucket {name}: wait a few minutes, then deploy again")
    block = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    encrypted = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    rules = [_expiry("people", "people/", 1), _expiry("old-versions", "", 30)]
    only_tls = {
        "Sid": "OnlyTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    new_tls = {**only_tls, "Sid": "NewTLS", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(block, True))
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": encrypted})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    policy = {"Version": "2012-10-17", "Statement": [only_tls, new_tls]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def _expiry(name: str, prefix: str, days: int) -> dict:
    """A rule for versions that are no longer the newest: S3 deletes them after so many days."""
    return {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }


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

    S3 compares the SHA-256 that is sent along with what arrives, and refuses a damaged upload (ClientError), or a
    bucket that has become another account's.
    """
    s3, sha256, size = cloud.client("s3"), sha256_of(path), path.stat().st_size
    owner = {"ExpectedBucketOwner": cloud.account}
    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
    key = f"{prefix}/{sha256[:16]}{path.suffix}"
    try:
        held = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED", **owner)
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
                **owner,
            }
            held = s3.put_object(Bucket=bucket, Key=key, Body=body, **safe)
    return Stored(bucket, key, held.get("VersionId", ""), sha256, size)


def publish_people(cloud: Cloud, bucket: str, bundle: Path, replace: bool = False) -> str:
    """Put the people of a bundle's folder into S3 for the function to read and change, and return their key.

    Those that are there already stay, with everyone enrolled or forgotten since, unless `replace`; under another key
    lie only those of another backbone, whose vectors mean something else.
    """
    gallery = Gallery.load(bundle / "gallery.npz")
    kind = f"{gallery.about.get('backbone')} {gallery.about.get('views')}"
    key = f"people/{hashlib.sha256(kind.encode()).hexdigest()[:16]}.npz"
    condition = {} if replace else {"IfNoneMatch": "*"}
    safe = {"ServerSideEncryption": "AES256", "ExpectedBucketOwner": cloud.account}
    try:
        content = (bundle / "gallery.npz").read_bytes()
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=content, **condition, **safe)
        print(f"{len(gallery.labels)} people put into {key}")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
            raise
        print(
            f"{key} is there already and stays as it is, with all changes since; replace=True overwrites it"
        )
    return key


def _prune(cloud: Cloud, bucket: str, kept: set[str]) -> int:
    """Delete models, code and people that no stack names any more, with all their versions; return how many."""
    found = [
        (key, version)
        for prefix in ("models/", "code/", "people/")
        for key, version in _versions(cloud, bucket, prefix)
        if key not in kept
    ]
    _delete(cloud, bucket, found)
    return len({key for key, _ in found})


def _versions(cloud: Cloud, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
    """List (key, version) of everything in a bucket, delete markers too."""
    pages = cloud.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    every = (o for page in pages for o in page.get("Versions", []) + page.get("DeleteMarkers", []))
    return [(o["Key"], o["VersionId"]) for o in every]


def _delete(cloud: Cloud, bucket: str, found: list[tuple[str, str]]) -> None:
    for start in range(0, len(found), 1000):  # S3 takes so many at once
        keys = [{"Key": key, "VersionId": version} for key, version in found[start : start + 1000]]
        done = cloud.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if done.get("Errors"):
            first = done["Errors"][0]
            raise CloudError(f"{first['Key']} cannot be deleted from {bucket}: {first.get('Code')}")


def _delete_bucket(cloud: Cloud, name: str) -> int:
    """Delete a bucket and everything in it, old versions too; return how many objects that were."""
    try:
        found = _versions(cloud, name)
        _delete(cloud, name, found)
        cloud.client("s3").delete_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchBucket", "404"):
            raise
        return 0
    return len(found)


# ---- who may ask ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ApiKey:
    """A key for the function's people and photos: `text` is for its owner alone, `entry` for the function."""

    text: str = field(repr=False)
    entry: str


def new_key(name: str, scopes: tuple[str, ...] = SCOPES) -> ApiKey:
    """Draw a key of 256 bits: its text is shown to nobody again, the function keeps only its SHA-256.

    `name`, of up to 40 letters, digits, - and _, is what the log says; `scopes` are "recognise" and "manage". Raises
    CloudError for others: the function answers nobody with a key that it cannot read.
    """
    text = secrets.token_urlsafe(32)
    entry = f"{name}:{'+'.join(scopes)}:{hashlib.sha256(text.encode()).hexdigest()}"
    try:
        (_,) = parse_keys(entry)
    except ValueError:  # it reads as none, or as more than one
        raise CloudError(
            f"a key has a name of up to 40 letters, digits, - and _, and scopes of {SCOPES}, not {name!r} and {scopes!r}"
        ) from None
    return ApiKey(text, entry)


# ---- the stack -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deployment:
    """A function that is up; `url` has no slash at its end, `key` is sent along with every call."""

    cloud: Cloud
    names: Names
    url: str
    key: str = field(default="", repr=False)

    def call(self, method: str, path: str, **options) -> requests.Response:
        """Call the function: `path` such as "/v1/recognize"; options as in requests, for example data=."""
        own = {HEADER: self.key} if self.key else {}
        return self.cloud.request(
            method, self.url + path, **{**options, "headers": own | options.get("headers", {})}
        )


def deploy(
    cloud: Cloud,
    profile: str,
    code: Stored,
    model: Stored,
    people: str,
    authorisation: str = "AWS_IAM",
    keys: list[ApiKey] | None = None,
    open_to_all: str = "",
    **settings,
) -> Deployment:
    """Create the stack, or bring it up to date, wait until it answers, and note its address in outputs/<profile>/.

    Parameters
    ----------
    code, model : Stored
        The function's zip and the bundle's, both in the deployment's bucket.
    people : str
        Key of the gallery there, from `publish_people`.
    authorisation : str
        "AWS_IAM" for signed requests only, or "NONE" for everyone who knows the address and brings a key.
    keys : list of ApiKey, optional
        Who may recognise and manage; the first is the one that `Deployment.call` brings. None leaves those of before.
    open_to_all : str
        The sentence in OPEN lets photos be recognised without a key, with "NONE".
    settings
        Further parameters of the template, for example MemorySize=1024. What is not given stays as it was. Those that the
        arguments above decide are refused.

    Raises
    ------
    CloudError
        With CloudFormation's own reasons if the stack cannot be made; if what runs is not what was sent, or does not
        answer; if LFW, people who were never asked, would be open to searches by everyone.
    """
    if authorisation not in AUTH_TYPES:
        raise CloudError(f"AUTHORISATION must be one of {', '.join(AUTH_TYPES)}, not {authorisation!r}")
    names, before = names_for(cloud, profile), _parameters(cloud, names_for(cloud, profile).stack)
    values = {
        "Bucket": code.bucket,
        "CodeKey": code.key,
        "CodeVersion": code.version,
        "CodeSha256": code.sha256,
        "ModelKey": model.key,
        "ModelSha256": model.sha256,
        "PeopleKey": people,
        "Runtime": f"python{lambda_runtime()}",
        "Authorisation": authorisation,
        "OpenToAll": "yes" if open_to_all == OPEN else "no",
        **({} if keys is None else {"Keys": " ".join(key.entry for key in keys)}),
    }
    if twice := sorted({*values, "Keys"} & settings.keys()):
        raise CloudError(f"{', '.join(twice)}: deploy sets this itself, from its other arguments")
    if authorisation == "NONE":
        _check_what_is_public(profile, model, keys, open_to_all, settings, before)
    make_stack(cloud, names.stack, values | settings, before)
    stack = cloud.client("cloudformation").describe_stacks(StackName=names.stack)["Stacks"][0]
    address = next(o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "Url")
    key = keys[0].text if keys else _read_note(profile, cloud.kind).get("key", "") if keys is None else ""
    deployment = Deployment(cloud, names, cloud.public_url(address), key)
    _note(deployment, profile, authorisation)
    _check_what_runs(deployment, code)
    # The model and the code of before stay, to go back to; people of another backbone do not.
    kept = {code.key, model.key, people, before.get("CodeKey"), before.get("ModelKey")}
    if count := _prune(cloud, code.bucket, kept):
        print(f"{count} old files deleted from S3")
    return deployment


def _check_what_is_public(
    profile: str, model: Stored, keys: list[ApiKey] | None, open_to_all: str, settings: dict, before: dict
) -> None:
    if profile == "lfw" or "/lfw-" in model.key:
        raise CloudError(
            "LFW's 5,749 people never agreed to be found by everyone: deploy profile lfw with AWS_IAM, or your own people"
        )
    # CloudFormation tells nobody its Keys; but what was public before, and not open to all, came by here with some.
    kept = keys is None and (before.get("Authorisation"), before.get("OpenToAll")) == ("NONE", "no")
    if keys or open_to_all == OPEN or kept:
        return
    held = before | settings
    copies = int(held.get("Concurrency", COPIES))
    most = monthly_ceiling(int(held.get("MemorySize", 1769)), copies if copies > 0 else 1000)
    raise CloudError(
        f"with NONE and no keys anyone may send photos, which can cost up to ${most:,.0f} a month: pass "
        f'keys=[new_key("me")], or open_to_all="{OPEN}"'
    )


def _parameters(cloud: Cloud, stack: str) -> dict[str, str]:
    """Return the parameters that a stack has now, {} where there is none or its first attempt failed."""
    status = _stack_status(cloud, stack)
    if status is None or status in UNFINISHED:
        return {}
    found = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", [])}


def make_stack(cloud: Cloud, stack: str, values: dict, before: dict[str, str]) -> None:
    """Create a stack from the template and the parameters `values`, or update it from what it was `before`, and wait.

    Raises CloudError, with CloudFormation's own reasons, if it cannot be made.
    """
    formation, status = cloud.client("cloudformation"), _stack_status(cloud, stack)
    if status == "UPDATE_ROLLBACK_FAILED":
        advice = f"aws cloudformation continue-update-rollback --stack-name {stack}"
        raise CloudError(
            f"an earlier update of {stack} could not be taken back: run {advice}, then this again"
        )
    if status and status.endswith("_IN_PROGRESS") and status not in UNFINISHED:
        raise CloudError(f"CloudFormation is still busy with {stack} ({status}): wait, and run this again")
    if status in UNFINISHED:
        _delete_stack(cloud, stack)  # what a failed first attempt leaves can only be deleted
    change = "update" if before else "create"
    template = TEMPLATE.read_text()
    kept = (before.keys() & yaml_parse(template)["Parameters"].keys()) - values.keys()
    parameters = [{"ParameterKey": k, "ParameterValue": str(v)} for k, v in values.items()]
    parameters += [{"ParameterKey": k, "UsePreviousValue": True} for k in sorted(kept)]
    try:
        getattr(formation, f"{change}_stack")(
            StackName=stack,
            TemplateBody=template,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=parameters,
        )
        _wait(cloud, stack, change)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise CloudError(f"the stack {stack} cannot be made: {error}") from None


def _note(deployment: Deployment, profile: str, authorisation: str) -> None:
    """Write down what it takes to find the deployment again; for a local cloud, which ends with this notebook, its keys."""
    cloud = deployment.cloud
    note = {"url": deployment.url, "kind": cloud.kind, "authorisation": authorisation}
    note |= {"account": cloud.account, "region": cloud.region, "stack": deployment.names.stack}
    if cloud.kind == "local":
        note["key"] = deployment.key
    path = outputs_for(profile) / NOTES[cloud.kind]
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps(note, indent=2) + "\n")


def _check_what_runs(deployment: Deployment, code: Stored) -> None:
    """Compare Lambda's hash of the code with ours, and ask until there is an answer."""
    lambdas, name = deployment.cloud.client("lambda"), deployment.names.stack
    held = lambdas.get_function_configuration(FunctionName=name, Qualifier=ALIAS)["CodeSha256"]
    if base64.b64decode(held).hex() != code.sha256:
        raise CloudError(f"Lambda runs other code than was sent: {held}; tear it down and deploy it again")
    patience = 0 if deployment.cloud.endpoint else FIRST_ANSWER_SECONDS
    deadline = time.monotonic() + patience
    while told := _what_is_wrong(deployment):
        if time.monotonic() > deadline:
            raise CloudError(f"the function is up but cannot answer: {told}")
        time.sleep(3)


def _what_is_wrong(deployment: Deployment) -> str:
    try:
        answer = deployment.call("GET", "/health")
    except requests.ConnectionError as error:  # the name of a new address is not known everywhere at once
        return str(error)
    return "" if answer.ok else f"{answer.status_code} {answer.text[:300]}"


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
    except WaiterError as error:
        if "Max attempts exceeded" in str(error):
            raise CloudError(
                f"CloudFormation still works at the {change} of {stack}: run this again later"
            ) from None
        events = formation.describe_stack_events(StackName=stack)["StackEvents"]
        # The newest come first, and the oldest of this change say why: the others follow from them.
        change_began = (n for n, e in enumerate(events) if e.get("ResourceStatusReason") == "User Initiated")
        events = events[: next(change_began, None)]
        failed = [e for e in events if e["ResourceStatus"].endswith("FAILED")][-5:]
        reasons = [f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed]
        if any("UnreservedConcurrentExecution" in reason for reason in reasons):
            reasons.append(
                "  A new account may have too few copies to reserve any: pass Concurrency=-1 to deploy; then only "
                "the account's own limit bounds load and cost"
            )
        message = f"CloudFormation could not {change} the stack {stack}:"
        raise CloudError("\n".join([message, *reasons])) from None


# ---- tear-down -----------------------------------------------------------------------------------------


def tear_down(cloud: Cloud, profile: str) -> pd.DataFrame:
    """Delete everything that belongs to a profile's deployment, and ask for each part whether it is gone.

    It goes by names, so that it also removes what an interrupted run left. A local cloud is stopped last. The note of
    the address goes when nothing else is left. Returned are, by what: asked (the question put to AWS), answer, gone
    (bool). Raises CloudError if the note says that the deployment is in another account or region, or if CloudFormation
    cannot delete the stack; nothing else is touched then. Raises botocore's BotoCoreError if AWS does not answer: that
    proves nothing.
    """
    names, rows = names_for(cloud, profile), []
    noted = _read_note(profile, cloud.kind)
    if cloud.kind == "aws" and noted and (noted["account"], noted["region"]) != (cloud.account, cloud.region):
        raise CloudError(
            f"{noted['stack']} was deployed to account {noted['account']} in {noted['region']}; these credentials are "
            f"for {cloud.account} in {cloud.region}, where nothing of it can be. Take the others (AWS_PROFILE, "
            "AWS_REGION)"
        )
    if cloud.running:
        if _stack_status(cloud, names.stack) is not None:
            _delete_stack(cloud, names.stack)
        print(f"{_delete_bucket(cloud, names.bucket)} objects deleted from S3 in {cloud.region}")
        rows = _ask_what_is_left(cloud, names)
    if cloud.kind == "local":
        cloud.stop()
        rows.append(("local cloud", "process", "running" if cloud.running else "ended", not cloud.running))
        if other := _read_note(profile, "aws"):
            where = f"account {other['account']}, {other['region']}"
            print(f"still up in AWS ({where}): {other['stack']}; a tear-down with AGREED takes it down")
    table = pd.DataFrame(rows, columns=["what", "asked", "answer", "gone"]).set_index("what")
    if table["gone"].all():
        (outputs_for(profile) / NOTES[cloud.kind]).unlink(missing_ok=True)
    return table


def _read_note(profile: str, kind: str) -> dict[str, str]:
    """Return what was noted about a deployment, {} if nothing was; CloudError if the note is damaged."""
    path = outputs_for(profile) / NOTES[kind]
    try:
        note = json.loads(path.read_text())
        return {
            "key": "",
            **{field: str(note[field]) for field in ("url", "account", "region", "stack")},
            **note,
        }
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        raise CloudError(f"{path.name} is damaged: look in AWS what it was about, then delete it") from None


def _ask_what_is_left(cloud: Cloud, names: Names) -> list[tuple[str, str, str, bool]]:
    functions, s3, name = cloud.client("lambda"), cloud.client("s3"), {"FunctionName": names.stack}
    status = _stack_status(cloud, names.stack)
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix=names.log)["logGroups"]
    log = any(group["logGroupName"] == names.log for group in groups)
    return [
        ("stack", "DescribeStacks", status or "does not exist", status is None),
        _ask("function", "GetFunction", lambda: functions.get_function(**name)),
        _ask(
            "address",
            "GetFunctionUrlConfig",
            lambda: functions.get_function_url_config(**name, Qualifier=ALIAS),
        ),
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
