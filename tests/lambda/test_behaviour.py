"""What goes on around a photo: settings, CORS, limits, logs, and what happens when something breaks."""

import importlib
import json
import sys

import pytest

from lambda_function import app, responses
from lambda_function.app import Application
from lambda_function.rate import CALLERS, RateLimit
from lambda_function.settings import Settings, SettingsError


def test_settings_come_from_the_environment():
    environment = {
        "MODEL_BUCKET": "models",
        "FACE_MAX_BYTES": "1_000",
        "FACE_CORS_ORIGINS": "https://a.example/, https://b.example",
        "FACE_THREADS": "",
    }
    settings = Settings.from_environment(environment)
    assert settings.model_bucket == "models" and settings.face_max_bytes == 1000
    assert settings.face_cors_origins == ("https://a.example", "https://b.example")
    assert settings.face_threads == Settings().face_threads


@pytest.mark.parametrize(
    ("name", "value"), [("FACE_MAX_BYTES", "many"), ("FACE_THREADS", "0"), ("FACE_RATE_PER_MINUTE", "-1")]
)
def test_settings_that_make_no_sense_are_named(name, value):
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_wrong_settings_are_answered_and_logged_and_do_not_crash(monkeypatch, new_event, log_lines):
    monkeypatch.setenv("FACE_MAX_BYTES", "many")
    try:
        broken = importlib.reload(app)
        answer = broken.handler(new_event("GET", "/health"))
    finally:
        monkeypatch.undo()
        importlib.reload(app)
    assert answer["statusCode"] == 503 and "FACE_MAX_BYTES" not in answer["body"]
    assert any("FACE_MAX_BYTES" in line.get("reason", "") for line in log_lines())


def test_the_face_limit_names_the_surest(bundle, new_event):
    from facecourse.core.paths import DATA

    group = (DATA / "group" / "group_01.jpg").read_bytes()
    limited = Application(Settings(model_bundle=str(bundle), face_max_faces=2))
    content = json.loads(
        limited.handle(new_event("POST", "/recognize", group, content_type="image/jpeg"))["body"]
    )
    everyone = limited.store.get().detect(app.open_photo(group))
    assert content["faces_found"] == len(everyone) == 3
    assert [face["box"] for face in content["faces"]] == [
        [round(float(v), 2) for v in face.box] for face in everyone[:2]
    ]


# CORS


def cors_of(origins, new_event, method="OPTIONS", path="/recognize", origin="https://a.example"):
    function = Application(Settings(face_cors_origins=origins))
    headers = function.handle(new_event(method, path, origin=origin))["headers"]
    return {name: value for name, value in headers.items() if name.startswith("Access-") or name == "Vary"}


def test_without_configuration_no_page_elsewhere_may_call(new_event):
    assert cors_of((), new_event) == {}


def test_a_listed_origin_may_call(new_event):
    headers = cors_of(("https://a.example",), new_event)
    assert headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "POST" in headers["Access-Control-Allow-Methods"] and headers["Vary"] == "Origin"


def test_an_unlisted_origin_may_not(new_event):
    assert cors_of(("https://a.example",), new_event, origin="https://evil.example") == {"Vary": "Origin"}


def test_errors_can_be_read_by_an_allowed_page(new_event):
    headers = cors_of(("*",), new_event, method="POST", path="/nowhere")
    assert headers["Access-Control-Allow-Origin"] == "*"


# Accept


@pytest.mark.parametrize(
    ("accept", "jpeg"),
    [
        ("", False),
        ("*/*", False),
        ("image/jpeg", True),
        ("image/*", True),
        ("application/json", False),
        ("image/jpeg;q=0.2, application/json;q=0.9", False),
        ("image/jpeg, */*;q=0.1", True),
        ("IMAGE/JPEG ; q=1.0", True),
        ("image/jpeg;q=much", False),
        ("image/png, text/html", False),
    ],
)
def test_accept_is_read_as_http_says(accept, jpeg):
    assert responses.prefers_jpeg(accept) is jpeg


# Rate


def test_a_caller_may_send_so_many_and_then_waits():
    limit = RateLimit(6)
    assert [limit.wait("a", now=100.0) for _ in range(6)] == [0.0] * 6
    assert limit.wait("a", now=100.0) == pytest.approx(10.0)
    assert limit.wait("b", now=100.0) == 0.0
    assert limit.wait("a", now=104.0) == pytest.approx(6.0)
    assert limit.wait("a", now=110.5) == 0.0
    assert limit.wait("a", now=110.5) > 0


def test_many_callers_do_not_fill_the_memory():
    limit = RateLimit(1)
    for number in range(3 * CALLERS):
        limit.wait(str(number), now=1.0)
    assert len(limit._buckets) == CALLERS


def test_too_many_photos_are_answered_with_429(bundle, new_event, photo):
    slow = Application(Settings(model_bundle=str(bundle), face_rate_per_minute=2))
    event = new_event("POST", "/align", photo, content_type="image/jpeg")
    answers = [slow.handle(event) for _ in range(3)]
    assert [answer["statusCode"] for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2]["headers"]["Retry-After"]) <= 31
    assert slow.handle(new_event("GET", "/health"))["statusCode"] == 200


# Logs


def test_a_request_leaves_one_line_without_photo_name_or_address(function, new_event, photo, log_lines):
    class Context:
        aws_request_id = "7f3a"

    answer = function.handle(new_event("POST", "/recognize", photo, content_type="image/jpeg"), Context())
    name = json.loads(answer["body"])["faces"][0]["name"]
    (line,) = log_lines()
    expected = {"event": "request", "status": 200, "route": "/recognize", "faces": 1, "request_id": "7f3a"}
    assert expected.items() <= line.items() and line["bytes"] == len(photo) and line["ms"] > 0
    text = json.dumps(line)
    assert name not in text and "203.0.113.7" not in text and len(text) < 400


def test_paths_that_lead_nowhere_are_not_logged(function, new_event, log_lines):
    function.handle(new_event("BREW", "/secret-of-someone"))
    (line,) = log_lines()
    assert (line["route"], line["method"], line["code"]) == ("other", "other", "not_found")


def test_a_fault_of_our_own_shows_nothing_of_itself(bundle, new_event, photo, log_lines, monkeypatch):
    broken = Application(Settings(model_bundle=str(bundle)))
    monkeypatch.setattr(type(broken.store.get()), "detect", lambda *a: 1 / 0)
    answer = broken.handle(new_event("POST", "/recognize", photo, content_type="image/jpeg"))
    assert answer["statusCode"] == 500 and json.loads(answer["body"])["error"]["code"] == "internal"
    assert "division" not in answer["body"] and "Traceback" not in answer["body"]
    crash = next(line for line in log_lines() if line["event"] == "crash")
    assert crash["kind"] == "ZeroDivisionError" and any(place.startswith("app.py:") for place in crash["at"])


def test_boto3_stays_out_where_s3_is_not_used(bundle):
    import subprocess

    code = (
        "import sys; from lambda_function.app import handler;"
        "assert handler({'httpMethod': 'GET', 'path': '/health'})['statusCode'] == 200;"
        "print([m for m in ('boto3', 'botocore', 'torch', 'pandas', 'facecourse') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=app.PAGE.parents[2],
        env={"MODEL_BUNDLE": str(bundle), "PATH": ""},
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr
