"""The model on disk and in S3: fetched once, verified, kept; missing or damaged, and well again later."""

import importlib
import json
import os
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lambda_function import app, objects, store
from lambda_function.app import Application
from lambda_function.gallery import Gallery
from lambda_function.pipeline import BUNDLE_FILES, bundle_version, sha256_of
from lambda_function.settings import Settings


@pytest.fixture(scope="module")
def archive(bundle):
    """The bundle as the zip that goes to S3, and its SHA-256."""
    path = bundle.with_suffix(".zip")
    return path, sha256_of(path)


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as GetObject needs."""

    objects: dict[str, bytes] = {}
    asked: list[str] = []
    owners: list[str | None] = []

    def do_GET(self):
        key = self.path.split("?")[0]
        self.asked.append(key)
        self.owners.append(self.headers.get("x-amz-expected-bucket-owner"))
        data = self.objects.get(key)
        self.send_response(200 if data is not None else 404)
        if data is None:
            data = b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    objects.s3_client.cache_clear()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(store.tempfile, "tempdir", str(tmp_path / "tmp"))
    Bucket.objects, Bucket.asked, Bucket.owners = {}, [], []
    yield Bucket
    objects.s3_client.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()


def settings_for(digest: str, **more) -> Settings:
    return Settings(model_bucket="models", model_key="v1/model.zip", model_sha256=digest, **more)


def health_of(function, new_event) -> tuple[int, dict]:
    answer = function.handle(new_event("GET", "/health"))
    return answer["statusCode"], json.loads(answer["body"])


def test_the_model_is_fetched_once_verified_and_kept(bucket, archive, bundle, new_event, photo, tmp_path):
    path, digest = archive
    bucket.objects["/models/v1/model.zip"] = path.read_bytes()
    function = Application(settings_for(digest, face_gallery=str(bundle / "gallery.npz")))
    event = new_event("POST", "/recognize", photo, content_type="image/jpeg")
    names = [json.loads(function.handle(event)["body"])["faces"][0]["name"] for _ in range(3)]
    assert names == ["Ada_Ferro"] * 3 and len(bucket.asked) == 1
    # A new process on the same machine finds it in /tmp; only the unpacked model stays there.
    assert health_of(Application(settings_for(digest)), new_event)[0] == 200 and len(bucket.asked) == 1
    assert [entry.name for entry in (tmp_path / "tmp").iterdir()] == [f"model-{digest[:32]}"]


def test_a_damaged_copy_in_tmp_is_fetched_again(bucket, archive, new_event, tmp_path):
    path, digest = archive
    bucket.objects["/models/v1/model.zip"] = path.read_bytes()
    assert health_of(Application(settings_for(digest)), new_event)[0] == 200
    with open(tmp_path / "tmp" / f"model-{digest[:32]}" / BUNDLE_FILES[0], "r+b") as file:
        file.write(b"\0\0\0\0")
    assert health_of(Application(settings_for(digest)), new_event)[0] == 200 and len(bucket.asked) == 2


def test_a_missing_model_is_a_503_that_heals(bucket, archive, new_event, log_lines, photo, tmp_path):
    path, digest = archive
    function = Application(settings_for(digest, face_retry_seconds=0))
    answer = function.handle(new_event("POST", "/recognize", photo, content_type="image/jpeg"))
    assert answer["statusCode"] == 503 and answer["headers"]["Retry-After"] == "1"
    error = json.loads(answer["body"])["error"]
    assert error["code"] == "model_unavailable" and "models" not in error["message"]
    failed = next(line for line in log_lines() if line["event"] == "model_failed")
    assert failed["level"] == "ERROR" and "NoSuchKey" in failed["reason"]
    assert list((tmp_path / "tmp").iterdir()) == []
    bucket.objects["/models/v1/model.zip"] = path.read_bytes()
    assert health_of(function, new_event)[0] == 200


@pytest.mark.parametrize("damage", [lambda data: data[:-1000], lambda data: data + b"x", lambda data: b""])
def test_another_file_than_the_configured_one_is_refused(
    bucket, archive, new_event, log_lines, damage, tmp_path
):
    path, digest = archive
    bucket.objects["/models/v1/model.zip"] = damage(path.read_bytes())
    status, _ = health_of(Application(settings_for(digest)), new_event)
    assert status == 503 and list((tmp_path / "tmp").iterdir()) == []
    assert any("MODEL_SHA256" in line.get("reason", "") for line in log_lines())


def test_a_failure_is_not_tried_again_at_once(bucket, archive, new_event):
    function = Application(settings_for(archive[1], face_retry_seconds=60))
    assert [health_of(function, new_event)[0] for _ in range(5)] == [503] * 5
    assert len(bucket.asked) == 1


def test_the_zip_that_is_deployed_holds_nobody(archive, bundle, tmp_path):
    with zipfile.ZipFile(archive[0]) as opened:
        opened.extract("gallery.npz", tmp_path)
    deployed, whole = Gallery.load(tmp_path / "gallery.npz"), Gallery.load(bundle / "gallery.npz")
    assert len(whole.labels) > 10 and not deployed.labels and not deployed.vectors.size
    assert deployed.threshold == deployed.threshold  # there is one
    content = b"".join(path.read_bytes() for path in [archive[0]])
    assert whole.vectors[0].tobytes() not in content and b"A\0\0\0d\0\0\0a\0\0\0_" not in content


def test_a_bucket_of_another_account_is_refused(bucket, archive, new_event):
    function = Application(settings_for(archive[1], bucket_owner="123456789012", face_retry_seconds=0))
    health_of(function, new_event)
    assert bucket.owners == ["123456789012"]


@pytest.mark.parametrize(("bundle", "reason"), [("nowhere", "nowhere"), ("", "set MODEL_BUNDLE")])
def test_the_page_needs_no_model(new_event, log_lines, bundle, reason):
    function = Application(Settings(model_bundle=bundle))
    assert function.handle(new_event("GET", "/"))["statusCode"] == 200
    assert health_of(function, new_event)[0] == 503
    assert any(reason in line.get("reason", "") for line in log_lines())


@pytest.fixture
def copy(bundle, tmp_path):
    """A copy of the bundle, to be damaged: by `rewrite`, since its files are the bundle's own."""
    return shutil.copytree(bundle, tmp_path / "model", copy_function=os.link)


