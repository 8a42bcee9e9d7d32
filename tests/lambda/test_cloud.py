"""Deployment against a local cloud: S3, the stack from the template, what goes wrong, and the way back down."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from botocore.exceptions import ClientError

from facecourse.core import paths
from facecourse.core.paths import ROOT
from facecourse.deployment import cloud as clouds
from facecourse.deployment import package, stack, storage
from lambda_function.pipeline import Recogniser, open_photo, sha256_of

GROUP = ROOT / "data" / "group" / "group_01.jpg"
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Addresses of deployments are noted here, not in the reader's outputs."""
    patch = pytest.MonkeyPatch()
    patch.setattr(paths, "OUTPUTS", tmp_path_factory.mktemp("outputs"))
    yield paths.OUTPUTS / "sample"
    patch.undo()


@pytest.fixture(scope="module")
def cloud():
    started = clouds.open_cloud()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def bucket(cloud):
    name = stack.names_for(cloud, "sample").bucket
    storage.make_bucket(cloud, name)
    return name


@pytest.fixture(scope="module")
def stored(cloud, bucket, bundle):
    archive = bundle.with_suffix(".zip")
    return storage.upload(cloud, bucket, "code", package.build_package()), storage.upload(
        cloud, bucket, "models", archive
    )


@pytest.fixture(scope="module")
def deployed(cloud, stored, outputs):
    return stack.deploy(cloud, "sample", *stored)


def file_of(folder, content=b"a model", name="model.zip"):
    (folder / name).write_bytes(content)
    return folder / name


# ---- S3 ------------------------------------------------------------------------------------------------


def test_the_bucket_is_private_encrypted_and_versioned(cloud, bucket):
    storage.make_bucket(cloud, bucket)  # a second time changes nothing
    state = storage.describe_bucket(cloud, bucket)
    assert state == {"encrypted with": "AES256", "public access blocked": True, "versions kept": True}
    policy = json.loads(cloud.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Effect"] == "Deny" and statement["Condition"] == {
        "Bool": {"aws:SecureTransport": "false"}
    }


def test_an_upload_is_checked_encrypted_and_not_repeated(cloud, bucket, tmp_path):
    path = file_of(tmp_path)
    first, again = (storage.upload(cloud, bucket, "models/v1", path) for _ in range(2))
    assert first.sent and not again.sent
    assert first.key == f"models/v1/{sha256_of(path)[:16]}.zip" and first.version == again.version != ""
    head = cloud.client("s3").head_object(Bucket=bucket, Key=first.key)
    assert head["ServerSideEncryption"] == "AES256" and head["ContentLength"] == 7
    assert storage.fetch(cloud, first) == b"a model"


def test_another_model_is_another_key(cloud, bucket, tmp_path):
    keys = {
        storage.upload(cloud, bucket, "m", file_of(tmp_path, content)).key for content in (b"old", b"new")
    }
    assert len(keys) == 2


def test_what_arrives_damaged_is_refused(cloud, bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "sha256_of", lambda path: "ab" * 32)
    with pytest.raises(ClientError):
        storage.upload(cloud, bucket, "damaged", file_of(tmp_path))
    assert cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="damaged")["KeyCount"] == 0


def test_an_upload_that_broke_off_leaves_nothing_and_works_again(cloud, bucket, tmp_path, monkeypatch):
    path, read = file_of(tmp_path, os.urandom(300_000)), storage._Watched.read

    def broken(self, size=-1):
        if self.tell() > 100_000:
            raise KeyboardInterrupt
        return read(self, 50_000)

    monkeypatch.setattr(storage._Watched, "read", broken)
    with pytest.raises(KeyboardInterrupt):
        storage.upload(cloud, bucket, "broken", path)
    monkeypatch.undo()
    assert cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="broken")["KeyCount"] == 0
    assert storage.upload(cloud, bucket, "broken", path).sent


