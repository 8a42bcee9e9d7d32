"""Every event of events/, in all three shapes, with what is to come back."""

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

FOLDER = Path(__file__).parent / "events"
EVENTS = sorted(FOLDER.glob("*.json"))

ADA, BRUNO = "Ada_Ferro", "Bruno_Takala"
NAMES = {name: [ADA] for name in (p.stem for p in EVENTS) if name.startswith("recognize_")} | {
    "recognize_two": [ADA, BRUNO],
    "recognize_no_face": [],
    "recognize_one_pixel": [],
}
ERRORS = {
    "align_two": (422, "not_one_face"),
    "align_no_face": (422, "not_one_face"),
    "recognize_get": (405, "method_not_allowed"),
    "recognize_put": (405, "method_not_allowed"),
    "health_delete": (405, "method_not_allowed"),
    "page_post": (405, "method_not_allowed"),
    "unknown_path": (404, "not_found"),
    "unknown_path_rest": (404, "not_found"),
    "unknown_traversal": (404, "not_found"),
    "unknown_options": (404, "not_found"),
    "not_http_empty": (400, "bad_event"),
    "not_http_s3": (400, "bad_event"),
    "not_http_timer": (400, "bad_event"),
    "not_http_numbers": (400, "bad_event"),
    "refused_text": (415, "unsupported_content_type"),
    "refused_urlencoded": (415, "unsupported_content_type"),
    "refused_html_as_jpeg": (415, "not_an_image"),
    "refused_svg": (415, "not_an_image"),
    "refused_heic": (415, "not_an_image"),
    "refused_zip": (415, "not_an_image"),
    "refused_empty": (400, "no_photo"),
    "refused_empty_rest": (400, "no_photo"),
    "refused_base64": (400, "bad_base64"),
    "refused_as_text": (400, "not_binary"),
    "refused_cut_off": (400, "damaged"),
    "refused_cut_off_align": (400, "damaged"),
    "refused_json": (400, "bad_json"),
    "refused_json_deep": (400, "bad_json"),
    "refused_json_list": (400, "no_photo"),
    "refused_json_number": (400, "no_photo"),
    "refused_json_not_base64": (400, "bad_base64"),
    "refused_form_no_boundary": (400, "bad_form"),
    "refused_form_cut_off": (400, "bad_form"),
    "refused_form_not_a_form": (400, "bad_form"),
    "refused_form_no_file": (400, "no_photo"),
    "bomb_bmp": (413, "too_many_pixels"),
    "bomb_gif": (413, "too_many_pixels"),
    "bomb_jpeg": (413, "too_many_pixels"),
    "bomb_png": (413, "too_many_pixels"),
    "bomb_png_in_form": (413, "too_many_pixels"),
    "bomb_webp": (413, "too_many_pixels"),
    "bomb_jpeg_scans": (413, "too_many_scans"),
    "bomb_png_text": (400, "damaged"),
}
NO_BODY = {"page_options": 204, "recognize_preflight": 204, "align_preflight_rest": 204}
NO_BODY |= {"page_head": 200, "health_head": 200}


def answer_to(function, name: str) -> dict:
    answer = function.handle(json.loads((FOLDER / f"{name}.json").read_text()), None)
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert all(isinstance(value, str) for value in answer["headers"].values())
    return answer


def content_of(answer: dict) -> dict:
    assert answer["headers"]["Content-Type"] == "application/json; charset=utf-8"
    return json.loads(answer["body"])


