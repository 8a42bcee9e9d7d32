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
from types import SimpleNamespace

import numpy as np
import pytest
import requests
import test_people
from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from examples import GROUP, MANAGE_KEY, NEWCOMER, newcomer
from test_people import PAIRS

from facecourse.app.endpoint import EndpointError, ask, enrol_there, find_endpoint, forget_there
from facecourse.core import paths
from facecourse.core.paths import ROOT
from facecourse.deployment import aws, ministack_server, package
from facecourse.deployment import cloud as clouds
from facecourse.deployment.bundle import model_version
from lambda_function import objects
from lambda_function.app import Application
from lambda_function.gallery import Gallery
from lambda_function.pipeline import Recogniser, open_photo, sha256_of
from lambda_function.settings import Settings

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
def people(cloud, bucket, bundle) -> str:
    return aws.publish_people(cloud, bucket, bundle)


@pytest.fixture(scope="module")
def boss() -> aws.ApiKey:
    return aws.new_key("boss")


@pytest.fixture(scope="module")
def deployed(cloud, stored, people, boss):
    return aws.deploy(cloud, "sample", *stored, people, keys=[boss])


@pytest.fixture
def as_aws(cloud):
    """The local cloud under the name of AWS, which nothing here ever asks."""
    return clouds.Cloud(cloud.session, cloud.region, cloud.account, cloud.endpoint)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "model.zip").write_bytes(b"a model")
    return tmp_path / "model.zip"


# ---- S3 ------------------------------------------------------------------------------------------------


