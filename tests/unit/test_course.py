"""`make run`: what it saves, and what it says when a notebook fails."""

import json
import os
import re

import nbformat
import pytest

from facecourse.core import paths
from facecourse.run import course

PROGRESS = """
from tqdm.auto import tqdm
for _ in tqdm(range(3), desc="Embedding"):
    pass
"""
SECRET = """
import ipywidgets
display(ipywidgets.Text(value="private" * 3))
"""
PICTURE = """
from IPython.display import Image, display
display(Image(data=bytes.fromhex("89504e470d0a1a0a"), format="png"))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A course of two small notebooks, the second of which may fail."""
    monkeypatch.setattr(course, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path / "outputs")
    monkeypatch.setattr(course, "NOTEBOOKS", ("one", "two"))
    for name in ("PROFILE", "PEOPLE", "BACKBONE", "FACECOURSE_MIRROR"):
        monkeypatch.setenv(name, "")
    (tmp_path / "notebooks").mkdir()
    write(tmp_path, "one", PROGRESS, SECRET, "print('first', 40 + 2)")
    write(tmp_path, "two", "print('second')")
    return tmp_path


def write(project, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# A title\n\n## Faces in a row"))
    nbformat.write(notebook, project / "notebooks" / f"{name}.ipynb")


def test_executed_notebooks_pages_and_total_time_are_kept(project):
    assert course.run_course("sample", course.NOTEBOOKS) == 0
    folder = project / "outputs" / "sample"
    names = {"one.ipynb", "one.html", "two.ipynb", "two.html", "report.json", "seconds.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert "first 42" in (folder / "one.html").read_text()
    executed = nbformat.read(folder / "one.ipynb", as_version=4)
    assert [cell.execution_count for cell in executed.cells[1:]] == [1, 2, 3]
    assert executed.cells[1].outputs == []  # a finished progress bar says nothing
    assert "private" * 3 not in (folder / "one.ipynb").read_text() and "widgets" not in executed.metadata
    assert "Interactive widget" in (folder / "one.html").read_text()
    report = json.loads((folder / "report.json").read_text())
    assert "cores" in report["machine"]
    spent = json.loads((folder / "seconds.json").read_text())
    assert report["seconds"]["total"] >= sum(spent.values()) - 0.2 > 0


def test_a_picture_is_described_by_its_cells_first_line_or_by_the_heading_above(project):
    write(project, "one", PICTURE, "# alt: two faces" + PICTURE)
    assert course.run_course("sample", ["one"]) == 0
    cells = nbformat.read(project / "outputs/sample/one.ipynb", as_version=4).cells[1:]
    texts = [cell.outputs[0].metadata["image/png"]["alt"] for cell in cells]
    assert texts == ["Figure: Faces in a row", "two faces"]
    assert re.findall('alt="([^"]*)"', (project / "outputs/sample/one.html").read_text()) == texts


def test_a_failing_notebook_is_named_with_what_to_do(project, capsys):
    write(project, "two", "print('so far')", "raise ValueError('no photo of Ada')", "print('never')")
    assert course.run_course("sample", course.NOTEBOOKS) == 1
    told = capsys.readouterr().err
    assert "notebooks/two.ipynb failed" in told and "ValueError: no photo of Ada" in told
    assert "outputs/sample/two.html" in told and "make lab" in told
    page = (project / "outputs/sample/two.html").read_text()
    assert "so far" in page and "no photo of Ada" in page
    assert json.loads((project / "outputs/sample/report.json").read_text())["seconds"]["total"] is None


def test_a_kernel_that_dies_is_told_apart(project, capsys):
    write(project, "one", "import os; os._exit(9)")
    assert course.run_course("sample", course.NOTEBOOKS) == 1
    told = capsys.readouterr().err
    assert "notebooks/one.ipynb failed" in told and "memory" in told


@pytest.mark.parametrize(
    "profile, name, value, expected",
    [
        ("lwf", "PEOPLE", "", "sample, lfw"),
        ("sample", "PEOPLE", "no/such/folder", "PEOPLE is 'no/such/folder'"),
        ("sample", "BACKBONE", "resnet", "msceleb1m, vggface2, casia-webface"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_runs(
    project, monkeypatch, capsys, profile, name, value, expected
):
    monkeypatch.setenv(name, value)
    assert course.run_course(profile, course.NOTEBOOKS) == 2
    assert expected in capsys.readouterr().err and not (project / "outputs").exists()


def test_a_misspelt_notebook_is_refused_with_the_names_there_are(project, capsys):
    write(project, "one", "1")
    assert course.run_course("sample", ["one", "on"]) == 2
    assert "no notebook 'on'; there are one" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, value, meant",
    [
        ("PEOPLE", "friends", "{}/friends"),
        ("BACKBONE", "my.pt-int8", "{}/my.pt-int8"),
        ("BACKBONE", "msceleb1m-int8", "msceleb1m-int8"),
        ("FACECOURSE_MIRROR", "http://127.0.0.1/mirror", "http://127.0.0.1/mirror"),
    ],
)
def test_relative_paths_hold_in_the_notebooks_folder_too(project, monkeypatch, name, value, meant):
    (project / "friends").mkdir()
    (project / "my.pt").write_bytes(b"weights")
    (project / "msceleb1m").mkdir()  # a folder of that name is not what is meant
    monkeypatch.chdir(project)
    monkeypatch.setenv(name, value)
    course.check_settings("sample")
    assert os.environ[name] == meant.format(project)


def test_kernels_see_the_settings_and_an_empty_profile_is_the_sample(project, monkeypatch):
    (project / "friends").mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("PEOPLE", "friends")
    write(project, "one", "import os; print(os.environ['PROFILE'], os.environ['PEOPLE'])")
    assert course.run_course("sample", ["one"]) == 0
    assert f"sample {project / 'friends'}" in (project / "outputs/sample/one.ipynb").read_text()
