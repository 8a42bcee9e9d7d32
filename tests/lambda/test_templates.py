"""The infrastructure: valid by AWS's own tools, no right too many, and an image whose parts are there."""

import os
import re
import subprocess

import pytest
import yaml

from facecourse.core.paths import ROOT
from facecourse.deployment.package import FUNCTION, RUNTIMES
from facecourse.deployment.stack import resources_of

TEMPLATES = ("template.yaml", "template_container.yaml")


class Loader(yaml.SafeLoader):
    """Keeps !Ref and its like as (tag, value)."""


def _short_form(loader, tag, node):
    kind = {yaml.ScalarNode: "scalar", yaml.SequenceNode: "sequence", yaml.MappingNode: "mapping"}[type(node)]
    deep = {} if kind == "scalar" else {"deep": True}
    return tag, getattr(loader, f"construct_{kind}")(node, **deep)


Loader.add_multi_constructor("!", _short_form)


@pytest.fixture(params=TEMPLATES)
def template(request):
    return yaml.load((FUNCTION / request.param).read_text(), Loader)


def tool(tool_venv, *command):
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    program = [str(tool_venv / "bin" / command[0]), *command[1:]]
    return subprocess.run(program, capture_output=True, text=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_has_nothing_to_say(tool_venv, name):
    done = tool(tool_venv, "cfn-lint", f"lambda_function/{name}")
    assert (done.returncode, done.stdout.strip()) == (0, "")


@pytest.mark.parametrize("name", TEMPLATES)
def test_sam_finds_it_valid(tool_venv, name):
    done = tool(tool_venv, "sam", "validate", "--lint", "-t", f"lambda_function/{name}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_would_see_a_mistake(tool_venv, tmp_path):
    broken = tmp_path / "template.yaml"
    broken.write_text(
        (FUNCTION / "template.yaml").read_text().replace("Role: !GetAtt Role.Arn", "Roll: nobody")
    )
    assert tool(tool_venv, "cfn-lint", str(broken)).returncode != 0


def test_the_role_may_do_what_it_must_and_no_more(template):
    (policy,) = template["Resources"]["Role"]["Properties"]["Policies"]
    rights = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        rights |= dict.fromkeys(actions, statement["Resource"][1])
    logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}:*"
    wanted = {"logs:CreateLogStream": logs, "logs:PutLogEvents": logs}
    if "ModelKey" in template["Parameters"]:
        wanted["s3:GetObject"] = "arn:${AWS::Partition}:s3:::${Bucket}/${ModelKey}"
    assert rights == wanted
    assert "ManagedPolicyArns" not in template["Resources"]["Role"]["Properties"]


def test_private_by_default_and_public_only_by_the_switch(template):
    assert template["Parameters"]["Authorisation"]["Default"] == "AWS_IAM"
    url = template["Resources"]["Function"]["Properties"]["FunctionUrlConfig"]
    assert url["AuthType"] == ("Ref", "Authorisation")
    permissions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Permission"]
    assert len(permissions) == 2 and all(p["Condition"] == "IsPublic" for p in permissions)


def test_limits_that_the_linters_miss(template):
    parameters = template["Parameters"]
    memory, timeout = parameters["MemorySize"], parameters["Timeout"]
    assert 400 <= memory["MinValue"] <= memory["Default"] <= memory["MaxValue"] <= 10240
    assert 1 <= timeout["Default"] <= timeout["MaxValue"] <= 29  # an API Gateway gives up then
    assert parameters["LogDays"]["Default"] > 0 and parameters["Concurrency"]["Default"] > 0


def test_the_zip_runs_on_pythons_that_the_package_is_built_for():
    template = yaml.load((FUNCTION / "template.yaml").read_text(), Loader)
    assert template["Parameters"]["Runtime"]["AllowedValues"] == [f"python{v}" for v in RUNTIMES]
    assert template["Resources"]["Function"]["Properties"]["Handler"] == "lambda_function.app.handler"


def test_both_templates_set_only_what_the_function_reads(template):
    from dataclasses import fields

    from lambda_function.settings import Settings

    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert {name.lower() for name in variables} <= {field.name for field in fields(Settings)}


def test_the_plan_lists_every_resource():
    made = resources_of()
    assert made["Function"] == "AWS::Serverless::Function" and made["Log"] == "AWS::Logs::LogGroup"
    template = yaml.load((FUNCTION / "template.yaml").read_text(), Loader)
    assert made == {name: resource["Type"] for name, resource in template["Resources"].items()}


def test_the_image_copies_what_is_there():
    text = (FUNCTION / "Dockerfile").read_text()
    sources = [line.split()[1] for line in text.splitlines() if line.startswith("COPY")]
    assert len(sources) == 4
    for source in (s for s in sources if "${" not in s and "requirements" not in s):
        assert list(ROOT.glob(source)), source
    assert re.search(r'CMD \["lambda_function\.app\.handler"\]', text)
    assert re.search(r"python:(3\.\d+)", text)[1] in RUNTIMES