def test_the_bucket_is_private_encrypted_and_versioned(cloud, bucket):
    aws.make_bucket(cloud, bucket)  # a second time changes nothing
    state = aws.describe_bucket(cloud, bucket)
    assert state == {"encrypted with": "AES256", "public access blocked": True, "versions kept": True}
    rules = json.loads(cloud.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert {rule["Effect"] for rule in rules} == {"Deny"}
    conditions = [rule["Condition"] for rule in rules]
    assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
    assert {"NumericLessThan": {"s3:TlsVersion": "1.2"}} in conditions
    expiry = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    days = {r["Filter"]["Prefix"]: r["NoncurrentVersionExpiration"]["NoncurrentDays"] for r in expiry}
    assert days == {"people/": 1, "": 30}


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


def test_the_deployed_function_is_the_bundle_and_its_address_is_noted(
    cloud, deployed, stored, bundle, outputs, boss
):
    assert clouds.open_cloud() is cloud  # a cell that is run twice finds its cloud again
    health = deployed.call("GET", "/health").json()
    assert health["model"] == model_version(bundle.with_suffix(".zip"))
    assert health["code"] == stored[0].sha256[:12] and health["people"] > 10
    note = outputs / "endpoint.local.json"
    noted = json.loads(note.read_text())
    assert (noted["url"], noted["kind"], noted["authorisation"]) == (deployed.url, "local", "AWS_IAM")
    assert noted["key"] == boss.text and note.stat().st_mode & 0o777 == 0o600
    assert boss.text not in repr(boss) and boss.text not in boss.entry


def test_only_signed_requests_are_let_in(cloud, deployed):
    assert deployed.call("GET", "/health", signed=False).status_code == 403
    signature = clouds.signature_for(deployed.url, cloud.account)
    assert requests.get(f"{deployed.url}/health", auth=signature, timeout=30).status_code == 200
    another = clouds.signature_for(deployed.url, "000000000000")
    assert requests.get(f"{deployed.url}/health", auth=another, timeout=30).status_code == 403


def test_people_are_enrolled_in_the_deployed_function_and_forgotten(deployed, outputs):
    """As notebook 06 does it, in a kernel of its own: with what the note says."""
    endpoint = find_endpoint("sample")
    photo, image, before = (
        GROUP.read_bytes(),
        open_photo(GROUP),
        deployed.call("GET", "/health").json()["people"],
    )
    answer = enrol_there(endpoint, NEWCOMER, [("photo.jpg", newcomer())], "2026-01-02")
    assert answer["people"] == before + 1
    faces = ask(endpoint, photo, image)
    assert NEWCOMER in {face["name"] for face in faces} and len(faces[0]["top"]) == 5
    assert forget_there(endpoint, NEWCOMER)["people"] == before
    assert NEWCOMER not in {face["name"] for face in ask(endpoint, photo, image)}
    with pytest.raises(EndpointError, match="nobody of this name"):
        forget_there(endpoint, NEWCOMER)


def test_the_same_boxes_and_names_as_in_the_notebook(deployed, bundle):
    there = deployed.call("POST", "/recognize", data=GROUP.read_bytes(), headers=JPEG).json()["faces"]
    here = Recogniser.load(bundle).recognise(open_photo(GROUP))
    assert [face["name"] for face in there] == [face["name"] for face in here] and len(here) == 6
    np.testing.assert_allclose([f["box"] for f in there], [f["box"] for f in here], atol=0.05)


def test_a_model_that_cannot_be_used_is_a_503_until_the_next_deployment(cloud, deployed, stored, people):
    code, model = stored
    damaged = replace(model, key="models/damaged.zip", sha256="1" * 64)
    cloud.client("s3").put_object(Bucket=model.bucket, Key=damaged.key, Body=b"PK" + bytes(1000))
    for wrong in (replace(model, sha256="0" * 64), damaged, replace(damaged, key="models/gone.zip")):
        with pytest.raises(clouds.CloudError, match="model_unavailable"):
            aws.deploy(cloud, "sample", code, wrong, people)
    well = aws.deploy(cloud, "sample", *stored, people)
    assert well.key and well.call("GET", "/v1/people").status_code == 200  # the keys are those of before


def test_public_by_the_switch_with_keys_or_a_second_word(cloud, deployed, stored, people, boss):
    with pytest.raises(clouds.CloudError, match=r"can cost up to \$\d"):
        aws.deploy(cloud, "sample", *stored, people, authorisation="NONE")
    with pytest.raises(clouds.CloudError, match="never agreed"):
        aws.deploy(cloud, "lfw", *stored, people, authorisation="NONE", keys=[boss])
    public = aws.deploy(cloud, "sample", *stored, people, authorisation="NONE", keys=[boss])
    try:
        page = public.call("GET", "/", signed=False)
        assert page.status_code == 200 and "<html" in page.text
        photo = {"data": GROUP.read_bytes(), "headers": JPEG, "timeout": 60}
        assert requests.post(f"{public.url}/v1/recognize", **photo).status_code == 401
        assert (
            public.call("POST", "/v1/recognize", signed=False, data=photo["data"], headers=JPEG).status_code
            == 200
        )
        again = aws.deploy(cloud, "sample", *stored, people, authorisation="NONE")  # the keys stay
        assert again.call("GET", "/v1/people", signed=False).status_code == 200
        public = aws.deploy(cloud, "sample", *stored, people, authorisation="NONE", open_to_all=aws.OPEN)
        assert requests.post(f"{public.url}/v1/recognize", **photo).status_code == 200
        assert requests.get(f"{public.url}/v1/people", timeout=60).status_code == 401
        with pytest.raises(clouds.CloudError, match="no keys"):  # once open to all, it has none to stay
            aws.deploy(cloud, "sample", *stored, people, authorisation="NONE")
    finally:
        aws.deploy(cloud, "sample", *stored, people)


@pytest.mark.parametrize(
    "setting", [{"Authorisation": "NONE", "OpenToAll": "yes"}, {"Keys": ""}, {"ModelKey": "x"}]
)
def test_no_setting_gets_around_what_deploy_checks(cloud, stored, people, setting):
    with pytest.raises(clouds.CloudError, match=f"{min(setting)}.*: deploy sets this itself"):
        aws.deploy(cloud, "sample", *stored, people, **setting)


def test_the_reasons_are_those_of_this_change():
    def event(status: str, name: str, reason: str) -> dict:
        return {"ResourceStatus": status, "LogicalResourceId": name, "ResourceStatusReason": reason}

    one, two = event("UPDATE_FAILED", "Function", "this time"), event("CREATE_FAILED", "Role", "a year ago")
    began = event("UPDATE_IN_PROGRESS", "stack", "User Initiated")

    def stack(why: str):
        def wait(**_):
            raise WaiterError("StackUpdateComplete", why, {})

        waiter = SimpleNamespace(wait=wait)
        formation = SimpleNamespace(get_waiter=lambda _: waiter)
        formation.describe_stack_events = lambda **_: {"StackEvents": [one, began, two, began]}
        return SimpleNamespace(client=lambda _: formation, endpoint="")

    with pytest.raises(clouds.CloudError, match="this time") as told:
        aws._wait(stack("Waiter encountered a terminal failure state"), "stack", "update")
    assert "a year ago" not in str(told.value)
    with pytest.raises(clouds.CloudError, match="still works"):
        aws._wait(stack("Max attempts exceeded"), "stack", "update")


def test_a_stack_that_cannot_be_made_says_why(cloud, stored, people):
    with pytest.raises(clouds.CloudError, match="facecourse-lfw"):
        aws.deploy(cloud, "lfw", *stored, people, NoSuchParameter=1, MemorySize="plenty")


def test_other_code_than_was_sent_is_no_deployment(cloud, deployed, stored):
    with pytest.raises(clouds.CloudError, match="other code"):
        aws._check_what_runs(deployed, replace(stored[0], sha256="0" * 64))


def soon(deployment: aws.Deployment, people: int) -> bool:
    """Whether a deployment has that many people within ten seconds; a copy asks S3 every five."""
    until = time.monotonic() + 10
    while deployment.call("GET", "/health").json()["people"] != people:
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def test_what_no_stack_names_goes_and_what_was_enrolled_stays(
    cloud, bucket, deployed, stored, people, bundle
):
    s3, (code, model) = cloud.client("s3"), stored
    for key in ("models/old/gone.zip", "code/gone.zip", "people/of-another-backbone.npz"):
        for content in (b"first version", b"second"):
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    changed = Gallery.load(bundle / "gallery.npz")
    changed.remove("Ada_Ferro")
    changed.save(path := bundle.parent / "changed.npz")
    s3.put_object(Bucket=bucket, Key=people, Body=path.read_bytes())
    assert aws.publish_people(cloud, bucket, bundle) == people
    again = aws.deploy(cloud, "sample", code, model, people)
    assert {
        key for key, _ in aws._versions(cloud, bucket) if key.split("/")[0] in ("models", "code", "people")
    } == {code.key, model.key, people}
    assert soon(again, len(changed.labels))
    aws.publish_people(cloud, bucket, bundle, replace=True)
    assert soon(again, len(changed.labels) + 1)


# ---- people in S3 --------------------------------------------------------------------------------------


@pytest.fixture
def in_s3(cloud, bucket, monkeypatch):
    """An object of its own, found as the function finds AWS."""
    settings = {"ACCESS_KEY_ID": cloud.account, "SECRET_ACCESS_KEY": "local", "DEFAULT_REGION": cloud.region}
    for name, value in {**settings, "ENDPOINT_URL": cloud.endpoint}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    objects.s3_client.cache_clear()
    yield f"s3://{bucket}/people/tried.npz"
    cloud.client("s3").delete_object(Bucket=bucket, Key="people/tried.npz")
    objects.s3_client.cache_clear()


def test_many_copies_change_one_object_and_lose_nothing(in_s3, bundle, function, quick_faces, quiet):
    copies = [
        Application(Settings(face_gallery=in_s3, face_gallery_seconds=0, face_keys=MANAGE_KEY))
        for _ in range(5)
    ]
    for copy in copies:
        copy.store = function.store
    before = test_people.names(copies[0])
    seconds = test_people.come_and_go(copies, PAIRS)
    print(
        f"\n{PAIRS} enrolments and {PAIRS} erasures at a time by {len(copies)} copies in S3: {seconds:.1f} s"
    )
    test_people.check_people(copies[0], before, PAIRS)


def test_a_kill_while_enrolling_leaves_the_old_people_or_the_new_in_s3(in_s3, bundle):
    test_people.kill_while_enrolling(in_s3, bundle / "gallery.npz", 3)


# ---- down ----------------------------------------------------------------------------------------------


def test_everything_goes_and_is_asked_for(outputs, file):
    own = clouds.LocalCloud()
    names = aws.names_for(own, "sample")
    aws.make_bucket(own, names.bucket)
    model = aws.upload(own, names.bucket, "models", file)
    own.client("s3").put_object(Bucket=names.bucket, Key=model.key, Body=b"a second version")
    code = aws.upload(own, names.bucket, "code", package.build_package())
    with pytest.raises(clouds.CloudError, match="model_unavailable"):
        aws.deploy(own, "sample", code, model, "people/x.npz")
    assert not any(gone for *_, gone in aws._ask_what_is_left(own, names)), "nothing may be called gone yet"
    table = aws.tear_down(own, "sample")
    assert table["gone"].all()
    assert set(table.index) == {"stack", "function", "bucket", "log", "address", "local cloud"}
    assert aws.tear_down(own, "sample")["gone"].all()  # once more does no harm
    assert not own.running and not own._folder.exists() and not (outputs / "endpoint.local.json").exists()


@pytest.mark.parametrize("other", [{"region": "eu-west-1"}, {"account": "123456789012"}])
def test_in_another_account_or_region_nothing_is_called_gone(as_aws, outputs, other, capsys):
    """The names follow from both: asked in the wrong place, AWS says "not found" of a function that is up and costs."""
    note = {"url": "https://x.lambda-url.eu-central-1.on.aws", "stack": "facecourse-sample", "kind": "aws"}
    note |= {"account": as_aws.account, "region": as_aws.region}
    path = outputs / "endpoint.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(note | other))
    try:
        with pytest.raises(clouds.CloudError, match="was deployed to account"):
            aws.tear_down(as_aws, "sample")
        own = clouds.LocalCloud()
        assert aws.tear_down(own, "sample")["gone"].all()
        assert path.exists() and "still up in AWS" in capsys.readouterr().out
    finally:
        path.unlink()


def test_what_a_broken_run_left_is_cleaned_up_and_twice_does_no_harm(cloud, as_aws):
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
    known = {"url": "x", "account": cloud.account, "region": cloud.region, "stack": "facecourse-sample"}
    note.write_text(json.dumps(known))
    with pytest.raises(BotoCoreError):
        aws.tear_down(offline, "sample")
    assert note.exists()
    note.write_text("{}")
    with pytest.raises(clouds.CloudError, match="damaged"):
        aws.tear_down(offline, "sample")
    note.unlink()


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
    settings = {"ACCESS_KEY_ID": cloud.account, "SECRET_ACCESS_KEY": "s", "DEFAULT_REGION": "eu-west-1"}
    for name, value in {**settings, "ENDPOINT_URL": cloud.endpoint}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    found = clouds.open_cloud(clouds.YES)
    assert (found.kind, found.region, found.account) == ("aws", "eu-west-1", cloud.account)
    assert aws.names_for(found, "sample").bucket == f"facecourse-sample-{cloud.account}-eu-west-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(clouds.CloudError, match="which region"):
        clouds.open_cloud(clouds.YES)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
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


def asked(cloud, method: str, path: str, account: str | None = None, **headers: str) -> int:
    """Ask as any program of this machine, or any page that is open in a browser, could."""
    credential = f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/lambda/aws4_request, Signature=0"
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers |= {"Authorization": credential} if account else {}
    with requests.Session() as http:
        http.trust_env = False
        answer = http.request(method, cloud.endpoint + path, headers=headers, data=b"{}", timeout=20)
    assert answer.status_code != 403 or "access-control-allow-origin" not in answer.headers
    return answer.status_code


FUNCTIONS = "/2015-03-31/functions"


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_another_page_is_refused_even_with_the_key(cloud, foreign):
    """ministack lets every page ask, checks no signature, and runs code: one page could have had the reader's files."""
    for method, path in (
        ("POST", FUNCTIONS),
        ("OPTIONS", FUNCTIONS),
        ("GET", "/"),
        ("GET", "/_ministack/health"),
    ):
        assert asked(cloud, method, path, cloud.account, **foreign) == 403


def test_without_this_starts_own_key_nothing_is_done(cloud):
    assert asked(cloud, "GET", "/_ministack/health") == 200
    for account in (None, "test", "000000000000"):
        for path in (FUNCTIONS, f"{FUNCTIONS}/x/invocations", "/_ministack/reset", "/"):
            assert asked(cloud, "POST", path, account) == 403, path
    assert asked(cloud, "POST", FUNCTIONS, cloud.account) != 403


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
