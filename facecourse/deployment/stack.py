"""The function, its role, its log and its address: made from the SAM template as one stack, and removed as one."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import requests
from botocore.exceptions import ClientError, WaiterError

from facecourse.core.paths import outputs_for
from facecourse.deployment.cloud import Cloud, CloudError
from facecourse.deployment.package import FUNCTION, lambda_runtime
from facecourse.deployment.storage import Stored, remove_bucket

TEMPLATE = FUNCTION / "template.yaml"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
WAYS_IN = ("AWS_IAM", "NONE")  # of the template's parameter Authorisation; a local cloud would take any word


@dataclass(frozen=True)
class Names:
    """What a deployment is called; it follows from profile and account, so that a later run finds it again.

    Attributes
    ----------
    stack, bucket, log : str
        The function is called like the stack.
    """

    stack: str
    bucket: str
    log: str


@dataclass(frozen=True)
class Deployment:
    """A function that is up.

    Attributes
    ----------
    cloud : Cloud
    profile : str
    names : Names
    url : str
        Without a slash at its end.
    authorisation : str
        "AWS_IAM" or "NONE".
    """

    cloud: Cloud
    profile: str
    names: Names
    url: str
    authorisation: str

    def call(self, method: str, path: str, **options) -> requests.Response:
        """Call the function: `path` such as "/recognize"; options as in requests, for example data=."""
        return self.cloud.request(method, self.url + path, **options)


def names_for(cloud: Cloud, profile: str) -> Names:
    """Return the names of everything that belongs to a profile's deployment.

    Parameters
    ----------
    cloud : Cloud
        Whose account and region are part of the names.
    profile : str
        "sample" or "lfw".
    """
    stack = f"facecourse-{profile}"
    return Names(stack, f"{stack}-{cloud.account}-{cloud.region}", f"/aws/lambda/{stack}")


def resources_of(template: Path = TEMPLATE) -> dict[str, str]:
    """Return what a template makes: CloudFormation's type by name."""
    text = template.read_text().split("\nResources:\n")[1].split("\nOutputs:\n")[0]
    return dict(re.findall(r"^  (\w+):\n    Type: (\S+)", text, re.M))


def deploy(
    cloud: Cloud,
    profile: str,
    code: Stored,
    model: Stored,
    authorisation: str = "AWS_IAM",
    **settings,
) -> Deployment:
    """Create the stack, or bring it up to date, and leave its address in outputs/<profile>/endpoint.json.

    Parameters
    ----------
    cloud : Cloud
    profile : str
    code, model : Stored
        The function's zip and the bundle's, both in the deployment's bucket.
    authorisation : str
        "AWS_IAM": only signed requests; "NONE": everyone who knows the address.
    **settings
        Further parameters of the template, for example MemorySize=1024.

    Raises
    ------
    CloudError
        If the stack cannot be made; with CloudFormation's own reasons.
    """
    if authorisation not in WAYS_IN:
        raise CloudError(f"AUTHORISATION must be one of {', '.join(WAYS_IN)}, not {authorisation!r}")
    names = names_for(cloud, profile)
    values = {
        "Bucket": code.bucket,
        "CodeKey": code.key,
        "ModelKey": model.key,
        "ModelSha256": model.sha256,
        "Runtime": f"python{lambda_runtime()}",
        "Authorisation": authorisation,
        **settings,
    }
    outputs = _create_or_update(cloud, names.stack, values)
    deployment = Deployment(cloud, profile, names, cloud.public_url(outputs["Url"]), authorisation)
    note = {"url": deployment.url, "kind": cloud.kind, "authorisation": authorisation, "region": cloud.region}
    _note(profile).write_text(json.dumps(note, indent=2) + "\n")
    return deployment


def _note(profile: str) -> Path:
    return outputs_for(profile) / "endpoint.json"


