"""What gets into the repository by a tool: executed notebooks, tables of figures, the repository's address."""

import base64
import io
import json

import nbformat
import numpy as np
import pandas as pd
from PIL import Image

from tools import address, figures, groups, publish


def png(pixels):
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return base64.b64encode(packed.getvalue()).decode()


def picture(output):
    (data,) = (output.data[kind] for kind in output.data if kind.startswith("image/"))
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), int)


def test_a_published_notebook_keeps_outputs_and_nothing_of_the_machine():
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    plot = np.zeros((100, 100, 3), np.uint8)
    plot[50] = 255
    v4 = nbformat.v4
    shown = [
        v4.new_output("display_data", {"image/png": png(pixels)}, metadata={"image/png": {"alt": "a face"}})
        for pixels in (photo, plot)
    ]
    printed = v4.new_output("stream", name="stdout", text="/home/me/course/data/a.jpg <F at 0x7f12ab>\n")
    cell = v4.new_code_cell("x", outputs=[printed, *shown], execution_count=3)
    cell.metadata = {"tags": ["setup"], "execution": {"iopub.status.busy": "2026"}}
    notebook = v4.new_notebook(
        cells=[cell],
        metadata={"widgets": {"state": 1}, "kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    made = publish.publishable(notebook, ["/home/me/course"])
    assert made.metadata == {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    assert made.cells[0].metadata == {"tags": ["setup"]} and made.cells[0].execution_count == 3
    first, *pictures = made.cells[0].outputs
    assert first.text == "data/a.jpg <F at 0x...>\n"
    assert [list(output.metadata.values()) for output in pictures] == [[{"alt": "a face"}]] * 2
    assert abs(picture(pictures[0]) - photo).mean() < 8 and (picture(pictures[1]) == plot).all()


def test_an_animation_stays_one_and_a_folded_cell_folded():
    packed, v4 = io.BytesIO(), nbformat.v4
    red = Image.new("RGB", (8, 8), "red")
    Image.new("RGB", (8, 8)).save(packed, "PNG", save_all=True, append_images=[red])
    film = v4.new_output("display_data", {"image/png": base64.b64encode(packed.getvalue()).decode()})
    cell = v4.new_code_cell("x", outputs=[film], metadata={"jupyter": {"source_hidden": True}})
    (made,) = publish.publishable(v4.new_notebook(cells=[cell]), []).cells
    assert made.metadata == {"jupyter": {"source_hidden": True}}
    shown = Image.open(io.BytesIO(base64.b64decode(made.outputs[0].data["image/png"])))
    assert shown.n_frames == 2


def test_the_widget_is_shown_as_a_picture_and_no_other_cell_is():
    v4, sentence = nbformat.v4, {"text/markdown": "*run it*"}
    cells = [
        v4.new_code_cell(source, outputs=[v4.new_output("display_data", sentence)])
        for source in ("page = utils.try_it(session)\npage.widget", "utils.level_explorer()")
    ]
    page = Image.new("RGB", (40, 30), "red")
    shown, kept = publish.pictured(v4.new_notebook(cells=cells), page).cells
    assert np.abs(picture(shown.outputs[0]) - np.asarray(page, int)).max() < 4
    assert shown.outputs[0].metadata["image/png"]["alt"] and kept.outputs[0].data == sentence


def test_tables_say_what_was_measured_where_and_nothing_where_nothing_was():
    run = dict.fromkeys(figures.ROWS) | {"machine": "2 cores", "backbone": "msceleb1m", "images": 13401}
    run |= {"test_top1": 0.99442, "seconds": {"total": 440.1}, "export": {"parity_max_abs_diff": 1.76e-7}}
    run["notebooks"] = {"01_a": 9.1, "02_b": 140.7}
    text = "<!-- figures: results, x -->\nbefore\n<!-- end: results -->\n<!-- figures: notebooks -->\n\n"
    text += "| N | D | S | L |\n| --- | --- | --- | --- |\n| [01_a](a) | x | 1 | 2 |\n| [02_b](b) | y | 1 | 2 |\n\n"
    filled = figures.filled(text + "<!-- end: notebooks -->", {"lfw": run})
    assert "before" not in filled and figures.filled(filled, {"lfw": run}) == filled
    assert "| Photos | 13,401 |" in filled and "| 0.9944 |" in filled and "| 1.8e-07 |" in filled
    assert "| LFW verification, 10 folds | n/a |" in filled and "`lfw` on 2 cores" in filled
    assert "| [01_a](a) | x | - | 9 s |" in filled and "| [02_b](b) | y | - | 2.3 min |" in filled


def test_figures_are_shown_with_their_intervals_and_what_is_not_measured_keeps_its_words():
    run = dict.fromkeys(figures.ROWS) | {
        "machine": "2 cores",
        "test_top1": 0.99442,
        "seconds": {},
        "export": {},
    }
    run |= {"intervals": {"test_top1": [0.98, 0.999]}, "worse": {"JPEG quality 5": [0.25, 0.1, 0.4]}}
    kinds = ("results", "worse", "vault")
    text = "".join(f"<!-- figures: {kind} -->\n\nnot yet\n\n<!-- end: {kind} -->\n" for kind in kinds)
    filled = figures.filled(text, {"lfw": run})
    assert "| 0.9944 [0.980, 0.999] |" in filled and "| JPEG quality | 5 | 25.0% [10%, 40%] |" in filled
    assert filled.count("not yet") == 1
    assert "| FPIR | 1 % |" in figures.filled(text, {"lfw": run, "vault": {"FPIR": "1 %"}})


def test_a_fork_changes_its_own_links_and_no_others():
    old, new = "https://github.com/facecourse/facecourse", "https://github.com/ada/faces"
    text = f"{old} {old}-data {old}/blob/main https://colab.example/github/facecourse/facecourse/blob/main facecourse/core"
    moved = address.moved(text, old, new)
    assert moved == (
        f"{new} {old}-data {new}/blob/main https://colab.example/github/ada/faces/blob/main facecourse/core"
    )
    assert address.moved(moved, new, old) == text


def test_errors_by_group_are_counted_without_the_photos_own_help():
    turned = np.array(
        [[1, 0], [0.96, 0.28], [0, 1], [0.8, 0.6]], np.float32
    )  # the last is closer to the others
    best, scores = groups.leave_one_out(turned, np.array([0, 0, 1, 1]))
    assert best.tolist() == [0, 0, 1, 0] and np.isclose(scores[1], 0.96)
    labels, people = (
        pd.DataFrame({"glasses": ["with", "with", "without", "without"]}),
        pd.Series(list("aabb")),
    )
    with_, without = groups.table(labels, people, best == [0, 0, 1, 1], np.array([True, False, True, True]))
    assert (with_["right"], with_["wrong"], with_["refused"], with_["people"]) == (1, 0, 1, 1)
    assert (without["right"], without["wrong"], without["refused"]) == (1, 1, 0)


def test_a_run_of_one_notebook_changes_what_it_measured_and_keeps_the_other_figures(tmp_path, monkeypatch):
    for name in ("README.md", "docs/MODEL_CARD.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no table")
    before = {
        "lfw": {"test_top1": 0.99, "seconds": {"embed": 9}, "notebooks": {"01_a": 5}, "machine": "2 cores"}
    }
    (tmp_path / "docs/figures.json").write_text(json.dumps(before))
    (tmp_path / "report.json").write_text(
        json.dumps({"test_top1": None, "clusters": {"people": 4}, "seconds": {"embed": None}})
    )
    (tmp_path / "seconds.json").write_text(json.dumps({"09_b": 7}))
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    figures.add("lfw", tmp_path)
    assert json.loads((tmp_path / "docs/figures.json").read_text())["lfw"] == {
        "test_top1": 0.99,
        "machine": "2 cores",
        "clusters": {"people": 4},
        "seconds": {"embed": 9},
        "notebooks": {"01_a": 5, "09_b": 7},
    }
