"""The outputs in the notebooks: made from the code beside them, small, and without a real person's photo."""

import base64
import io
import json

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from facecourse.settings import CACHE, DATA
from tests.conftest import ROOT
from tests.unit.test_lessons import OPTIONAL
from tools import published

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


@pytest.fixture(scope="module")
def notebooks():
    read = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
    assert any(c.metadata.get(published.HASH) for n in read.values() for c in n.cells), "make publish"
    return read


@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
def test_outputs_are_those_of_the_code_beside_them(notebooks, name):
    if name in OPTIONAL and not any(cell.get("outputs") for cell in notebooks[name].cells):
        pytest.skip("an optional notebook without outputs")
    stale = published.stale_cells(notebooks[name])
    assert not stale, f"cells {[n + 1 for n in stale]} changed since their outputs were made: make publish"


def detector():
    from facecourse.detection import detector as open_detector

    if not any(CACHE.glob("mtcnn-*")):
        pytest.skip("the detector has not been exported yet: make setup")
    return open_detector()


def test_pictures_show_faces_only_where_they_come_from_the_sample(notebooks):
    from tools.publish import untagged_photos

    tool = detector()
    assert {name: cells for name, n in notebooks.items() if (cells := untagged_photos(n, tool))} == {}


def test_tagged_cells_say_where_their_pictures_come_from(notebooks):
    for name, notebook in notebooks.items():
        for cell in notebook.cells:
            if published.SHOWS_PHOTOS in cell.metadata.get("tags", []):
                shown = any(published.pictures(output) for output in cell.outputs)
                notes = [o.get("data", {}).get("text/markdown") for o in cell.outputs]
                assert not shown or published.FROM_SAMPLE in notes, name


def photo(folder="group/group_01.jpg"):
    return Image.open(DATA / folder).convert("RGB")


def png(image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def picture(image, alt="A picture that was drawn"):
    output = new_output("display_data", {"image/png": png(image), "text/plain": "<Figure at 0x7f0123456789>"})
    output.metadata = {"image/png": {"alt": alt}}
    return output


def notebook(outputs, source="show()", tags=()):
    cell = new_code_cell(source, outputs=outputs, execution_count=3, metadata={"execution": {"t": "now"}})
    if tags:
        cell.metadata["tags"] = list(tags)
    return new_notebook(cells=[new_markdown_cell("# Title"), cell], metadata={"widgets": {"state": "secret"}})


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def test_nothing_of_the_machine_or_the_reader_is_published():
    outputs = [
        stream("\r 10%\r100% done\x1b[0m\nread /place/of/mine/data/x.jpg\n"),
        stream("in /place/of/mine\n"),
        stream("50%|#####", "stderr"),
        new_output("display_data", {published.WIDGET: {"model_id": "1"}, "text/plain": "VBox()"}),
    ]
    done = published.publish(notebook(outputs), notebook(outputs), ["/place/of/mine"])
    text = json.dumps(done)
    assert all(
        word not in text for word in ("secret", "/place", "widget-view", "VBox", "10%", "x1b", "#####")
    )
    cell = done.cells[1]
    assert cell.outputs[0].text == "100% done\nread data/x.jpg\nin .\n" and len(cell.outputs) == 2
    assert "execution" not in cell.metadata
    nbformat.validate(done)


def test_a_cell_that_changed_is_found():
    done = published.publish(notebook([]), notebook([]), [])
    assert published.stale_cells(done) == []
    done.cells[0].source = "# Another title"
    assert published.stale_cells(done) == []
    done.cells[1].source += "  # changed"
    assert published.stale_cells(done) == [1]
    done.cells.append(new_code_cell("new()"))
    assert published.stale_cells(done) == [1, 2]


def test_pictures_of_tagged_cells_come_from_the_sample_and_printed_figures_do_not():
    secret, rendered = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (60, 40), "blue")
    html = new_output("display_data", {"text/html": '<img src="data:image/png;base64,inline">'})
    real = notebook([stream("0.99\n"), picture(secret), html], tags=["shows-photos"])
    sample = notebook([stream("1.00\n"), picture(rendered)], tags=["shows-photos"])
    outputs = published.publish(real, sample, []).cells[1].outputs
    assert outputs[0].text == "0.99\n" and len(outputs) == 3
    assert np.asarray(published.decoded(outputs[1]))[0, 0].tolist() == [0, 0, 255]
    assert outputs[2].data["text/markdown"] == published.FROM_SAMPLE
    assert "inline" not in json.dumps(outputs) and "that was drawn" in json.dumps(outputs[1].metadata)


def test_pictures_of_other_cells_stay():
    drawn = Image.new("RGB", (60, 40), "red")
    outputs = published.publish(notebook([picture(drawn)]), notebook([]), []).cells[1].outputs
    assert np.asarray(published.decoded(outputs[0]))[0, 0].tolist() == [255, 0, 0]
    assert "0x7f" not in outputs[0].data["text/plain"]


def test_faces_in_a_cell_without_the_tag_are_noticed():
    from tools.publish import untagged_photos

    tool = detector()
    assert untagged_photos(notebook([picture(photo())]), tool) == [1]
    assert untagged_photos(notebook([picture(photo())], tags=["shows-photos"]), tool) == []
    assert untagged_photos(notebook([picture(Image.new("RGB", (300, 200), "white"))]), tool) == []
    inside = new_output("display_data", {"text/html": ["<table>", '<img src="data:image/png;base64,AA">']})
    assert untagged_photos(notebook([inside]), tool) == [1]


def test_pictures_are_made_small_and_still_look_the_same():
    wide = photo().resize((2400, 1600))
    output = published.publish(notebook([picture(wide)]), notebook([]), []).cells[1].outputs[0]
    small = published.decoded(output)
    assert small.width == published.WIDEST and len(output.data["image/jpeg"]) < len(png(wide)) / 12
    away = np.asarray(small, float) - np.asarray(wide.resize(small.size, Image.Resampling.LANCZOS), float)
    assert np.abs(away).mean() < 6


def test_a_failed_run_is_not_published():
    failed = notebook([new_output("error", ename="ValueError", evalue="no", traceback=[])])
    with pytest.raises(ValueError, match="a cell failed"):
        published.publish(failed, failed, [])


def test_runs_of_different_notebooks_are_not_mixed():
    with pytest.raises(ValueError, match="same notebook"):
        published.publish(notebook([]), notebook([], source="other()"), [])
