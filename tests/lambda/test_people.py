"""People who come and go while the function runs: over HTTP, by many at a time, and when a process is killed."""

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import examples
import numpy as np
import pytest
from examples import MANAGE, MANAGE_KEY, event, face, form, many, newcomer, packed, two_faces

from facecourse.core.paths import DATA, ROOT
from lambda_function import register
from lambda_function.app import Application
from lambda_function.events import HttpError
from lambda_function.gallery import Gallery
from lambda_function.register import Register
from lambda_function.settings import Settings

CERYS, GROUP = newcomer(), examples.GROUP.read_bytes()
ADA = packed(face())
PAIRS = int(os.environ.get("PEOPLE_PAIRS", 15))


@pytest.fixture
def place(tmp_path):
    return tmp_path / "people.npz"


@pytest.fixture
def new_copy(bundle, function, place):
    """Call it for one more running copy of the function; copies share the people."""

    def start(**more) -> Application:
        settings = {"face_gallery": str(place), "face_gallery_seconds": 0, "face_keys": MANAGE_KEY, **more}
        copy = Application(Settings(model_bundle=str(bundle), **settings))
        copy.store = function.store  # the model is read once
        return copy

    return start


def ask(function, method: str, path: str, body: bytes = b"", kind: str = "image/jpeg") -> tuple[int, dict]:
    answer = function.handle(event(method, path, body, content_type=kind, x_api_key=MANAGE))
    return answer["statusCode"], json.loads(answer["body"])


def names(function) -> list[str]:
    return [person["name"] for person in ask(function, "GET", "/v1/people")[1]["people"]]


def seen(function, photo: bytes = GROUP) -> set[str]:
    return {one["name"] for one in ask(function, "POST", "/v1/recognize", photo)[1]["faces"]}


def test_somebody_comes_and_goes_and_every_copy_knows_at_once(new_copy, place, log_lines):
    one, other = new_copy(), new_copy()
    before = len(names(one))
    assert "Cerys_Jankovar" not in seen(other)
    status, content = ask(
        one, "PUT", "/v1/people/Cerys_Jankovar?consent=2026-01-02&purpose=the%20door", CERYS
    )
    assert (status, content["photos"], content["consent"]) == (201, 1, "2026-01-02")
    assert "Cerys_Jankovar" in seen(other) and len(names(other)) == content["people"] == before + 1
    assert (
        ask(one, "PUT", "/v1/people/Cerys_Jankovar?consent=2026-01-02", CERYS)[0] == 200
    )  # in his own place
    assert len(names(new_copy())) == before + 1  # one that has just started
    status, content = ask(other, "DELETE", "/v1/people/Cerys_Jankovar")
    assert (status, content["people"]) == (200, before) and "Cerys_Jankovar" not in seen(one)
    assert b"Jankovar" not in place.read_bytes() and b"the door" not in place.read_bytes()
    assert ask(one, "DELETE", "/v1/people/Cerys_Jankovar")[0] == 404
    changes = [line for line in log_lines() if line["event"] == "people_changed"]
    assert [line["action"] for line in changes] == ["enrol", "replace", "forget"]
    assert changes[1]["person"] == changes[2]["person"] and changes[0]["key"] == "boss"
    assert "Jankovar" not in json.dumps(log_lines()) and "the door" not in json.dumps(log_lines())


def test_a_copy_asks_again_after_its_pause(new_copy, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(register.time, "monotonic", lambda: now[0])
    one, lazy = new_copy(), new_copy(face_gallery_seconds=5)
    before = names(lazy)
    ask(one, "PUT", "/v1/people/Cerys_Jankovar?consent=2026-01-02", CERYS)
    now[0] += 4.9
    assert names(lazy) == before
    now[0] += 0.2
    assert "Cerys_Jankovar" in names(lazy)


def test_several_photos_in_a_form_and_names_of_all_alphabets(new_copy):
    one = new_copy()
    for name, path in (
        ("Zoë O'Neil", "Zo%C3%AB%20O%27Neil"),
        ("नरेन्द्र", "%E0%A4%A8%E0%A4%B0%E0%A5%87%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%8D%E0%A4%B0"),
    ):
        body, kind = many([CERYS, CERYS], consent="2026-03-04", expires="2099-01-01")
        status, content = ask(one, "PUT", f"/v1/people/{path}", body, kind)
        assert (status, content["name"], content["photos"]) == (201, name, 2) and name in names(one)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("Eve", ADA, 400, "no_consent"),
        ("Eve?consent=2099-01-01", ADA, 400, "bad_date"),
        ("Eve?consent=yesterday", ADA, 400, "bad_date"),
        ("Eve?consent=2026-01-01&expires=2020-01-01", ADA, 400, "bad_date"),
        ("Eve?consent=2026-01-01", two_faces(), 422, "not_one_face"),
        ("Eve?consent=2026-01-01", b"", 400, "no_photo"),
        ("Unknown?consent=2026-01-01", ADA, 400, "bad_name"),
        ("a%2Fb?consent=2026-01-01", ADA, 400, "bad_name"),
        ("%FF?consent=2026-01-01", ADA, 400, "bad_name"),
        ("%3Cb%3E?consent=2026-01-01", ADA, 400, "bad_name"),
        (f"{'x' * 101}?consent=2026-01-01", ADA, 400, "bad_name"),
    ],
)
def test_an_enrolment_that_is_none_changes_nothing(new_copy, place, path, body, status, code):
    answered, content = ask(new_copy(), "PUT", f"/v1/people/{path}", body)
    assert (answered, content["error"]["code"]) == (status, code) and not place.exists()


