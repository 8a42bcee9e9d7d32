"""Notebook 06's session, and its page without a browser."""

import gc
import io
import json
import time
import weakref

import numpy as np
import pytest
from PIL import Image

from facecourse.app import session
from facecourse.app.pages import faces_html
from facecourse.app.session import RecognitionSession, Result, names_at, photos_at
from facecourse.app.widgets import DEPLOYED, TryIt
from facecourse.core import paths
from facecourse.core.paths import DATA, PEOPLE_DIR
from tests.sample_bundle import build_sample_bundle

STRANGER = DATA / "others" / "Gaspar_Norvath" / "Gaspar_Norvath_0001.jpg"  # one photo only, so in no gallery
ADA = {"box": [9, 9, 30, 30], "confidence": 0.9, "top": [{"name": "Ada", "score": 0.6, "confidence": 0.9}]}


def photos_of(name: str, *numbers: int) -> list[tuple[str, bytes]]:
    return [photos_at(PEOPLE_DIR / name / f"{name}_{number:04d}.jpg")[0] for number in numbers]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    build_sample_bundle(folder)
    return folder


@pytest.fixture
def desk(outputs, monkeypatch):
    monkeypatch.setattr(paths, "OUTPUTS", outputs)
    return RecognitionSession("sample")


@pytest.fixture
def page(desk):
    return TryIt(desk, sorted((DATA / "group").glob("*.jpg"))[:1])


class Quick:
    """A session that answers at once: every photo shows Ada, and an empty one is a problem."""

    threshold, people = 0.5, ["Ada"]

    def recognise(self, photo, data, deployed=False):
        image = np.zeros((60, 80, 3), np.uint8)
        return Result(photo, data, image, [ADA]) if data else Result(photo, data, problem="the file is empty")


def test_people_are_named_and_strangers_are_not(desk):
    known, stranger = desk.recognise(*photos_of("Ada_Ferro", 14)[0]), desk.recognise(*photos_at(STRANGER)[0])
    assert known.names(desk.threshold) == ["Ada_Ferro"] and stranger.names(desk.threshold) == ["unknown"]
    assert known.names(1.01) == ["unknown"] and stranger.names(-1)[0] in desk.people
    assert 0 < known.seconds < 60 and not known.problem


def test_faces_are_named_from_left_to_right_and_the_networks_run_once(desk, monkeypatch):
    result = desk.recognise(*photos_at(DATA / "group" / "group_02.jpg")[0])
    people = ["Ines_Valkamo", "Jarek_Umbeta", "Farid_Okonska", "Kalinda_Frostad", "Greta_Holmavik"]
    monkeypatch.setattr(desk.recogniser, "detector", None)
    monkeypatch.setattr(desk.recogniser, "embedder", None)
    assert result.names(desk.threshold) == [*people, "unknown"]
    assert desk.remove("Jarek Umbeta") and not desk.remove("Jarek Umbeta")
    assert result.names(desk.threshold) == [people[0], "unknown", *people[2:], "unknown"]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "empty"),
        (b"This is not a photo.", "not a JPEG, PNG, WebP, GIF or BMP"),
        (bytes(session.MAX_FILE + 1), "at most 50 MB"),
    ],
)
def test_a_problem_is_in_the_result_not_raised(desk, data, message):
    result = desk.recognise("upload", data)
    assert message in result.problem and result.names(0.5) == []


def test_a_photo_without_a_face_is_a_problem(desk):
    wall = io.BytesIO()
    Image.fromarray(np.full((300, 400, 3), 200, np.uint8)).save(wall, "PNG")
    assert "no face was found" in desk.recognise("wall.png", wall.getvalue()).problem


def test_a_person_is_enrolled_replaced_and_removed(desk):
    photo = photos_at(STRANGER)
    result = desk.recognise(*photo[0])
    assert desk.enrol("Gaspar  Norvath", photo).photos == desk.enrol("Gaspar Norvath", photo).photos == 1
    assert result.names(desk.threshold) == ["Gaspar_Norvath"] and desk.people.count("Gaspar_Norvath") == 1
    assert desk.remove("Gaspar Norvath") and result.names(desk.threshold) == ["unknown"]