def _create_or_update(cloud: Cloud, stack: str, values: dict) -> dict[str, str]:
    formation = cloud.client("cloudformation")
    asked = {
        "StackName": stack,
        "TemplateBody": TEMPLATE.read_text(),
        "Capabilities": CAPABILITIES,
        "Parameters": [{"ParameterKey": k, "ParameterValue": str(v)} for k, v in values.items()],
    }
    status = stack_status(cloud, stack)
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"):
        _delete_stack(cloud, stack)  # what a failed first attempt leaves can only be deleted
        status = None
    doing = "create" if status is None else "update"
    try:
        getattr(formation, f"{doing}_stack")(**asked)
        formation.get_waiter(f"stack_{doing}_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1 if cloud.endpoint else 5, "MaxAttempts": 120}
        )
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise CloudError(f"the stack {stack} cannot be made: {error}") from None
    except WaiterError:
        raise CloudError(f"the stack {stack} could not be made:\n" + _reasons(formation, stack)) from None
    described = formation.describe_stacks(StackName=stack)["Stacks"][0]
    return {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])}


def _reasons(formation, stack: str) -> str:
    events = formation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [e for e in events if e["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed[-5:])


def stack_status(cloud: Cloud, stack: str) -> str | None:
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
    formation = cloud.client("cloudformation")
    formation.delete_stack(StackName=stack)
    try:
        formation.get_waiter("stack_delete_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1 if cloud.endpoint else 5, "MaxAttempts": 120}
        )
    except WaiterError:
        raise CloudError(f"the stack {stack} could not be deleted:\n" + _reasons(formation, stack)) from None


# ---- away with it --------------------------------------------------------------------------------------


def tear_down(cloud: Cloud, profile: str) -> pd.DataFrame:
    """Delete everything that belongs to a profile's deployment, and ask for each part whether it is gone.

    It goes by names, so that it also removes what an interrupted run left. A local cloud is stopped last.

    Returns
    -------
    DataFrame
        what, asked (the question put to AWS), answer, gone (bool).

    Raises
    ------
    CloudError
        If CloudFormation cannot delete the stack; nothing else is touched then.
    """
    names, url = names_for(cloud, profile), _noted_url(profile)
    if not cloud.running:
        _note(profile).unlink(missing_ok=True)
        return _as_table([("local cloud", "process", "ended", True)])
    if stack_status(cloud, names.stack) is not None:
        _delete_stack(cloud, names.stack)
    objects = remove_bucket(cloud, names.bucket)
    _note(profile).unlink(missing_ok=True)
    rows = _ask_what_is_left(cloud, names)
    if url:
        rows.append(_answers(cloud, url))
    if cloud.kind == "local":
        cloud.stop()
        rows.append(("local cloud", "process", "running" if cloud.running else "ended", not cloud.running))
    print(f"{objects} objects deleted from S3")
    return _as_table(rows)


def _as_table(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["what", "asked", "answer", "gone"]).set_index("what")


def _noted_url(profile: str) -> str:
    try:
        return json.loads(_note(profile).read_text())["url"]
    except (OSError, ValueError, KeyError):
        return ""


def _ask_what_is_left(cloud: Cloud, names: Names) -> list[tuple]:
    functions, s3, logs = cloud.client("lambda"), cloud.client("s3"), cloud.client("logs")
    status = stack_status(cloud, names.stack)
    groups = logs.describe_log_groups(logGroupNamePrefix=names.log)["logGroups"]
    left = [g["logGroupName"] for g in groups if g["logGroupName"] == names.log]
    return [
        ("stack", "DescribeStacks", status or "does not exist", status is None),
        _refused("function", "GetFunction", lambda: functions.get_function(FunctionName=names.stack)),
        _refused("bucket", "HeadBucket", lambda: s3.head_bucket(Bucket=names.bucket)),
        ("log", "DescribeLogGroups", ", ".join(left) or "does not exist", not left),
    ]


def _refused(what: str, asked: str, question: Callable[[], object]) -> tuple:
    """Gone is only what AWS calls not found: a refusal for another reason proves nothing."""
    try:
        question()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return what, asked, error.response["Error"]["Code"], status == 404
    return what, asked, "still there", False


def _answers(cloud: Cloud, url: str) -> tuple:
    """Ask the address itself; AWS takes a few seconds to forget one."""
    for wait in (0, 2, 5):
        time.sleep(0 if cloud.endpoint else wait)
        try:
            answer = cloud.request("GET", f"{url}/health")
        except requests.RequestException as error:
            return "address", "GET /health", type(error).__name__, True
        if answer.status_code in (403, 404):
            return "address", "GET /health", f"status {answer.status_code}", True
    return "address", "GET /health", f"status {answer.status_code}", False