def test_half_a_character_is_refused_and_one_that_is_there_can_be_told(new_copy, function, place):
    half = {"image": base64.b64encode(ADA).decode(), "consent": "2026-01-01", "purpose": "\ud800"}
    status, content = ask(new_copy(), "PUT", "/v1/people/Eve", json.dumps(half).encode(), "application/json")
    assert (status, content["error"]["code"]) == (400, "bad_json") and not place.exists()
    gallery = function.store.get().gallery
    about = {**gallery.about, "people": {"Ada_Ferro": {"purpose": "\ud800"}}}
    replace(gallery, about=about).save(place)
    answer = new_copy().handle(event("GET", "/v1/people", x_api_key=MANAGE))
    assert answer["statusCode"] == 200 and answer["body"].encode()


def test_of_several_photos_the_bad_one_is_named(new_copy):
    body, kind = many([ADA, two_faces()], consent="2026-01-01")
    status, content = ask(new_copy(), "PUT", "/v1/people/Eve", body, kind)
    assert (status, content["error"]["photo"], content["error"]["faces"]) == (422, 2, 2)
    body, kind = many([ADA] * 21, consent="2026-01-01")
    assert ask(new_copy(), "PUT", "/v1/people/Eve", body, kind)[1]["error"]["code"] == "too_many_photos"


def test_people_of_a_bundle_alone_stay(function):
    assert ask(function, "DELETE", "/v1/people/Ada_Ferro")[1]["error"]["code"] == "people_are_fixed"
    assert "Ada_Ferro" in seen(function, ADA)


def test_after_the_last_day_nobody_is_named_so(new_copy, place, monkeypatch, log_lines):
    one = new_copy()
    ask(one, "PUT", "/v1/people/Cerys_Jankovar?consent=2026-01-02&expires=2030-05-01", CERYS)
    monkeypatch.setattr(register, "today", lambda: "2030-05-01")
    assert "Cerys_Jankovar" in seen(one)
    monkeypatch.setattr(register, "today", lambda: "2030-05-02")
    assert "Cerys_Jankovar" not in seen(one) and "Cerys_Jankovar" not in names(new_copy())
    assert b"Jankovar" not in place.read_bytes()
    assert [line["action"] for line in log_lines() if line["event"] == "people_changed"] == [
        "enrol",
        "expire",
    ]


def test_two_photos_of_one_person_and_of_two(new_copy):
    one = new_copy()
    for other, same in (((DATA / "people/Ada_Ferro/Ada_Ferro_0002.jpg").read_bytes(), True), (CERYS, False)):
        status, content = ask(one, "POST", "/v1/verify", *many([ADA, other]))
        assert status == 200 and content["same_person"] is same
        assert same == (content["similarity"] >= content["threshold"])
    assert ask(one, "POST", "/v1/verify", form(ADA), many([])[1])[1]["error"]["code"] == "two_photos"