@pytest.mark.parametrize(
    "name, message", [("  ", "type the person's name"), ("Unknown", "nobody can be called")]
)
def test_names_that_nobody_can_have(desk, name, message):
    outcome = desk.enrol(name, photos_at(STRANGER))
    assert outcome.photos == 0 and message in outcome.notes[0]


def test_doubts_about_enrolment_are_told(desk):
    other = desk.enrol(
        "Somebody", [*photos_of("Ada_Ferro", 1), *photos_of("Jarek_Umbeta", 1), ("x.jpg", b"x")]
    )
    assert other.photos == 2
    assert any("all the same person" in note for note in other.notes)
    assert any(note.startswith("x.jpg was left out") for note in other.notes)
    double = desk.enrol("Second_Ada", photos_of("Ada_Ferro", 2, 3))
    assert any("very like Ada_Ferro" in note for note in double.notes)


def test_the_served_function_names_as_this_computer_does(desk):
    photo = photos_at(DATA / "group" / "group_02.jpg")[0]
    here, there = desk.recognise(*photo), desk.recognise(*photo, deployed=True)
    assert not there.problem and there.names(desk.threshold) == here.names(desk.threshold)
    assert there.by == "deployed function" and there.recognition is None


def test_an_endpoint_that_is_gone_down_or_damaged(desk, outputs, request):
    photo, note = photos_of("Ada_Ferro", 14)[0], outputs / "sample" / "endpoint.json"
    request.addfinalizer(note.unlink)
    note.write_text(json.dumps({"url": "http://127.0.0.1:9/"}))  # of a kernel that has ended
    assert desk.recognise(*photo, deployed=True).names(desk.threshold) == ["Ada_Ferro"]
    note.write_text(json.dumps({"url": "https://function.invalid/"}))
    assert "does not answer at https://function.invalid:" in desk.recognise(*photo, deployed=True).problem
    note.write_text("{")
    assert "endpoint.json is damaged" in desk.recognise(*photo, deployed=True).problem


def test_each_threshold_is_counted():
    elsewhere = ADA | {"box": [70, 9, 90, 30]}
    results = [Result("a.jpg", b"", faces=[ADA, elsewhere]), Result("b.jpg", b"", faces=[ADA])]
    ada, bruno = np.array([8, 8, 31, 31]), np.array([72, 10, 92, 34])
    table = names_at(results, {"a.jpg": {"Ada": ada, "Bruno": bruno}, "b.jpg": {"Bruno": bruno}}, [0.7, 0.5])
    # Bruno is called Ada twice, once with Ada beside him.
    assert table.loc[0.5].tolist() == [1, 2, 0] and table.loc[0.7].tolist() == [0, 0, 3]


def test_without_a_key_the_functions_own_names_stay():
    told = {"box": [9, 9, 30, 30], "landmarks": [], "name": "Ada", "confidence": 0.93, "top": []}
    stranger = told | {"box": [40, 9, 60, 30], "name": "unknown"}
    result = Result("a.jpg", b"", np.zeros((60, 80, 3), np.uint8), [told, stranger])
    assert result.names(0.5) == result.names(0.99) == ["Ada", "unknown"]
    assert "nobody is enrolled" not in faces_html(result, 0.5)


def test_the_page_names_renames_and_keeps_a_history():
    page = TryIt(Quick(), [])
    page.open([("ada.jpg", b"photo"), ("empty.jpg", b"")])
    page.wait()
    assert [result.photo for result in page.results] == ["empty.jpg", "ada.jpg"]
    assert "empty.jpg</b>: the file is empty" in page.status.value
    page.show(page.results[1])
    page.threshold.value = 0.7
    assert "1 unknown" in page.stage.boxes.value and "1 Ada" not in page.stage.boxes.value
    page.threshold.value = 0.5
    assert "1 Ada" in page.stage.boxes.value


def test_problems_are_counted_beyond_what_is_remembered():
    page = TryIt(Quick(), [])
    page.open([(f"{number}.jpg", b"photo" if number else b"") for number in range(30)])
    page.wait()
    assert "30 photos, 1 of them with a problem" in page.status.value and len(page.results) < 30


def test_forgetting_while_photos_are_worked_on_forgets_them_too(monkeypatch):
    page = TryIt(Quick(), [])
    name = page.session.recognise

    def recognise(photo, data, deployed):
        if photo == "2.jpg":
            page.forget()
        return name(photo, data, deployed)

    monkeypatch.setattr(page.session, "recognise", recognise, raising=False)
    page.open([(f"{number}.jpg", b"photo") for number in range(5)])
    page.wait()
    assert not page.results and page.current is None and not page.past.children
    assert "All photos are forgotten" in page.status.value and not page.stage.photo.value


def test_photos_that_are_forgotten_or_too_long_ago_leave_the_memory(monkeypatch):
    page, seen = TryIt(Quick(), []), []
    name = page.session.recognise

    def recognise(*photo):
        result = name(*photo)
        seen.append(weakref.ref(result))
        return result

    monkeypatch.setattr(page.session, "recognise", recognise, raising=False)
    page.open([(f"{number}.jpg", b"photo") for number in range(20)])
    page.wait()
    gc.collect()
    assert sum(photo() is not None for photo in seen) == len(page.results) < 20
    page.forget()
    page.wait()
    gc.collect()
    assert not any(photo() for photo in seen)


def test_a_photo_that_comes_in_waits_until_the_slider_has_named_the_others():
    page, during = TryIt(Quick(), []), []
    page.open([("first.jpg", b"photo")])
    page.wait()
    rename = page.stage.rename

    def slow(*arguments):
        page.stage.rename = rename
        page.open([("second.jpg", b"photo")])
        time.sleep(0.3)
        during.append(len(page.results))
        rename(*arguments)

    page.stage.rename = slow
    page.threshold.value = 0.7
    page.wait()
    assert during == [1] and len(page.results) == 2


def test_names_and_file_names_cannot_bring_html_onto_the_page(page):
    page.session.enrol("<script>alert(1)</script>", photos_at(STRANGER))
    page.open([("<img src=x>.jpg", STRANGER.read_bytes())])
    page.wait()
    shown = page.status.value + page.stage.boxes.value + page.stage.faces.value
    assert "&lt;script&gt;" in shown and "<script" not in shown and "<img src=x" not in shown


def test_enrolling_renames_what_is_on_screen(page):
    page.open(photos_at(STRANGER))
    page.wait()
    page.enrolment.person.value = "Gaspar Norvath"
    page.enrolment.enrol_on_screen()
    page.wait()
    assert page.current.names(page.session.threshold) == ["Gaspar_Norvath"]
    assert "is enrolled from 1 photo." in page.enrolment.message.value
    assert "Gaspar Norvath" in page.status.value
    page.enrolment.leaving.value = "Gaspar_Norvath"
    page.enrolment.remove()
    page.wait()
    assert page.current.names(page.session.threshold) == ["unknown"] and "unknown" in page.status.value


def test_a_fault_of_our_own_is_told_too(monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError("a < b")

    page = TryIt(Quick(), [])
    monkeypatch.setattr(page.session, "recognise", broken, raising=False)
    page.open([("ada.jpg", b"photo")])
    page.wait()
    assert "Something went wrong: a &lt; b" in page.status.value
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_switch_asks_the_deployed_function(page):
    page.where.value = DEPLOYED
    page.open(photos_of("Ada_Ferro", 14))
    page.wait()
    assert page.current.by == "deployed function" and "deployed function" in page.status.value
