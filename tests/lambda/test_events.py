"""Requests of every kind, with what is to come back."""

import base64
import gzip
import io
import json
import re
from pathlib import Path

import pytest
from examples import FORM, bombs, event, face, form, packed, transparent, turned, two_faces
from PIL import Image

from lambda_function.app import Application
from lambda_function.settings import Settings

RECORDED = {path.stem: json.loads(path.read_text()) for path in Path(__file__).parent.glob("events/*.json")}
ADA, BRUNO = "Ada_Ferro", "Bruno_Takala"
JPEG, JSON = "image/jpeg", "application/json"
ALLOWED = {"/": "GET, HEAD, OPTIONS", "/health": "GET, HEAD, OPTIONS", "/recognize": "POST, OPTIONS"}
ALLOWED["/v1/people/Ada"] = "PUT, DELETE, OPTIONS"

photo = packed(face())
text = base64.b64encode(photo).decode()
teal = Image.new("RGB", (120, 90), "teal")


def post(body: bytes = photo, kind: str | None = JPEG, path: str = "/recognize", **headers) -> dict:
    return event("POST", path, body, **({"content_type": kind} if kind else {}), **headers)


def in_stage(event: dict, stage: str) -> dict:
    """The same request through an HTTP API, which puts its stage in front of the path."""
    context = {**event["requestContext"], "stage": stage}
    return event | {"rawPath": f"/{stage}{event['rawPath']}", "requestContext": context}


def ask(function, event: object) -> dict:
    answer = function.handle(event, None)
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert all(isinstance(value, str) for value in answer["headers"].values())
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    return answer


def content_of(answer: dict) -> dict:
    assert answer["headers"]["Content-Type"] == "application/json; charset=utf-8"
    return json.loads(answer["body"])


