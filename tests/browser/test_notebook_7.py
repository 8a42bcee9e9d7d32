"""Notebook 06 in Notebook 7, the other page that Jupyter has for notebooks."""

from playwright.sync_api import expect

from tests.browser.lab import choose_files, errors_of
from tests.conftest import ROOT

NAME = "06_try_it"


def test_a_photo_goes_in_and_a_name_comes_out(lab, page, model, photograph):
    lab.open(page, NAME, "notebook")
    lab.run_all(page)
    choose_files(page, ".fc-upload", [ROOT / "data" / "people" / "Ada_Ferro" / "Ada_Ferro_0014.jpg"])
    expect(page.locator(".fc-status")).to_contain_text("Ada_Ferro_0014.jpg: Ada Ferro", timeout=60_000)
    assert page.locator(".fc-bar").count() == 5
    assert page.locator('body[data-notebook="notebooks"]').count() == 1  # this is not JupyterLab
    photograph("06_notebook_7")
    assert not errors_of(lab.save(page, NAME))
    assert page.get_by_text("Error displaying widget").count() == 0
