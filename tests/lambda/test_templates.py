"""The infrastructure: valid by AWS's own tools, no right too many, and an image whose parts are there."""

import copy
import json
import os
import re
import subprocess
from types import SimpleNamespace

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from facecourse.core.paths import ROOT
from facecourse.deployment.package import FUNCTION, RUNTIMES

TEMPLATES = ("template.yaml", "template_container.yaml")
ZIP, CONTAINER = (yaml_parse((FUNCTION / name).read_text()) for name in TEMPLATES)
NO_POLICIES = SimpleNamespace(load=dict)


@pytest.fixture(autouse=True)
def region(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


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
        for action in actions:
            rights.setdefault(action, set()).add(statement["Resource"]["Fn::Sub"])
    logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}:*"
    wanted = {"logs:CreateLogStream": logs, "logs:PutLogEvents": logs}
    people = "arn:${AWS::Partition}:s3:::${Bucket}/${PeopleKey}"
    model = "arn:${AWS::Partition}:s3:::${Bucket}/models/*"  # an older version asks for its own
    wanted |= {"s3:GetObject": {people, *([model] if template is ZIP else [])}, "s3:PutObject": {people}}
    assert rights == {action: on if isinstance(on, set) else {on} for action, on in wanted.items()}
    assert "ManagedPolicyArns" not in template["Resources"]["Role"]["Properties"]


def test_private_by_default_and_public_only_by_the_switch(template):
    assert template["Parameters"]["Authorisation"]["Default"] == "AWS_IAM"
    url = template["Resources"]["Function"]["Properties"]["FunctionUrlConfig"]
    assert url["AuthType"] == {"Ref": "Authorisation"}
    assert template["Parameters"]["CorsOrigins"]["Default"] == "" and url["Cors"]["Fn::If"][0] == "HasOrigins"
    # A public address without keys takes its own word.
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["FACE_OPEN"] == {"Fn::If": ["TakesKeys", "none", "recognise"]}
    assert template["Parameters"]["OpenToAll"]["Default"] == "no" and template["Parameters"]["Keys"]["NoEcho"]
    permissions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Permission"]
    assert len(permissions) == 2 and all(p["Condition"] == "IsPublic" for p in permissions)


def test_limits_that_the_linters_miss(template):
    parameters = template["Parameters"]
    memory, timeout = parameters["MemorySize"], parameters["Timeout"]
    # 724 MB were measured for a PNG of 5000 x 5000 pixels with transparency.
    assert 1000 <= memory["MinValue"] <= memory["Default"] <= memory["MaxValue"] <= 10240
    assert timeout["Default"] <= timeout["MaxValue"] <= 29  # an API Gateway gives up then
    slow = template["Resources"]["SlownessAlarm"]["Properties"]["Threshold"]
    assert slow < 1000 * timeout["MinValue"]  # else it could never sound
    # The ceiling of load and cost: the function itself counts nobody's requests.
    assert parameters["LogDays"]["Default"] > 0 and parameters["Concurrency"]["Default"] > 0
    reserved = template["Resources"]["Function"]["Properties"]["ReservedConcurrentExecutions"]["Fn::If"]
    assert reserved[:2] == ["IsHeldInBounds", {"Ref": "Concurrency"}]


def test_both_templates_are_the_same_but_for_zip_and_image():
    for part in ("Conditions", "Outputs"):
        assert ZIP[part] == CONTAINER[part]
    own = {"CodeKey", "CodeVersion", "CodeSha256", "ModelKey", "ModelSha256", "Runtime"}
    assert ZIP["Parameters"].keys() - CONTAINER["Parameters"].keys() == own
    for name in CONTAINER["Parameters"].keys() - {"Bucket", "Timeout", "Architecture"}:
        assert ZIP["Parameters"][name] == CONTAINER["Parameters"][name], name
    for name in ZIP["Resources"].keys() - {"Role", "Function"}:
        assert ZIP["Resources"][name] == CONTAINER["Resources"][name], name
    one, other = (t["Resources"]["Function"]["Properties"] for t in (ZIP, CONTAINER))
    for name in other.keys() - {"PackageType", "Environment"}:
        assert one[name] == other[name], name
    here, there = (p["Environment"]["Variables"] for p in (one, other))
    assert {name: here[name] for name in there} == there
    assert here.keys() - there.keys() == {"MODEL_BUCKET", "MODEL_KEY", "MODEL_SHA256", "CODE_VERSION"}


def test_code_is_pinned_and_goes_back_by_its_alias():
    function = ZIP["Resources"]["Function"]["Properties"]
    assert function["CodeUri"]["Version"] == {"Ref": "CodeVersion"} and function["AutoPublishAlias"] == "live"
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    assert "--require-hashes" in (FUNCTION / "Dockerfile").read_text()
    versions = ZIP["Parameters"]["Runtime"]["AllowedValues"]
    assert versions == [f"python{version}" for version in RUNTIMES] and "python3.11" not in versions


def test_a_canary_has_codedeploy_shift_a_tenth_and_watch_the_alarms():
    """What AWS makes of the template, by its own transform."""
    made = transform(copy.deepcopy(ZIP), {"Canary": "true"}, NO_POLICIES)
    groups = [r for r in made["Resources"].values() if r["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
    assert len(groups) == 1 and "Canary10Percent5Minutes" in json.dumps(groups[0])
    watch, set_up, _ = groups[0]["Properties"]["AlarmConfiguration"]["Fn::If"]
    assert {"Fn::Equals": [{"Ref": "Canary"}, "true"]} in made["Conditions"][watch]["Fn::Or"]
    for alarm in set_up["Alarms"]:  # there without anybody who is told, too
        assert made["Resources"][alarm["Name"]["Ref"]]["Condition"] == watch
    plain = transform(copy.deepcopy(ZIP), {}, NO_POLICIES)
    assert not [r for r in plain["Resources"].values() if "CodeDeploy" in r["Type"]]


def test_somebody_is_told_of_failures_throttles_slowness_and_spending(template):
    resources = template["Resources"]
    watched = {
        r["Properties"]["MetricName"] for r in resources.values() if r["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert watched == {"Url5xxCount", "Throttles", "Duration"}
    assert resources["Budget"]["Condition"] == "HasBudget"


def test_callers_may_call_and_nothing_else(template):
    statements = template["Resources"]["Callers"]["Properties"]["PolicyDocument"]["Statement"]
    assert {s["Action"] for s in statements} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert all(s["Resource"]["Fn::Sub"].endswith("function:${AWS::StackName}:live") for s in statements)


def test_the_deployer_passes_roles_to_lambda_and_the_canary_alone():
    statements = json.loads((ROOT / "docs" / "deployer_policy.json").read_text())["Statement"]
    (passing,) = [s for s in statements if "iam:PassRole" in s["Action"]]
    services = passing["Condition"]["StringEquals"]["iam:PassedToService"]
    assert passing["Action"] == "iam:PassRole" and services == [
        "lambda.amazonaws.com",
        "codedeploy.amazonaws.com",
    ]


def test_the_image_copies_what_is_there():
    text = (FUNCTION / "Dockerfile").read_text()
    sources = [line.split()[1] for line in text.splitlines() if line.startswith("COPY")]
    assert len(sources) == 4
    for source in (s for s in sources if "${" not in s):
        assert list(ROOT.glob(source)), source
    assert re.search(r"python:(3\.\d+)", text)[1] in RUNTIMES
