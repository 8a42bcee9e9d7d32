"""The infrastructure: valid by AWS's own tools, no right too many, and an image whose parts are there."""

import os
import re
import subprocess

import pytest
from samtranslator.yaml_helper import yaml_parse

from facecourse.core.paths import ROOT
from facecourse.deployment.package import FUNCTION, RUNTIMES

TEMPLATES = ("template.yaml", "template_container.yaml")
ZIP, CONTAINER = (yaml_parse((FUNCTION / name).read_text()) for name in TEMPLATES)


@pytest.fixture(params=[ZIP, CONTAINER], ids=TEMPLATES)
def template(request):
    return request.param


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(
    "command", [["cfn-lint"], ["sam", "validate", "--lint", "-t"]], ids=["cfn-lint", "sam"]
)
def test_awss_tools_have_nothing_to_say(tool_venv, command, name):
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    program = [str(tool_venv / "bin" / command[0]), *command[1:], f"lambda_function/{name}"]
    done = subprocess.run(program, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert command[0] != "cfn-lint" or not done.stdout.strip()


def test_the_role_may_do_what_it_must_and_no_more(template):
    (policy,) = template["Resources"]["Role"]["Properties"]["Policies"]
    rights = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        rights |= dict.fromkeys(actions, statement["Resource"]["Fn::Sub"])
    logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}:*"
    wanted = {"logs:CreateLogStream": logs, "logs:PutLogEvents": logs}
    if template is ZIP:
        wanted["s3:GetObject"] = "arn:${AWS::Partition}:s3:::${Bucket}/${ModelKey}"
    assert rights == wanted
    assert "ManagedPolicyArns" not in template["Resources"]["Role"]["Properties"]


def test_private_by_default_and_public_only_by_the_switch(template):
    assert template["Parameters"]["Authorisation"]["Default"] == "AWS_IAM"
    url = template["Resources"]["Function"]["Properties"]["FunctionUrlConfig"]
    assert url["AuthType"] == {"Ref": "Authorisation"}
    assert template["Parameters"]["CorsOrigins"]["Default"] == "" and url["Cors"]["Fn::If"][0] == "HasOrigins"
    permissions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Permission"]
    assert len(permissions) == 2 and all(p["Condition"] == "IsPublic" for p in permissions)


def test_limits_that_the_linters_miss(template):
    parameters = template["Parameters"]
    memory, timeout = parameters["MemorySize"], parameters["Timeout"]
    # 724 MB were measured for a PNG of 5000 x 5000 pixels with transparency.
    assert 1000 <= memory["MinValue"] <= memory["Default"] <= memory["MaxValue"] <= 10240
    assert 1 <= timeout["Default"] <= timeout["MaxValue"] <= 29  # an API Gateway gives up then
    # The ceiling of load and cost: the function itself counts nobody's requests.
    assert parameters["LogDays"]["Default"] > 0 and parameters["Concurrency"]["Default"] > 0
    reserved = template["Resources"]["Function"]["Properties"]["ReservedConcurrentExecutions"]["Fn::If"]
    assert reserved[:2] == ["IsHeldInBounds", {"Ref": "Concurrency"}]


def test_both_templates_are_the_same_but_for_zip_and_image():
    for part in ("Conditions", "Outputs"):
        assert ZIP[part] == CONTAINER[part]
    for name in ("MemorySize", "Authorisation", "CorsOrigins", "Concurrency", "LogDays"):
        assert ZIP["Parameters"][name] == CONTAINER["Parameters"][name], name
    for name in ("Log", "PublicUrl", "PublicInvoke"):
        assert ZIP["Resources"][name] == CONTAINER["Resources"][name], name
    one, other = (t["Resources"]["Function"]["Properties"] for t in (ZIP, CONTAINER))
    assert {name: one[name] for name in other} == other | {"PackageType": "Zip"}


def test_the_image_copies_what_is_there():
    text = (FUNCTION / "Dockerfile").read_text()
    sources = [line.split()[1] for line in text.splitlines() if line.startswith("COPY")]
    assert len(sources) == 4
    for source in (s for s in sources if "${" not in s):
        assert list(ROOT.glob(source)), source
    assert re.search(r"python:(3\.\d+)", text)[1] in RUNTIMES
