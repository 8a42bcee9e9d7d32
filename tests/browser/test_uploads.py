"""Notebook 01's form in a real JupyterLab: a new person's photos reach data/people, of the copy."""

from playwright.sync_api import expect

from tests.browser.lab import choose_files
from tests.conftest import ROOT

FORM = ".facecourse-person-"


def test_upload_a_new_person(lab, page, project, photograph, tmp_path):
    lab.open(page, "01_assemble_dataset")
    lab.run_until(page, f"{FORM}name")
    status, photos = page.locator(f"{FORM}status"), sorted((ROOT / "data/others/Alva_Abrentis").iterdir())
    (tmp_path / "letter.txt").write_text("Dear reader")
    choose_files(page, f"{FORM}photos", [*photos, tmp_path / "letter.txt"])
    expect(status).to_contain_text("2 photos are waiting")
    expect(status).to_contain_text("letter.txt: this is not a JPEG")
    page.locator(f"{FORM}save").click()
    expect(status).to_contain_text("Write the person's name first")
    page.locator(f"{FORM}name input").fill("Zoë Newcomer")
    page.locator(f"{FORM}name input").press("Tab")
    page.locator(f"{FORM}save").click()
    expect(status).to_contain_text("Zoë_Newcomer: 2 saved")
    photograph("01_uploaded")
    saved = sorted((project / "data" / "people" / "Zoë_Newcomer").iterdir())
    assert [path.read_bytes() for path in saved] == [path.read_bytes() for path in photos]
    assert not (ROOT / "data" / "people" / "Zoë_Newcomer").exists()
