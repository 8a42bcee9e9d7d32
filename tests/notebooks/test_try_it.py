"""Notebook 06's desk and page without a browser, on the model that notebook 05 has built."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from facecourse.app import endpoint, session
from facecourse.app.session import Desk, Result, names_at, photos_at
from facecourse.app.widgets import DEPLOYED, TryIt
from facecourse.core.paths import DATA, OUTPUTS, PEOPLE_DIR

STRANGER = DATA / "others" / "Gaspar_Norvath" / "Gaspar_Norvath_0001.jpg"  # one photo only, so in no gallery


def photos_of(name: str, *numbers: int) -> list[tuple[str, bytes]]:
    return [photos_at(PEOPLE_DIR / name / f"{name}_{number:04d}.jpg")[0] for number in numbers]


@pytest.fixture
def desk():
    if not (OUTPUTS / "sample" / "model" / "model.json").exists():
        pytest.skip("there is no model yet: run the notebooks on the sample (make test-notebooks)")
    return Desk("sample")


@pytest.fixture
def page(desk):
    return TryIt(desk, sorted((DATA / "group").glob("*.jpg"))[:1])


def test_people_are_named_and_strangers_are_not(desk):
    known, stranger = desk.recognise(*photos_of("Ada_Ferro", 14)[0]), desk.recognise(*photos_at(STRANGER)[0])
    assert known.names(desk.threshold) == ["Ada_Ferro"] and stranger.names(desk.threshold) == ["unknown"]
    assert known.names(1.01) == ["unknown"] and stranger.names(-1)[0] in desk.people
    assert 0 < known.seconds < 60 and not known.problem


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "empty"),
        (b"This is not a photo.", "not a JPEG, PNG, WebP, GIF or BMP"),
        (bytes(session.MAX_FILE + 1), "at most 50 MB"),
    ],
)
def test_what_goes_wrong_is_said_not_raised(desk, data, said):
    result = desk.recognise("upload", data)
    assert said in result.problem and result.faces == [] and result.names(0.5) == []


def test_a_photo_without_a_face_is_said(desk):
    wall = io.BytesIO()
    Image.fromarray(np.full((300, 400, 3), 200, np.uint8)).save(wall, "PNG")
    assert "no face was found" in desk.recognise("wall.png", wall.getvalue()).problem


def test_a_person_is_enrolled_replaced_and_removed(desk):
    photo = photos_at(STRANGER)
    assert desk.enrol("Gaspar  Norvath", photo).photos == 1
    assert desk.recognise(*photo[0]).names(desk.threshold) == ["Gaspar_Norvath"]
    assert desk.people.count("Gaspar_Norvath") == 1
    assert desk.remove("Gaspar Norvath") and not desk.remove("Gaspar Norvath")
    assert desk.recognise(*photo[0]).names(desk.threshold) == ["unknown"]


@pytest.mark.parametrize(
    "name, said", [("  ", "type the person's name"), ("Unknown", "nobody can be called")]
)
def test_names_that_cannot_be(desk, name, said):
    outcome = desk.enrol(name, photos_at(STRANGER))
    assert outcome.photos == 0 and said in outcome.notes[0]


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
    assert there.by == "deployed function" and there.embeddings is None


def test_an_endpoint_that_is_down_or_damaged_is_said(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint, "outputs_for", lambda profile: tmp_path)
    (tmp_path / "endpoint.json").write_text(json.dumps({"url": "http://127.0.0.1:9/"}))
    photo = photos_of("Ada_Ferro", 14)[0]
    assert "does not answer at http://127.0.0.1:9" in desk.recognise(*photo, deployed=True).problem
    (tmp_path / "endpoint.json").write_text("{")
    assert "endpoint.json is damaged" in desk.recognise(*photo, deployed=True).problem


def test_each_threshold_is_counted():
    face = {"box": [0, 0, 9, 9], "top": [{"name": "Ada", "score": 0.6, "confidence": 0.9}]}
    table = names_at([Result("a.jpg", b"", faces=[face]), Result("b.jpg", b"", faces=[face])],
                     {"a.jpg": {"Ada"}, "b.jpg": {"Bruno"}}, [0.5, 0.7])  # fmt: skip
    assert table.loc[0.5].tolist() == [1, 1, 0] and table.loc[0.7].tolist() == [0, 0, 2]


def test_the_page_names_renames_and_keeps_a_history(page):
    page.open([*photos_of("Ada_Ferro", 14), ("notes.txt", b"This is not a photo.")])
    page.wait()
    assert [result.photo for result in page.results] == ["notes.txt", "Ada_Ferro_0014.jpg"]
    assert "notes.txt: this is not a JPEG" in page.status.value.replace("<b>", "").replace("</b>", "")
    page.show(page.results[1])
    page.threshold.value = 1.0
    assert "unknown" in page.stage.boxes.value
    page.threshold.value = page.desk.threshold
    assert "Ada Ferro" in page.stage.boxes.value
    page.forget()
    assert not page.results and page.current is None and not page.past.children


def test_names_and_file_names_cannot_bring_html_onto_the_page(page):
    page.desk.enrol("<script>alert(1)</script>", photos_at(STRANGER))
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
    assert page.current.names(page.desk.threshold) == ["Gaspar_Norvath"]
    assert "is enrolled from 1 photo." in page.enrolment.message.value
    page.enrolment.leaving.value = "Gaspar_Norvath"
    page.enrolment.remove()
    page.wait()
    assert page.current.names(page.desk.threshold) == ["unknown"]


def test_a_fault_of_our_own_is_said_too(page, monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError("a < b")

    monkeypatch.setattr(page.desk, "recognise", broken)
    page.open(photos_of("Ada_Ferro", 14))
    page.wait()
    assert "Something went wrong: a &lt; b" in page.status.value
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_switch_asks_the_deployed_function(page):
    page.where.value = DEPLOYED
    page.open(photos_of("Ada_Ferro", 14))
    page.wait()
    assert page.current.by == "deployed function" and "deployed function" in page.status.value
