"""Notebook 06 in a real JupyterLab: photos go in through the file chooser, names come out."""

import base64
import json
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import PICTURES
from tests.browser.lab import choose_files, errors_of
from tests.conftest import ROOT
from tools import film

NAME = "06_try_it"
PEOPLE, OTHERS, GROUP = (ROOT / "data" / name for name in ("people", "others", "group"))
STRANGER = OTHERS / "Gaspar_Norvath" / "Gaspar_Norvath_0001.jpg"  # one photo only, so in no gallery
STATUS, UPLOAD, FACES, PAST = ".fc-status", ".fc-upload", ".fc-face", ".fc-history .widget-vbox"


@pytest.fixture(scope="module")
def page(browser, lab, model):
    """Notebook 06, opened and run once; the tests are what a reader does there, one after the other."""
    opened = browser.new_page(viewport={"width": 1300, "height": 1300})
    opened.set_default_timeout(30_000)
    lab.open(opened, NAME)
    lab.run_all(opened)
    opened.locator(UPLOAD).scroll_into_view_if_needed()
    yield opened
    opened.close()
    lab.stop_kernels()


def photo(name, number):
    return PEOPLE / name / f"{name}_{number:04d}.jpg"


def upload(page, *files):
    choose_files(page, UPLOAD, list(files))


def says(page, text):
    expect(page.locator(STATUS)).to_contain_text(text, timeout=60_000)


def verdicts(page):
    return page.locator(f"{FACES} .fc-verdict").all_inner_texts()


def move_slider(page, key):
    page.locator(".fc-threshold .noUi-handle").press(key)


def test_the_film_for_the_readme_shows_names_and_is_small(page):
    shots = film.record(page)
    says(page, film.PHOTO.name)
    seen = [np.asarray(picture, int) for picture, _ in shots]
    for a, b in (
        (0, film.NAMED),
        (-2, -1),
    ):  # a photo comes; names go: the slider alone is 0.002 of the pixels
        assert (np.abs(seen[a] - seen[b]).max(2) > 30).mean() > 0.005
    assert len(film.packed(shots)) <= 500_000


def test_an_enrolled_person_is_named(page, photograph):
    upload(page, photo("Ada_Ferro", 14))
    says(page, "Ada_Ferro_0014.jpg: Ada Ferro (this computer")
    assert verdicts(page) == ["1 Ada Ferro"]
    assert page.locator(".fc-bar").count() == 5
    assert "Ada Ferro" in page.locator(".fc-boxes text").text_content()
    photograph("06_named")


def test_the_boxes_lie_on_the_photo(page):
    image = page.locator(".fc-try-it img.widget-image:visible").last.bounding_box()
    frame = page.locator(".fc-boxes").locator("xpath=..").locator("img").first.bounding_box()
    drawn = page.locator(".fc-boxes svg").bounding_box()
    assert image and all(abs(frame[side] - drawn[side]) <= 2 for side in ("x", "y", "width", "height"))


def test_the_same_file_twice_gives_two_results(page):
    before = page.locator(PAST).count()
    for more in (1, 2):
        upload(page, STRANGER)
        expect(page.locator(PAST)).to_have_count(before + more, timeout=60_000)


def test_a_stranger_is_unknown(page, photograph):
    upload(page, STRANGER)
    says(page, "Gaspar_Norvath_0001.jpg: unknown")
    assert verdicts(page) == ["1 unknown"]
    photograph("06_stranger")


def test_the_slider_renames_without_a_new_result(page, photograph):
    before = page.locator(PAST).count()
    page.locator(".fc-bundled", has_text="group 02").click()
    says(
        page,
        "group_02.jpg: Ines Valkamo, Jarek Umbeta, Farid Okonska, Kalinda Frostad, Greta Holmavik, unknown",
    )
    seconds = re.search(r"[\d.]+ s", page.locator(STATUS).inner_text())[0]
    move_slider(page, "End")
    says(page, "group_02.jpg: unknown, unknown, unknown, unknown, unknown, unknown")
    photograph("06_slider")
    move_slider(page, "Home")
    says(page, "Ines Valkamo")
    assert seconds in page.locator(STATUS).inner_text()  # the same result under other names
    assert page.locator(PAST).count() == before + 1
    page.get_by_role("button", name=re.compile("back to")).click()
    says(page, "Greta Holmavik")


