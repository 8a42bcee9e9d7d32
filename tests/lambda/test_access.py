"""Who may ask for what, and what strangers are told."""

import json

import pytest
from examples import ASK, ASK_KEY, GROUP, MANAGE, MANAGE_KEY, event

from facecourse.deployment.aws import new_key
from facecourse.deployment.cloud import CloudError
from lambda_function import access, recognition
from lambda_function.app import ROUTES, Application
from lambda_function.settings import Settings, SettingsError

STRANGER = GROUP.read_bytes()
JPEG = {"content_type": "image/jpeg"}


@pytest.fixture(scope="module")
def closed(bundle):
    """The function behind a public address: nothing of a photo without a key."""
    return Application(
        Settings(model_bundle=str(bundle), face_keys=f"{ASK_KEY} {MANAGE_KEY}", face_open="none")
    )


def ask(function, method: str, path: str, body: bytes = b"", **headers) -> tuple[int, dict]:
    answer = function.handle(event(method, path, body, **headers))
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize(
    ("key", "scope", "status", "code"),
    [
        (None, "recognise", 401, "no_key"),
        ("wrong", "recognise", 401, "bad_key"),
        (MANAGE, "recognise", 403, "wrong_scope"),
        (None, "manage", 401, "no_key"),
        (ASK, "manage", 403, "wrong_scope"),
    ],
)
def test_every_route_of_a_scope_is_closed_before_anything_is_read(
    closed, monkeypatch, key, scope, status, code
):
    monkeypatch.setattr(recognition, "read_upload", lambda *_: pytest.fail("the body was read"))
    headers = {"x_api_key": key} if key else {}
    routes = [route for route in ROUTES if route.scope == scope]
    assert len(routes) >= 3
    for route in routes:
        path = route.path.replace("{name}", "Ada_Ferro")
        answered, content = ask(closed, route.method, path, STRANGER, **JPEG, **headers)
        assert (answered, content["error"]["code"]) == (status, code), route.path


def test_the_right_keys_open_and_every_key_is_compared(closed, photo, monkeypatch):
    compared = []
    monkeypatch.setattr(access.hmac, "compare_digest", lambda a, b: compared.append(a) or a == b)
    status, content = ask(closed, "POST", "/v1/recognize", photo, x_api_key=ASK, **JPEG)
    assert status == 200 and content["faces"][0]["name"] == "Ada_Ferro"
    assert len(compared) == 2  # the first one fits, and the second is compared too
    status, content = ask(closed, "GET", "/v1/people", x_api_key=MANAGE)
    assert status == 200 and {"name", "consent"} <= content["people"][0].keys()
    assert ask(closed, "GET", "/health")[1].keys() == {"status", "model", "code"}
    assert ask(closed, "GET", "/health", x_api_key=MANAGE)[1]["people"] == len(content["people"])


def test_without_keys_photos_are_open_and_people_are_not(function, photo):
    assert ask(function, "POST", "/v1/recognize", photo, **JPEG)[0] == 200
    assert ask(function, "GET", "/v1/people")[0] == 401


@pytest.mark.parametrize("entry", ["me", f"me:all:{'a' * 64}", f"me:manage:{'a' * 63}", f"me::{'a' * 64}"])
def test_a_key_that_is_none_is_not_taken(entry):
    with pytest.raises(SettingsError, match="FACE_KEYS"):
        Settings.from_environment({"FACE_KEYS": f"{ASK_KEY}, {entry}"})


@pytest.mark.parametrize(
    "entry", [("front door",), ("a:manage",), ("",), ("me", "recognise"), ("me", ("all",))]
)
def test_a_key_that_the_function_would_not_take_is_not_drawn(entry):
    with pytest.raises(CloudError, match="a key has a name"):
        new_key(*entry)
    Settings.from_environment(
        {"FACE_KEYS": f"{new_key('front-door').entry} {new_key('me', ('manage',)).entry}"}
    )


def test_strangers_are_told_nothing(function):
    status, content = ask(function, "POST", "/v1/recognize", STRANGER, **JPEG)
    unknown = [face for face in content["faces"] if face["name"] == "unknown"]
    named = [face for face in content["faces"] if face["name"] != "unknown"]
    assert status == 200 and unknown and named and "threshold" not in content
    assert all(face.keys() == {"box", "landmarks", "detection_score", "name"} for face in unknown)
    assert all(round(face["confidence"], 2) == face["confidence"] for face in named)
    told = json.dumps(content)
    silent = set(function.store.get().gallery.labels) - {face["name"] for face in named}
    assert silent and not any(name in told for name in silent)


def test_candidates_are_for_who_may_manage(function):
    assert ask(function, "POST", "/v1/recognize?top=3", STRANGER, **JPEG)[0] == 401
    assert ask(function, "POST", "/v1/recognize?top=3", STRANGER, x_api_key=ASK, **JPEG)[0] == 403
    status, content = ask(function, "POST", "/v1/recognize?top=3", STRANGER, x_api_key=MANAGE, **JPEG)
    assert status == 200 and all(len(face["top"]) == 3 and "score" in face for face in content["faces"])
    assert content["threshold"] == pytest.approx(function.store.get().gallery.threshold, abs=1e-4)
    for query in ("top=-1", "top=21", "top=many", "faces=two"):
        assert ask(function, "POST", f"/v1/recognize?{query}", STRANGER, x_api_key=MANAGE, **JPEG)[0] == 400


def test_the_largest_face_only_and_nobody_in_the_background(function, monkeypatch):
    embedder, crops = function.store.get().embedder, []
    embed = embedder.embed
    monkeypatch.setattr(embedder, "embed", lambda c: crops.append(len(c)) or embed(c))
    _, everyone = ask(function, "POST", "/v1/recognize", STRANGER, **JPEG)
    _, largest = ask(function, "POST", "/v1/recognize?faces=largest", STRANGER, **JPEG)
    assert crops == [6, 1] and largest["faces_found"] == 6
    area = lambda face: (face["box"][2] - face["box"][0]) * (face["box"][3] - face["box"][1])  # noqa: E731
    assert largest["faces"] == [max(everyone["faces"], key=area)]
