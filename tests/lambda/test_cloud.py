"""Deployment against a local cloud: S3, the stack from the template, what goes wrong, and the way back down."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

from facecourse.core import paths
from facecourse.core.paths import ROOT
from facecourse.deployment import aws, ministack_server, package
from facecourse.deployment import cloud as clouds
from lambda_function.pipeline import Recogniser, open_photo, sha256_of

GROUP = ROOT / "data" / "group" / "group_01.jpg"
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module", autouse=True)
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
    name = aws.names_for(cloud, "sample").bucket
    aws.make_bucket(cloud, name)
    return name


@pytest.fixture(scope="module")
def stored(cloud, bucket, bundle):
    """The function's zip and the model's in S3."""
    files = {"code": package.build_package(), "models": bundle.with_suffix(".zip")}
    return [aws.upload(cloud, bucket, prefix, path) for prefix, path in files.items()]


@pytest.fixture(scope="module")
def deployed(cloud, stored):
    return aws.deploy(cloud, "sample", *stored)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "model.zip").write_bytes(b"a model")
    return tmp_path / "model.zip"


# ---- S3 ------------------------------------------------------------------------------------------------


def test_the_bucket_is_private_encrypted_and_versioned(cloud, bucket):
    aws.make_bucket(cloud, bucket)  # a second time changes nothing
    state = aws.describe_bucket(cloud, bucket)
    assert state == {"encrypted with": "AES256", "public access blocked": True, "versions kept": True}
    (rule,) = json.loads(cloud.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (rule["Effect"], rule["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_an_upload_is_encrypted_not_repeated_and_another_model_is_another_key(cloud, bucket, file):
    first = aws.upload(cloud, bucket, "models/v1", file)
    assert first.key == f"models/v1/{sha256_of(file)[:16]}.zip" and first.version
    assert aws.upload(cloud, bucket, "models/v1", file) == first  # S3's version too
    held = cloud.client("s3").get_object(Bucket=bucket, Key=first.key)
    assert held["Body"].read() == b"a model" and held["ServerSideEncryption"] == "AES256"
    cloud.client("s3").put_object(Bucket=bucket, Key=first.key, Body=b"changed in S3")
    assert aws.upload(cloud, bucket, "models/v1", file).version != first.version  # sent again
    file.write_bytes(b"another")
    assert aws.upload(cloud, bucket, "models/v1", file).key != first.key


def test_what_arrives_damaged_is_refused(cloud, bucket, file, monkeypatch):
    monkeypatch.setattr(aws, "sha256_of", lambda path: "ab" * 32)
    with pytest.raises(ClientError):
        aws.upload(cloud, bucket, "damaged", file)
    assert cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="damaged")["KeyCount"] == 0


def test_an_upload_that_broke_off_leaves_nothing_and_works_again(cloud, bucket, file, monkeypatch):
    file.write_bytes(os.urandom(300_000))

    def broken(count):
        raise KeyboardInterrupt

    monkeypatch.setattr(aws.tqdm, "update", lambda bar, count: count and broken(count))
    with pytest.raises(KeyboardInterrupt):
        aws.upload(cloud, bucket, "broken", file)
    monkeypatch.undo()
    assert cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="broken")["KeyCount"] == 0
    assert aws.upload(cloud, bucket, "broken", file).size == 300_000


# ---- the function --------------------------------------------------------------------------------------


def test_the_deployed_function_is_the_bundle_and_its_address_is_noted(cloud, deployed, bundle, outputs):
    assert clouds.open_cloud() is cloud  # a cell that is run twice finds its cloud again
    version = json.loads((bundle / "model.json").read_text())["version"]
    assert deployed.call("GET", "/health").json()["model"] == version
    noted = json.loads((outputs / "endpoint.json").read_text())
    assert (noted["url"], noted["kind"], noted["authorisation"]) == (deployed.url, "local", "AWS_IAM")


def test_only_signed_requests_are_let_in(deployed):
    assert deployed.call("GET", "/health", signed=False).status_code == 403
    signature = clouds.signature_for(deployed.url)
    assert requests.get(f"{deployed.url}/health", auth=signature, timeout=30).status_code == 200


def test_the_same_boxes_and_names_as_in_the_notebook(deployed, bundle):
    there = deployed.call("POST", "/recognize", data=GROUP.read_bytes(), headers=JPEG).json()["faces"]
    here = Recogniser.load(bundle).recognise(open_photo(GROUP))
    assert [face["name"] for face in there] == [face["name"] for face in here] and len(here) == 3
    np.testing.assert_allclose([f["box"] for f in there], [f["box"] for f in here], atol=0.05)


def test_a_model_that_cannot_be_used_is_a_503_until_the_next_deployment(cloud, deployed, stored):
    code, model = stored
    damaged = replace(model, key="models/damaged.zip", sha256="1" * 64)
    cloud.client("s3").put_object(Bucket=model.bucket, Key=damaged.key, Body=b"PK" + bytes(1000))
    for wrong in (replace(model, sha256="0" * 64), damaged, replace(damaged, key="models/gone.zip")):
        broken = aws.deploy(cloud, "sample", code, wrong)
        for _ in range(2):
            answer = broken.call("GET", "/health")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
            assert "Traceback" not in answer.text
    assert aws.deploy(cloud, "sample", *stored).call("GET", "/health").status_code == 200


def test_public_by_the_switch_and_a_stack_that_cannot_be_made_says_why(cloud, deployed, stored):
    public = aws.deploy(cloud, "sample", *stored, authorisation="NONE")
    try:
        page = public.call("GET", "/", signed=False)
        assert page.status_code == 200 and "<html" in page.text
    finally:
        aws.deploy(cloud, "sample", *stored)
    with pytest.raises(clouds.CloudError, match="facecourse-lfw"):  # of a stack that cannot be made
        aws.deploy(cloud, "lfw", *stored, NoSuchParameter=1, MemorySize="plenty")


# ---- down ----------------------------------------------------------------------------------------------


def test_everything_goes_and_is_asked_for(outputs, file):
    own = clouds.LocalCloud()
    names = aws.names_for(own, "sample")
    aws.make_bucket(own, names.bucket)
    model = aws.upload(own, names.bucket, "models", file)
    own.client("s3").put_object(Bucket=names.bucket, Key=model.key, Body=b"a second version")
    aws.deploy(own, "sample", aws.upload(own, names.bucket, "code", package.build_package()), model)
    assert not any(gone for *_, gone in aws._ask_what_is_left(own, names)), "nothing may be called gone yet"
    table = aws.tear_down(own, "sample")
    assert table["gone"].all()
    assert set(table.index) == {"stack", "function", "bucket", "log", "address", "local cloud"}
    assert aws.tear_down(own, "sample")["gone"].all()  # once more does no harm
    assert not own.running and not own._folder.exists() and not (outputs / "endpoint.json").exists()


def test_what_a_broken_run_left_is_cleaned_up_and_twice_does_no_harm(cloud):
    as_aws = clouds.Cloud(cloud.session, cloud.region, cloud.account, cloud.endpoint)
    aws.make_bucket(as_aws, aws.names_for(as_aws, "lfw").bucket)
    for _ in range(2):
        assert aws.tear_down(as_aws, "lfw")["gone"].all()
    assert cloud.running


@pytest.mark.parametrize(("status", "gone"), [(404, True), (403, False), (400, False), (500, False)])
def test_gone_is_only_what_is_not_found(status, gone):
    def question():
        answer = {"Error": {"Code": "Some"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "HeadBucket")

    assert aws._ask("bucket", "HeadBucket", question) == ("bucket", "HeadBucket", "Some", gone)


def test_without_an_answer_nothing_is_called_gone_and_the_note_stays(cloud, outputs):
    offline = clouds.Cloud(cloud.session, cloud.region, cloud.account, "http://127.0.0.1:9")
    note = outputs / "endpoint.json"
    note.parent.mkdir(exist_ok=True)
    note.write_text("{}")
    with pytest.raises(BotoCoreError):
        aws.tear_down(offline, "sample")
    assert note.exists()


# ---- which cloud ---------------------------------------------------------------------------------------


def test_only_the_whole_sentence_goes_to_aws(monkeypatch):
    monkeypatch.setattr(clouds, "_open_aws", lambda: "aws")
    monkeypatch.setattr(clouds, "LocalCloud", lambda: "local")
    monkeypatch.setattr(clouds, "_STARTED", [])
    assert clouds.open_cloud() == "local" and clouds.open_cloud(clouds.YES) == "aws"
    for wrong in ("yes", clouds.YES.upper(), clouds.YES + "!"):
        with pytest.raises(clouds.CloudError, match="leave it empty"):
            clouds.open_cloud(wrong)


def test_after_the_yes_it_is_the_account_of_the_credentials(cloud, monkeypatch):
    """AWS's own address is never asked here, but the local cloud's."""
    settings = {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "DEFAULT_REGION": "eu-west-1"}
    for name, value in {**settings, "ENDPOINT_URL": cloud.endpoint}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    found = clouds.open_cloud(clouds.YES)
    assert (found.kind, found.region, found.account) == ("aws", "eu-west-1", "000000000000")
    assert aws.names_for(found, "sample").bucket == "facecourse-sample-000000000000-eu-west-1"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(clouds.CloudError, match="aws configure"):
        clouds.open_cloud(clouds.YES)


def test_only_a_functions_address_is_signed(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    signature = clouds.signature_for("https://abc123.lambda-url.eu-west-1.on.aws/recognize")
    request = requests.Request("GET", "https://abc123.lambda-url.eu-west-1.on.aws/", auth=signature).prepare()
    assert "/eu-west-1/lambda/" in request.headers["Authorization"]
    for other in ("http://localhost:8000/recognize", "https://abc.lambda-url.eu-west-1.evil.com/"):
        assert clouds.signature_for(other) is None


# ---- the local cloud's process -------------------------------------------------------------------------


def test_a_body_that_comes_in_pieces_is_handed_on_in_one():
    pieces = iter([(b"ab", True), (b"", True), (b"c", False)])
    seen = []

    async def receive():
        body, more = next(pieces)
        return {"type": "http.request", "body": body, "more_body": more}

    async def application(scope, receive, send):
        seen.append(await receive())

    asyncio.run(ministack_server.whole_bodies(application)({"type": "http"}, receive, None))
    assert seen == [{"type": "http.request", "body": b"abc", "more_body": False}]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of a process from /proc")
def test_the_readers_credentials_do_not_reach_the_local_cloud(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-readers-secret")
    monkeypatch.setenv("AWS_PROFILE", "work")
    own = clouds.LocalCloud()
    environment = Path(f"/proc/{own._process.pid}/environ").read_text()
    own.stop()
    assert "the-readers-secret" not in environment and "AWS_PROFILE" not in environment


def test_the_local_cloud_ends_with_a_killed_notebook():
    code = "from facecourse.deployment.cloud import LocalCloud; cloud = LocalCloud()\n"
    code += "print(cloud._process.pid, cloud._folder, flush=True); input()"
    notebook = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    child, folder = notebook.stdout.readline().split()
    notebook.send_signal(signal.SIGKILL)
    notebook.wait()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and _alive(int(child)):
        time.sleep(0.1)
    assert not _alive(int(child)) and not Path(folder).exists()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A finished child that nobody waits for is still listed.
    return not (sys.platform == "linux" and ") Z " in Path(f"/proc/{pid}/stat").read_text())