def test_what_is_no_picture_is_said(page, tmp_path, photograph):
    text = tmp_path / "notes.txt"
    text.write_text("This is not a photo.")
    upload(page, text)
    says(page, "notes.txt: this is not a JPEG, PNG, WebP, GIF or BMP picture")
    photograph("06_text_file")


def test_a_picture_without_a_face_is_said(page, tmp_path):
    Image.fromarray(np.full((300, 400, 3), 200, np.uint8)).save(tmp_path / "wall.png")
    upload(page, tmp_path / "wall.png")
    says(page, "wall.png: no face was found")


def test_many_photos_at_once_and_more_than_ten_megabytes(page, tmp_path):
    large = tmp_path / "large.jpg"
    large.write_bytes(
        photo("Ines_Valkamo", 2).read_bytes() + bytes(12_000_000)
    )  # decoders stop at the end mark
    upload(page, photo("Ada_Ferro", 13), photo("Jarek_Umbeta", 1), large)
    says(page, "large.jpg: Ines Valkamo")
    says(page, "3 photos, 0 of them with a problem")


def test_remove_enrol_and_recognise(page, photograph):
    page.locator(".fc-leaving input").fill("Eun_Saramova")
    page.locator(".fc-remove").click()
    expect(page.locator(".fc-enrol-message")).to_contain_text("Eun Saramova is removed")
    upload(page, photo("Eun_Saramova", 5))
    says(page, "Eun_Saramova_0005.jpg: unknown")
    page.locator(".fc-person input").fill("Eun <b>Newcomer</b>")
    choose_files(page, ".fc-enrol", [photo("Eun_Saramova", number) for number in (1, 2, 3)])
    expect(page.locator(".fc-enrol-message")).to_contain_text("Newcomer", timeout=60_000)
    says(page, "Eun <b>Newcomer</b>")  # the photo on screen is named again, and no HTML comes in with a name
    upload(page, photo("Eun_Saramova", 6))
    says(page, "Eun_Saramova_0006.jpg: Eun <b>Newcomer</b>")
    photograph("06_enrolled")


def test_enrolling_without_a_name_is_said(page):
    page.locator(".fc-enrol-screen").click()
    expect(page.locator(".fc-enrol-message")).to_contain_text("type the person's name first")


def test_the_deployed_function_and_its_absence(page, project, photograph):
    page.locator(".fc-where button", has_text="deployed function").click()
    upload(page, photo("Eun_Saramova", 13))
    says(page, "Eun_Saramova_0013.jpg: Eun Saramova (deployed function")
    note = project / "outputs" / "sample" / "endpoint.json"
    note.write_text(json.dumps({"url": "http://127.0.0.1:9", "kind": "local"}))  # of a kernel that has ended
    upload(page, photo("Eun_Saramova", 14))
    says(page, "Eun_Saramova_0014.jpg: Eun Saramova (deployed function")
    note.write_text(json.dumps({"url": "https://function.invalid", "kind": "aws"}))
    upload(page, photo("Eun_Saramova", 15))
    says(page, "does not answer")
    photograph("06_endpoint_down")
    note.unlink()
    page.locator(".fc-where button", has_text="this computer").click()


def test_uploaded_files_are_not_in_the_saved_notebook(page, lab, tmp_path):
    upload(page, STRANGER)
    says(page, "Gaspar_Norvath_0001.jpg")
    saved = lab.save(page, NAME)
    assert not errors_of(saved)
    assert page.get_by_text("Error displaying widget").count() == 0
    states = saved["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    uploads = [one for one in states.values() if one["model_name"] == "FileUploadModel"]
    assert uploads and not any(one["state"].get("value") or one.get("buffers") for one in uploads)
    text = json.dumps(saved)
    for file in (STRANGER, photo("Ada_Ferro", 14), photo("Eun_Saramova", 1)):
        content = base64.b64encode(file.read_bytes()).decode()
        assert content[300:800] not in text


def test_forget_takes_all_photos_away(page):
    page.locator(".fc-forget").click()
    says(page, "All photos are forgotten")
    assert page.locator(PAST).count() == 0 and page.locator(FACES).count() == 0
    assert PICTURES.exists()