def test_people_who_cannot_be_read_are_a_503_and_soon_well_again(new_copy, place, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(register.time, "monotonic", lambda: now[0])
    one, other = new_copy(), new_copy()
    assert ask(one, "PUT", "/v1/people/Cerys_Jankovar?consent=2026-01-02", CERYS)[0] == 201
    whole = place.read_bytes()
    place.write_bytes(whole[:-100])
    assert ask(other, "GET", "/v1/people")[1]["error"]["code"] == "people_unavailable"
    assert other.handle(event("GET", "/health"))["statusCode"] == 503  # without a key too
    assert "Cerys_Jankovar" in names(one)  # from memory, for a minute
    now[0] += 61
    assert ask(one, "POST", "/v1/recognize", ADA)[0] == 503
    place.write_bytes(whole)
    assert "Cerys_Jankovar" in names(one) and "Cerys_Jankovar" in names(other)


def test_people_of_another_backbone_are_not_compared(new_copy, function, place, log_lines):
    gallery = function.store.get().gallery
    Gallery(["Eve"], gallery.vectors[:1], 0.5, about={"backbone": "another"}).save(place)
    assert ask(new_copy(), "POST", "/v1/recognize", ADA)[0] == 503
    assert any("another backbone" in line.get("reason", "") for line in log_lines())


# ---- many at a time ------------------------------------------------------------------------------------


def come_and_go(copies, pairs: int) -> float:
    """Enrol and forget as many people at the same time, spread over copies of the function; return the seconds."""
    for number in range(pairs):
        assert ask(copies[0], "PUT", f"/v1/people/Old_{number}?consent=2026-01-01", ADA)[0] == 201
    jobs = [("PUT", f"/v1/people/New_{number}?consent=2026-01-01", 201) for number in range(pairs)]
    jobs += [("DELETE", f"/v1/people/Old_{number}", 200) for number in range(pairs)]
    random.Random(0).shuffle(jobs)
    started = time.monotonic()

    def work(number: int) -> tuple[int, int]:
        method, path, wanted = jobs[number]
        return ask(copies[number % len(copies)], method, path, ADA)[0], wanted

    with ThreadPoolExecutor(len(copies)) as pool:
        answers = list(pool.map(work, range(len(jobs))))
    assert all(status == wanted for status, wanted in answers), answers
    return time.monotonic() - started


def check_people(function, before: list[str], pairs: int) -> None:
    assert sorted(names(function)) == sorted([*before, *(f"New_{number}" for number in range(pairs))])


def test_many_who_come_and_go_at_the_same_time_lose_nothing(new_copy, quick_faces, quiet):
    copies = [new_copy() for _ in range(5)]  # the template's reserved concurrency
    before = names(copies[0])
    seconds = come_and_go(copies, PAIRS)
    print(f"\n{PAIRS} enrolments and {PAIRS} erasures at a time by {len(copies)} copies: {seconds:.1f} s")
    check_people(new_copy(), before, PAIRS)


def test_whoever_is_overtaken_too_often_is_told(new_copy, function, monkeypatch):
    one = new_copy()
    monkeypatch.setattr(register.time, "sleep", lambda _: None)
    monkeypatch.setattr(type(one.register._object), "write", lambda *_: None)
    with pytest.raises(HttpError, match="others are changing"):
        one.register.change(function.store.get(), lambda gallery: gallery)


# ---- killed --------------------------------------------------------------------------------------------

CHANGER = """
import sys
from types import SimpleNamespace
from lambda_function.gallery import Gallery
from lambda_function.register import Register
from lambda_function.settings import Settings
gallery = Gallery.load(sys.argv[2])
recogniser = SimpleNamespace(gallery=gallery, embedder=SimpleNamespace(dimension=gallery.vectors.shape[1]))
register = Register(Settings(face_gallery=sys.argv[1]))
register.change(recogniser, lambda gallery: gallery.enrol("Eve", gallery.vectors[:1]))
print("ready", flush=True)
while True:
    register.change(recogniser, lambda gallery: gallery.enrol("Eve", gallery.vectors[:1]))
    register.change(recogniser, lambda gallery: gallery.remove("Eve"))
"""


def kill_while_enrolling(place: str, seed, times: int, **environment) -> set[bool]:
    """Kill -9 a process that does nothing but enrol and forget Eve; return whether she was there, each time."""
    found, rng = set(), random.Random(1)
    gallery = Gallery.load(seed)
    recogniser = SimpleNamespace(
        gallery=gallery, embedder=SimpleNamespace(dimension=gallery.vectors.shape[1])
    )
    for _ in range(times):
        command = [sys.executable, "-c", CHANGER, place, str(seed)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, **environment}
        )
        assert process.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.05, 0.25))
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = Register(Settings(face_gallery=place)).gallery(recogniser)
        assert left.labels in (gallery.labels, [*gallery.labels, "Eve"])
        found.add("Eve" in left.labels)
    return found


def test_a_kill_while_enrolling_leaves_the_old_people_or_the_new(tmp_path, place):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5000, 128)).astype(np.float32)  # as many as LFW's: a write takes its time
    seed = tmp_path / "seed.npz"
    Gallery([f"Person_{n}" for n in range(5000)], vectors, 0.5, about={"backbone": "x"}).save(seed)
    kill_while_enrolling(str(place), seed, 4)
