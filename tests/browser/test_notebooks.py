"""Each notebook of the course opens in a real JupyterLab and runs to its end without an error."""

import pytest

from tests.browser.lab import errors_of
from tests.conftest import ROOT

NOTEBOOKS = sorted(path.stem for path in ROOT.glob("notebooks/0[1-6]*.ipynb"))


def test_there_are_six():
    assert [name[:2] for name in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("name", NOTEBOOKS[:5])  # the sixth is opened, run and used in test_try_it.py
def test_all_cells_run_to_the_end(lab, page, photograph, name):
    lab.open(page, name)
    lab.run_all(page)
    photograph(name)
    saved = lab.save(page, name)
    assert not errors_of(saved)
    assert sum(cell["cell_type"] == "code" for cell in saved["cells"]) >= 5
    assert page.get_by_text("Error displaying widget").count() == 0
