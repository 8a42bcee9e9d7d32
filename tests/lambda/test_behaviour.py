"""What goes on around a photo: settings, logs, limits, and what happens when something breaks."""

import importlib
import json
import subprocess
import sys

import pytest

from facecourse.core.paths import DATA, ROOT
from lambda_function import app
from lambda_function.app import Application
from lambda_function.photos import open_photo
from lambda_function.settings import Settings, SettingsError

DIGEST = "0123456789ABCDEF" * 4


def test_settings_come_from_the_environment():
    given = {"MODEL_BUCKET": "models", "FACE_MAX_BYTES": " 1_000", "FACE_THREADS": "", "MODEL_SHA256": DIGEST}
    settings = Settings.from_environment(given)
    assert (settings.model_bucket, settings.face_max_bytes) == ("models", 1000)
    assert settings.face_threads == Settings().face_threads and settings.model_sha256 == DIGEST.lower()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FACE_MAX_BYTES", "many", "an integer from 1 "),
        ("FACE_THREADS", "65", "from 1 to 64"),
        ("FACE_RETRY_SECONDS", "-1", "from 0 "),
        ("MODEL_SHA256", DIGEST[:-1], "64 hexadecimal digits"),
    ],
)
def test_settings_that_make_no_sense_are_named(name, value, message):
    with pytest.raises(SettingsError, match=f"{name} must be .*{message}"):
        Settings.from_environment({name: value})


def test_wrong_settings_are_answered_and_logged_and_do_not_crash(monkeypatch, new_event, log_lines):
    monkeypatch.setenv("FACE_MAX_BYTES", "many")
    try:
        answer = importlib.reload(app).handler(new_event("GET", "/health"))
    finally:
        monkeypatch.undo()
        importlib.reload(app)
    assert answer["statusCode"] == 503 and "FACE_MAX_BYTES" not in answer["body"]
    assert any("FACE_MAX_BYTES" in line.get("reason", "") for line in log_lines())


def test_the_face_limit_names_the_surest(bundle, new_event):
    group = (DATA / "group" / "group_01.jpg").read_bytes()
    limited = Application(Settings(model_bundle=str(bundle), face_max_faces=2))
    answer = limited.handle(new_event("POST", "/recognize", group, content_type="image/jpeg"))
    content = json.loads(answer["body"])
    everyone = limited.store.get().recognise(open_photo(group))
    assert content["faces_found"] == len(everyone) > 2
    assert [face["box"] for face in content["faces"]] == [face["box"] for face in everyone[:2]]


def test_a_request_leaves_one_line_without_photo_name_or_address(function, new_event, photo, log_lines):
    class Context:
        aws_request_id = "7f3a"

    answer = function.handle(new_event("POST", "/recognize", photo, content_type="image/jpeg"), Context())
    name = json.loads(answer["body"])["faces"][0]["name"]
    (line,) = log_lines()
    expected = {"event": "request", "status": 200, "route": "/recognize", "faces": 1, "request_id": "7f3a"}
    assert expected.items() <= line.items() and line["bytes"] == len(photo) and line["ms"] > 0
    text = json.dumps(line)
    function.handle(new_event("BREW", "/secret-of-someone"))
    assert (log_lines()[-1]["route"], log_lines()[-1]["method"]) == ("other", "other")
    assert name not in text and "203.0.113.7" not in text and len(text) < 500


def test_figures_for_cloudwatch_stand_in_the_line_if_they_are_wanted(
    bundle, function, new_event, photo, log_lines
):
    """The embedded metric format: a directive that names the fields of the line itself."""
    counted = Application(
        Settings(model_bundle=str(bundle), face_metrics="Faces", aws_lambda_function_name="door")
    )
    counted.store = function.store
    for _ in range(2):
        counted.handle(new_event("POST", "/v1/recognize", photo, content_type="image/jpeg"))
    first, second = log_lines()
    (directive,) = first["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Faces" and directive["Dimensions"] == [["function"]]
    named = {metric["Name"] for metric in directive["Metrics"]}
    assert named == {"ms", "detect_ms", "embed_ms", "faces", "cold_start"} and first["function"] == "door"
    assert all(isinstance(first[name], (int, float)) for name in named) and first["_aws"]["Timestamp"] > 1e12
    assert first["ms"] >= first["detect_ms"] + first["embed_ms"] > 0
    assert first["cold_start"] == 1 and "cold_start" not in second


def test_a_fault_of_our_own_shows_nothing_of_itself(function, new_event, photo, log_lines, monkeypatch):
    monkeypatch.setattr(type(function.store.get()), "detect", lambda *a: 1 / 0)
    answer = function.handle(new_event("POST", "/recognize", photo, content_type="image/jpeg"))
    assert answer["statusCode"] == 500 and json.loads(answer["body"])["error"]["code"] == "internal"
    assert "division" not in answer["body"] and "Traceback" not in answer["body"]
    crash = next(line for line in log_lines() if line["event"] == "crash")
    assert crash["kind"] == "ZeroDivisionError" and any(
        place.startswith("recognition.py:") for place in crash["at"]
    )
    assert "division" not in json.dumps(log_lines())


def test_the_function_loads_neither_torch_nor_boto3_nor_the_course(bundle, new_event):
    code = (
        "import sys; from lambda_function.app import handler;"
        f"assert handler({new_event('GET', '/health')})['statusCode'] == 200;"
        "print([m for m in ('boto3', 'botocore', 'torch', 'pandas', 'facecourse') if m in sys.modules])"
    )
    environment = {"MODEL_BUNDLE": str(bundle), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr
