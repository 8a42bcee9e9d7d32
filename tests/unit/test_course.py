"""`make run`: what it saves, and what it says when a notebook fails."""

import json

import nbformat
import pytest

from facecourse.core import paths
from facecourse.run import course
from tools import check_machine

PROGRESS = """
from tqdm.auto import tqdm
for _ in tqdm(range(3), desc="Embedding"):
    pass
"""
SECRET = """
import ipywidgets
display(ipywidgets.Text(value="private" * 3))
"""


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A course of three small notebooks, the second of which may fail."""
    monkeypatch.setattr(course, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path / "outputs")
    monkeypatch.setattr(course, "NOTEBOOKS", ("one", "two"))
    for name in ("PEOPLE", "BACKBONE", "FACECOURSE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "notebooks").mkdir()
    write(tmp_path, "one", PROGRESS, SECRET, "print('first', 40 + 2)")
    write(tmp_path, "two", "print('second')")
    return tmp_path


def write(house, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, house / "notebooks" / f"{name}.ipynb")


def test_executed_notebooks_pages_and_total_time_are_kept(house):
    assert course.run_course("sample", course.NOTEBOOKS) == 0
    folder = house / "outputs" / "sample"
    names = {"one.ipynb", "one.html", "two.ipynb", "two.html", "report.json", "seconds.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert "first 42" in (folder / "one.html").read_text()
    executed = nbformat.read(folder / "one.ipynb", as_version=4)
    assert [cell.execution_count for cell in executed.cells] == [1, 2, 3]
    assert executed.cells[0].outputs == []  # a finished progress bar says nothing
    assert "private" * 3 not in (folder / "one.ipynb").read_text() and "widgets" not in executed.metadata
    assert "Here stands a widget" in (folder / "one.html").read_text()
    total = json.loads((folder / "report.json").read_text())["seconds"]["total"]
    assert total >= sum(json.loads((folder / "seconds.json").read_text()).values()) - 0.2 > 0


def test_a_failing_notebook_is_named_with_what_to_do(house, capsys):
    write(house, "two", "print('so far')", "raise ValueError('no photo of Ada')", "print('never')")
    assert course.run_course("sample", course.NOTEBOOKS) == 1
    said = capsys.readouterr().err
    assert "notebooks/two.ipynb failed" in said and "ValueError: no photo of Ada" in said
    assert "outputs/sample/two.html" in said and "make lab" in said
    page = (house / "outputs/sample/two.html").read_text()
    assert "so far" in page and "no photo of Ada" in page
    assert json.loads((house / "outputs/sample/report.json").read_text())["seconds"]["total"] is None


def test_a_kernel_that_dies_is_told_apart(house, capsys):
    write(house, "one", "import os; os._exit(9)")
    assert course.run_course("sample", course.NOTEBOOKS) == 1
    said = capsys.readouterr().err
    assert "notebooks/one.ipynb failed" in said and "memory" in said


@pytest.mark.parametrize(
    "profile, name, value, expected",
    [
        ("lwf", "PEOPLE", "", "sample, lfw"),
        ("sample", "PEOPLE", "no/such/folder", "PEOPLE is 'no/such/folder'"),
        ("sample", "BACKBONE", "resnet", "vggface2, casia-webface, msceleb1m"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_runs(
    house, monkeypatch, capsys, profile, name, value, expected
):
    monkeypatch.setenv(name, value)
    assert course.run_course(profile, course.NOTEBOOKS) == 2
    assert expected in capsys.readouterr().err and not (house / "outputs").exists()


def test_relative_paths_hold_in_the_notebooks_folder_too(house, monkeypatch):
    (house / "friends").mkdir()
    monkeypatch.chdir(house)
    monkeypatch.setenv("PEOPLE", "friends")
    monkeypatch.setenv("FACECOURSE_MIRROR", "http://127.0.0.1/mirror")
    write(house, "one", "import os; print(os.environ['PEOPLE'], os.environ['FACECOURSE_MIRROR'])")
    assert course.run_course("sample", ["one"]) == 0
    assert f"{house / 'friends'} http://127.0.0.1/mirror" in (house / "outputs/sample/one.ipynb").read_text()


def problems(here=100.0, temporary=100.0, same=True, system="Linux", machine="x86_64", bits=64):
    return check_machine.problems(here, temporary, same, system, machine, bits)


def test_a_machine_that_is_fit_has_no_problems():
    assert problems() == [] and problems(system="Darwin", machine="arm64", same=False) == []


@pytest.mark.parametrize(
    "change, word",
    [
        ({"here": 3.0}, "3.0 GB are free on the project's disk"),
        ({"here": 9.0}, "Make room"),
        ({"temporary": 1.0, "same": False}, "TMPDIR"),
        ({"system": "Darwin"}, "Intel"),
        ({"bits": 32}, "64-bit"),
    ],
)
def test_what_would_make_an_installation_fail_is_said_before(change, word):
    (sentence,) = problems(**change)
    assert word in sentence