PHOTOS = {
    "jpeg": (photo, [ADA]),
    "png": (packed(face(), "PNG"), [ADA]),
    "webp": (packed(face(), "WEBP", quality=85), [ADA]),
    "gif": (packed(face(), "GIF"), [ADA]),
    "turned": (turned(), [ADA]),
    "cmyk": (packed(face().convert("CMYK")), [ADA]),
    "grey": (packed(face().convert("L")), [ADA]),
    "transparent": (transparent(), [ADA]),
    "two faces": (two_faces(), [ADA, BRUNO]),
    "no face": (packed(teal), []),
    "one pixel": (packed(Image.new("RGB", (1, 1)), "PNG"), []),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_photos_are_recognised(function, name):
    data, names = PHOTOS[name]
    content = content_of(ask(function, post(data)))
    assert list(content) == ["model", "width", "height", "faces_found", "faces"]
    found = sorted(content["faces"], key=lambda one: one["box"][0])
    assert [one["name"] for one in found] == names
    for one in found:
        assert 0.5 < one["confidence"] <= 1
        assert len(one["landmarks"]) == 5 and 0.7 <= one["detection_score"] <= 1


def test_a_turned_photo_gives_the_box_of_the_upright_one(function):
    upright, lying = content_of(ask(function, post())), content_of(ask(function, post(turned())))
    assert (lying["width"], lying["height"]) == (upright["width"], upright["height"])
    assert lying["faces"][0]["box"] == pytest.approx(upright["faces"][0]["box"], abs=5)


WRAPPINGS = {
    "untyped": post(kind=None),
    "mislabelled": post(kind="image/png"),
    "form": post(form(photo), FORM),
    "form field": post(form(photo).replace(b'; filename="me.jpg"', b""), FORM),
    "json": post(json.dumps({"image": text}).encode(), JSON),
    "json in base64": post(kind=JSON)
    | {"body": base64.b64encode(b'{"image": "%s"}' % text.encode()).decode(), "isBase64Encoded": True},
    "data url": post(b'{"image": "data:image/jpeg;base64,%s"}' % text.encode(), f"{JSON}; charset=utf-8"),
    "stage": in_stage(post(), "prod"),
    "v1": post(path="/v1/recognize"),
    "slashes": post() | {"rawPath": "//recognize/"},
    "capitals": post() | {"headers": {"Content-Type": "IMAGE/JPEG"}},
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_the_same_photo_gives_the_same_answer_however_it_is_wrapped(function, name):
    assert ask(function, WRAPPINGS[name])["body"] == ask(function, post())["body"]


BROKEN = {
    "text": (post(b"hello", "text/plain"), 415, "unsupported_content_type"),
    "heic": (post(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), "image/heic"), 415, "not_an_image"),
    "empty": (post(b""), 400, "no_photo"),
    "base64": (post() | {"body": "/9j/4AAQ*Zk"}, 400, "bad_base64"),
    "bytes as text": (post() | {"body": "\ufffd\ufffdJFIF", "isBase64Encoded": False}, 400, "not_binary"),
    "cut off": (post(photo[: len(photo) // 2]), 400, "damaged"),
    "json": (post(b'{"image": ', JSON), 400, "bad_json"),
    "json deep": (post(b"[" * 20_000, JSON), 400, "bad_json"),
    "json without base64": (post(b'{"image": "not base64!"}', JSON), 400, "bad_base64"),
    "form without boundary": (post(form(photo), "multipart/form-data"), 400, "bad_form"),
    "form cut off": (post(form(photo, end=False), FORM), 400, "bad_form"),
    "form without file": (
        post(form(photo).split(b"hello")[0] + form(b"").split(b"hello")[1], FORM),
        400,
        "no_photo",
    ),
    "bomb in a form": (post(form(bombs()["png"]), FORM, "/align"), 413, "too_many_pixels"),
    "two faces": (post(two_faces(), path="/align"), 422, "not_one_face"),
    "no face": (post(packed(teal), path="/align"), 422, "not_one_face"),
    "wrong method": (event("GET", "/recognize"), 405, "method_not_allowed"),
    "method for a person": (event("GET", "/v1/people/Ada"), 405, "method_not_allowed"),
    "parameters": (post(path="/recognize?" + "a&" * 60), 400, "bad_parameter"),
    "path": (event("GET", "/admin"), 404, "not_found"),
    "traversal": (event("GET", "/../../etc/passwd"), 404, "not_found"),
    "another stage": (
        in_stage(event("GET", "/health"), "prod") | {"rawPath": "/test/health"},
        404,
        "not_found",
    ),
    "function url": (RECORDED["function_url"], 415, "not_an_image"),
    "http api": (RECORDED["http_api"], 415, "not_an_image"),
    "rest api": (RECORDED["rest_api"], 400, "bad_event"),
    "s3": (RECORDED["s3"], 400, "bad_event"),
    "nothing": (None, 400, "bad_event"),
    "numbers": (
        {"rawPath": ["/"], "headers": 5, "requestContext": {"http": {"method": 1}}},
        400,
        "bad_event",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_answered_is_refused_in_words(function, name):
    event, status, code = BROKEN[name]
    answer = ask(function, event)
    error = content_of(answer)["error"]
    assert (answer["statusCode"], error["code"]) == (status, code)
    assert len(error["message"]) > 15 and "Traceback" not in answer["body"]
    asked = event["requestContext"]["requestId"] if code not in ("bad_event", "bad_parameter") else ""
    assert error["request_id"] == asked  # by which its line in the log is found
    assert error.get("faces") == {"two faces": 2, "no face": 0}.get(name)
    assert answer["headers"].get("Allow") == (ALLOWED[event["rawPath"]] if status == 405 else None)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("HEAD", "/", 200), ("HEAD", "/health", 200), ("OPTIONS", "/recognize", 204)],
)
def test_head_and_options_have_no_body(function, method, path, status):
    answer = ask(function, event(method, path))
    assert (answer["statusCode"], answer["body"]) == (status, "")
    assert method == "HEAD" or answer["headers"]["Allow"] == ALLOWED[path]


@pytest.mark.parametrize("request_for", [event("GET", "/"), in_stage(event("GET", "/"), "prod")])
def test_the_page_brings_nothing_inline_and_takes_nothing_from_elsewhere(function, request_for):
    answer = ask(function, request_for)
    assert answer["statusCode"] == 200 and answer["headers"]["Content-Type"].startswith("text/html")
    policy = dict(part.split(" ", 1) for part in answer["headers"]["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
    assert "<!doctype html>" in answer["body"] and "{{" not in answer["body"]
    inline = re.findall(r"<style|<script(?![^>]* src=)|\son\w+=|\sstyle=", answer["body"])
    assert not inline


def test_a_page_is_sent_packed_and_only_once(function):
    plain, packed = (ask(function, event("GET", "/page.js", accept_encoding=c)) for c in ("", "br, gzip"))
    assert gzip.decompress(base64.b64decode(packed["body"])).decode() == plain["body"]
    assert len(packed["body"]) < len(plain["body"]) / 2
    again = ask(function, event("GET", "/page.js", if_none_match=plain["headers"]["ETag"]))
    assert (again["statusCode"], again["body"]) == (304, "")


def test_the_operator_stands_in_the_page_as_text(bundle):
    operator = Application(Settings(model_bundle=str(bundle), face_operator="Ada & <b>Sons</b>"))
    assert "<dd>Ada &amp; &lt;b&gt;Sons&lt;/b&gt;</dd>" in ask(operator, event("GET", "/"))["body"]


def test_a_stage_without_a_slash_leads_to_the_page(function):
    answer = ask(function, in_stage(event("GET", "/"), "prod") | {"rawPath": "/prod"})
    assert (answer["statusCode"], answer["headers"]["Location"]) == (308, "./prod/")
    assert ask(function, in_stage(event("GET", "/page.css"), "prod"))["statusCode"] == 200


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health(bundle, function, path):
    pinned = Application(Settings(model_bundle=str(bundle), code_version="0123456789abcdef"))
    pinned.store = function.store
    content = content_of(ask(pinned, event("GET", path)))
    assert content == {"status": "ok", "model": function.store.get().version, "code": "0123456789ab"}


@pytest.mark.parametrize(
    ("accept", "is_jpeg"),
    [
        (None, False),
        ("*/*", False),
        ("image/jpeg;q=0.2, application/json;q=0.9", False),
        ("image/png, text/html", False),
        ("image/*,application/json;q=0.5", True),
        ("IMAGE/JPEG ; q=1.0", True),
    ],
)
def test_align_answers_with_the_same_face_as_json_and_as_jpeg(function, accept, is_jpeg):
    content = content_of(ask(function, post(path="/align")))
    recognised = content_of(ask(function, post()))["faces"][0]
    assert content["face"] == {key: recognised[key] for key in ("box", "landmarks", "detection_score")}
    with Image.open(io.BytesIO(base64.b64decode(content["image"]))) as crop:
        assert crop.format == "JPEG" and crop.size == (content["size"],) * 2
    answer = ask(function, post(path="/align", **({"accept": accept} if accept else {})))
    assert answer["isBase64Encoded"] is is_jpeg and answer["headers"]["Vary"] == "Accept"
    assert answer["body"] == content["image"] if is_jpeg else json.loads(answer["body"]) == content