def test_a_file_that_was_changed_in_s3_is_noticed(cloud, bucket, tmp_path):
    sent = storage.upload(cloud, bucket, "changed", file_of(tmp_path))
    cloud.client("s3").put_object(Bucket=bucket, Key=sent.key, Body=b"something else")
    with pytest.raises(clouds.CloudError, match="has changed"):
        storage.fetch(cloud, sent)
    assert storage.upload(cloud, bucket, "changed", file_of(tmp_path)).sent
    assert storage.fetch(cloud, sent) == b"a model"


# ---- the function --------------------------------------------------------------------------------------


def test_the_deployed_function_is_the_bundle(deployed, bundle, outputs):
    version = json.loads((bundle / "model.json").read_text())["version"]
    assert deployed.call("GET", "/health").json()["model"] == version
    noted = json.loads((outputs / "endpoint.json").read_text())
    assert noted["url"] == deployed.url and noted["kind"] == "local"


def test_only_signed_requests_are_let_in(deployed):
    assert deployed.call("GET", "/health", signed=False).status_code == 403


def test_notebook_06_signs_its_requests(deployed):
    from facecourse.app.endpoint import ask

    faces = ask(deployed.url, GROUP.read_bytes(), open_photo(GROUP))
    assert len(faces) == 3 and all(len(face["top"]) == 5 for face in faces)


def test_the_same_boxes_and_names_as_in_the_notebook(deployed, bundle):
    there = deployed.call("POST", "/recognize", data=GROUP.read_bytes(), headers=JPEG).json()["faces"]
    here = Recogniser.load(bundle).recognise(open_photo(GROUP))
    assert [face["name"] for face in there] == [face["name"] for face in here] and len(here) == 3
    np.testing.assert_allclose([f["box"] for f in there], [f["box"] for f in here], atol=0.05)


def test_the_log_is_kept_for_two_weeks_and_the_role_is_the_templates(cloud, deployed):
    (group,) = cloud.client("logs").describe_log_groups(logGroupNamePrefix=deployed.names.log)["logGroups"]
    assert group["retentionInDays"] == 14
    config = cloud.client("lambda").get_function_configuration(FunctionName=deployed.names.stack)
    assert config["MemorySize"] == 1769 and config["Timeout"] == 20
    assert "facecourse-sample" in config["Role"] and config["Environment"]["Variables"]["MODEL_SHA256"]


