"""Notebooks in a real JupyterLab: 01 runs to its end, 09 takes a photo; 06 in Notebook 7, Jupyter's other page."""

import io
import sys
from types import SimpleNamespace

import pytest
from PIL import Image
from playwright.sync_api import expect

from facecourse.optional import album
from tests.browser.conftest import CAMERA_SEES
from tests.browser.lab import choose_files, errors_of
from tests.conftest import ROOT

# The cells of all of them are run by nbval; the sixth is opened, run and used in test_try_it.py.
NOTEBOOKS = ("01_assemble_dataset",)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_all_cells_run_to_the_end(lab, page, photograph, name):
    lab.open(page, name)
    lab.run_all(page)
    photograph(name)
    saved = lab.save(page, name)
    assert not errors_of(saved)
    assert sum(cell["cell_type"] == "code" for cell in saved["cells"]) >= 5
    assert page.get_by_text("Error displaying widget").count() == 0


def test_in_notebook_7_a_photo_goes_in_and_a_name_comes_out(lab, page, model, photograph):
    lab.open(page, "06_try_it", "notebook")
    lab.run_all(page)
    choose_files(page, ".fc-upload", [ROOT / "data" / "people" / "Ada_Ferro" / "Ada_Ferro_0014.jpg"])
    expect(page.locator(".fc-status")).to_contain_text("Ada_Ferro_0014.jpg: Ada Ferro", timeout=60_000)
    assert page.locator(".fc-bar").count() == 5
    assert page.locator('body[data-notebook="notebooks"]').count() == 1  # this is not JupyterLab
    photograph("06_notebook_7")
    assert not errors_of(lab.save(page, "06_try_it"))
    assert page.get_by_text("Error displaying widget").count() == 0


def test_the_camera_hands_a_photo_to_the_kernel_and_keeps_none(lab, page, photograph):
    lab.open(page, "09_your_album")
    lab.run_until(page, ".fc-camera button", most=40)
    page.get_by_role("button", name="Open the camera").click()
    page.get_by_role("button", name="Take the photo").click()
    expect(page.get_by_text("most like Ada_Ferro")).to_be_visible(timeout=60_000)
    photograph("09_camera")
    assert "data:image/jpeg" not in str(lab.save(page, "09_your_album"))


def test_in_colab_the_same_script_takes_the_photo(lab, page, monkeypatch):
    def eval_js(script: str) -> str:  # as Colab's: what the promise of the last expression resolves to
        page.goto(f"{lab.url}/login")
        page.evaluate("script => { window.taken = eval(script); }", script)
        page.get_by_role("button", name="Take the photo").click()
        return page.evaluate("window.taken")

    monkeypatch.setattr(album, "in_colab", lambda: True)
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(output=SimpleNamespace(eval_js=eval_js)))
    photos = []
    album.camera(photos.append)
    assert Image.open(io.BytesIO(photos[0])).size == Image.open(CAMERA_SEES).size