def rewrite(path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def test_a_file_that_is_missing_or_is_not_what_it_was(copy, new_event):
    for name in ("model.json", *BUNDLE_FILES):
        whole = (copy / name).read_bytes()
        for content in (whole[: len(whole) // 2], whole + b"\0", None):
            (copy / name).unlink()
            if content is not None:
                (copy / name).write_bytes(content)
            assert health_of(Application(Settings(model_bundle=str(copy))), new_event)[0] == 503
        (copy / name).write_bytes(whole)


@pytest.mark.parametrize(
    ("field", "value"),
    [("threshold", 0.0), ("calibration", (1.0, 9.0)), ("cohort_weight", 0.5), ("labels", None)],
)
def test_a_changed_gallery_is_refused_like_a_changed_weight(copy, new_event, log_lines, field, value):
    """Whoever lowers the threshold in gallery.npz gives every stranger a name: neither its own hash nor the version,
    which is a hash of all hashes, may be that of the bundle then."""
    gallery = Gallery.load(copy / "gallery.npz")
    setattr(gallery, field, value if value is not None else gallery.labels[::-1])
    gallery.save(copy / "gallery.npz")
    assert health_of(Application(Settings(model_bundle=str(copy))), new_event)[0] == 503
    meta = json.loads((copy / "model.json").read_text())
    meta["files"]["gallery.npz"] = sha256_of(copy / "gallery.npz")
    rewrite(copy / "model.json", json.dumps(meta).encode())
    assert health_of(Application(Settings(model_bundle=str(copy))), new_event)[0] == 503
    assert {"gallery.npz", "model.json"} <= {
        line["reason"].split()[-1] for line in log_lines() if "reason" in line
    }
    # With a version of its own it is a bundle again, but never under the old one's name.
    rewrite(copy / "model.json", json.dumps(meta | {"version": bundle_version(meta)}).encode())
    status, content = health_of(Application(Settings(model_bundle=str(copy))), new_event)
    assert status == 200 and content["model"] != meta["version"]


def test_a_fault_at_start_up_inside_lambda_does_not_crash(monkeypatch, new_event, log_lines):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "faces")
    monkeypatch.setenv("MODEL_BUNDLE", "nowhere")
    try:
        started = importlib.reload(app)
        assert [line["event"] for line in log_lines()] == ["model_failed"]
        assert started.handler(new_event("GET", "/"))["statusCode"] == 200
        assert started.handler(new_event("GET", "/health"))["statusCode"] == 503
    finally:
        monkeypatch.undo()
        importlib.reload(app)