def test_another_model_than_the_configured_one_is_a_503(cloud, deployed, stored, outputs):
    """And the right one is back with the next deployment: nothing has to be repaired by hand."""
    broken = stack.deploy(cloud, "sample", *stored, ModelSha256="0" * 64)
    for path in ("/health", "/health"):
        answer = broken.call("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    mended = stack.deploy(cloud, "sample", *stored)
    assert mended.call("GET", "/health").status_code == 200


def test_a_model_that_is_damaged_or_gone_in_s3_is_a_503(cloud, deployed, stored, outputs):
    code, model = stored
    s3 = cloud.client("s3")
    s3.put_object(Bucket=model.bucket, Key="models/damaged.zip", Body=b"PK" + bytes(1000))
    for key in ("models/damaged.zip", "models/not-there.zip"):
        other = storage.Stored(model.bucket, key, "", "1" * 64, 0, True)
        answer = stack.deploy(cloud, "sample", code, other).call("GET", "/health")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        assert "Traceback" not in answer.text
    assert stack.deploy(cloud, "sample", *stored).call("GET", "/health").status_code == 200


def test_public_by_the_switch(cloud, deployed, stored, outputs):
    public = stack.deploy(cloud, "sample", *stored, authorisation="NONE")
    try:
        page = public.call("GET", "/", signed=False)
        assert page.status_code == 200 and "<html" in page.text
    finally:
        stack.deploy(cloud, "sample", *stored)


def test_a_stack_that_cannot_be_made_says_why(cloud, stored, outputs):
    with pytest.raises(clouds.CloudError, match="facecourse-lfw"):
        stack.deploy(cloud, "lfw", *stored, NoSuchParameter=1, MemorySize="plenty")


# ---- down ----------------------------------------------------------------------------------------------


def test_everything_goes_and_is_asked_for(deployed, stored, outputs):
    own = clouds.start_local_cloud()
    name = stack.names_for(own, "sample").bucket
    storage.make_bucket(own, name)
    path = file_of(outputs.parent)
    model = storage.upload(own, name, "models", path)
    own.client("s3").put_object(Bucket=name, Key=model.key, Body=b"a second version")
    stack.deploy(own, "sample", storage.upload(own, name, "code", package.build_package()), model)
    asked = stack._ask_what_is_left(own, stack.names_for(own, "sample"))
    assert not any(gone for *_, gone in asked), "before, nothing may be called gone"
    table = stack.tear_down(own, "sample")
    assert table["gone"].all()
    assert set(table.index) == {"stack", "function", "bucket", "log", "address", "local cloud"}
    assert stack.tear_down(own, "sample")["gone"].all()  # once more does no harm
    assert not own.running and not own._folder.exists() and not (outputs / "endpoint.json").exists()


def test_what_a_broken_run_left_is_cleaned_up_and_twice_does_no_harm(outputs):
    own = clouds.start_local_cloud()
    endpoint, kept = own.endpoint, own.stop
    own.kind = "aws"  # so that it is not stopped with the first
    name = stack.names_for(own, "lfw").bucket
    storage.make_bucket(own, name)
    for _ in range(2):
        assert stack.tear_down(own, "lfw")["gone"].all()
    assert own.endpoint == endpoint
    kept()


def test_a_cell_that_is_run_twice_finds_its_cloud_again(cloud):
    assert clouds.open_cloud() is cloud


# ---- which cloud ---------------------------------------------------------------------------------------


def test_only_the_whole_sentence_goes_to_aws(monkeypatch):
    monkeypatch.setattr(clouds, "_open_aws", lambda: "aws")
    monkeypatch.setattr(clouds, "start_local_cloud", lambda: "local")
    monkeypatch.setattr(clouds, "_STARTED", [])
    assert clouds.open_cloud() == "local" and clouds.open_cloud(clouds.YES) == "aws"
    for wrong in ("yes", "Yes", clouds.YES.upper(), clouds.YES + "!"):
        with pytest.raises(clouds.CloudError, match="leave it empty"):
            clouds.open_cloud(wrong)


def test_after_the_yes_it_is_the_account_of_the_credentials(cloud, monkeypatch):
    """AWS's own address is never asked here: the local cloud stands in for it."""
    for name, value in {
        "ACCESS_KEY_ID": "k",
        "SECRET_ACCESS_KEY": "s",
        "DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
    found = clouds.open_cloud(clouds.YES)
    assert (found.kind, found.region, found.account) == ("aws", "eu-west-1", "000000000000")
    assert stack.names_for(found, "sample").bucket == "facecourse-sample-000000000000-eu-west-1"


def test_credentials_that_do_not_work_are_said_in_words(monkeypatch):
    for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(clouds.CloudError, match="aws configure"):
        clouds.open_cloud(clouds.YES)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of a process from /proc")
def test_the_readers_credentials_do_not_reach_the_local_cloud(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-readers-secret")
    monkeypatch.setenv("AWS_PROFILE", "work")
    own = clouds.start_local_cloud()
    environment = Path(f"/proc/{own._process.pid}/environ").read_text()
    own.stop()
    assert "the-readers-secret" not in environment and "AWS_PROFILE" not in environment


def test_the_local_cloud_ends_with_a_killed_notebook():
    code = "from facecourse.deployment.cloud import *; c = open_cloud(); print(c._process.pid, c._folder, flush=True); input()"
    notebook = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    child, folder = notebook.stdout.readline().split()
    child = int(child)
    notebook.send_signal(signal.SIGKILL)
    notebook.wait()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.1)
    assert not _alive(child) and not Path(folder).exists()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A finished child that nobody waits for is still listed.
    return not (sys.platform == "linux" and ") Z " in Path(f"/proc/{pid}/stat").read_text())


def test_an_address_that_is_not_a_functions_is_not_signed():
    assert clouds.signature_for("http://localhost:8000/recognize") is None