def test_there_are_forty_events_and_more_and_each_has_its_answer_here():
    names = {path.stem for path in EVENTS}
    rest = {"align_json", "align_jpeg", "align_jpeg_rest", "align_any"}
    rest |= {name for name in names if name.startswith(("page_", "health_"))}
    assert len(names) >= 40
    assert names - set(NAMES) - set(ERRORS) - set(NO_BODY) - rest == set()


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(ERRORS) - set(NO_BODY)))
def test_photos_are_recognised(function, name):
    content = content_of(answer_to(function, name))
    assert list(content) == ["model", "width", "height", "threshold", "faces_found", "faces"]
    faces = sorted(content["faces"], key=lambda face: face["box"][0])
    assert [face["name"] for face in faces] == NAMES[name]
    for face in faces:
        assert 0.5 < face["confidence"] <= 1 and face["score"] >= content["threshold"]
        assert len(face["top"]) == 5 and face["top"][0]["name"] == face["name"]
        assert len(face["landmarks"]) == 5 and 0.7 <= face["detection_score"] <= 1


def test_a_turned_photo_gives_the_box_of_the_upright_one(function):
    upright = content_of(answer_to(function, "recognize_url"))
    turned = content_of(answer_to(function, "recognize_turned"))
    assert (turned["width"], turned["height"]) == (upright["width"], upright["height"])
    for one, other in zip(upright["faces"][0]["box"], turned["faces"][0]["box"], strict=True):
        assert abs(one - other) < 5


def test_the_same_photo_gives_the_same_answer_however_it_is_wrapped(function):
    wrappings = ["rest", "stage", "octets", "untyped", "mislabelled", "form", "form_rest", "form_other_name"]
    wrappings += ["json", "json_in_base64", "data_url", "many_values"]
    expected = answer_to(function, "recognize_url")["body"]
    for wrapping in wrappings:
        assert answer_to(function, f"recognize_{wrapping}")["body"] == expected, wrapping


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_what_cannot_be_answered_is_refused_in_words(function, name):
    answer = answer_to(function, name)
    error = content_of(answer)["error"]
    assert (answer["statusCode"], error["code"]) == ERRORS[name]
    assert len(error["message"]) > 15 and "Traceback" not in answer["body"]
    assert ("Allow" in answer["headers"]) == (answer["statusCode"] == 405)


@pytest.mark.parametrize(("name", "count"), [("align_two", 2), ("align_no_face", 0)])
def test_align_says_how_many_faces_there_are(function, name, count):
    assert content_of(answer_to(function, name))["error"]["faces"] == count


@pytest.mark.parametrize("name", sorted(NO_BODY))
def test_head_and_options_have_no_body(function, name):
    answer = answer_to(function, name)
    assert (answer["statusCode"], answer["body"]) == (NO_BODY[name], "")


@pytest.mark.parametrize("name", ["page_url", "page_rest", "page_stage"])
def test_the_page(function, name):
    answer = answer_to(function, name)
    assert answer["statusCode"] == 200 and answer["headers"]["Content-Type"].startswith("text/html")
    assert "connect-src 'self'" in answer["headers"]["Content-Security-Policy"]
    assert "<!doctype html>" in answer["body"] and "<canvas" in answer["body"]


@pytest.mark.parametrize("name", ["health_url", "health_rest", "health_stage", "health_slash"])
def test_health(function, name):
    recogniser = function.store.get()
    content = content_of(answer_to(function, name))
    assert content == {
        "status": "ok",
        "model": recogniser.version,
        "people": len(recogniser.gallery.labels),
    }


def test_align_answers_with_the_same_face_as_json_and_as_jpeg(function):
    content = content_of(answer_to(function, "align_json"))
    recognised = content_of(answer_to(function, "recognize_url"))["faces"][0]
    assert content["face"] == {key: recognised[key] for key in ("box", "landmarks", "detection_score")}
    assert content == content_of(answer_to(function, "align_any"))
    for name in ("align_jpeg", "align_jpeg_rest"):
        answer = answer_to(function, name)
        assert answer["headers"]["Content-Type"] == "image/jpeg" and answer["isBase64Encoded"]
        assert answer["body"] == content["image"]
    with Image.open(io.BytesIO(base64.b64decode(content["image"]))) as face:
        assert face.format == "JPEG" and face.size == (content["size"],) * 2
