"""What every notebook has: goals, time, questions with answers, takeaways, ways on and back, references, alt texts."""

import ast
import json
import re

import pytest

from facecourse.alt_text import describe_cell
from tests.conftest import ROOT

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
OPTIONAL = {"07_scale_out"}  # not part of `make run`
LARGEST = 3_000_000  # bytes
YEAR = re.compile(r"\b(19|20)\d\d\b")

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)


def cells(path, kind):
    found = json.loads(path.read_text())["cells"]
    return [cell | {"text": "".join(cell["source"])} for cell in found if cell["cell_type"] == kind]


def prose(path) -> str:
    return "\n\n".join(cell["text"] for cell in cells(path, "markdown"))


def section(path, pattern: str) -> str:
    """The text from a heading, or a bold word at the start of a paragraph, to the next heading."""
    found = re.search(rf"^(?:#+ |\*\*)(?:{pattern}).*?(?=^#+ |\Z)", prose(path), re.M | re.S | re.I)
    assert found, f"no part of the text begins with {pattern!r}"
    return found[0]


def test_the_course_is_complete():
    assert {name[:2] for name in NAMES} >= {"01", "02", "03", "04", "05", "06"}


@each
def test_first_cell_says_what_one_learns_needs_and_how_long_it_takes(path):
    first = cells(path, "markdown")[0]["text"]
    blob = f"colab.research.google.com/github/facecourse/facecourse/blob/main/notebooks/{path.name}"
    assert blob in first.splitlines()[0]
    for words in ("You learn", "You need", "It takes"):
        assert f"**{words}**" in first, f"the first cell has no **{words}**"
    assert re.search(r"\bcores\b", first) and "GPU" in first, "time on two cores, and on a GPU"
    assert re.search(r"^# \d\. \S", first, re.M)


@each
def test_first_cell_shows_what_will_be_built(path):
    if path.stem not in OPTIONAL:
        first = cells(path, "markdown")[0]["text"]
        assert re.search(r"^!\[[^\]]{20,}\]\(data:image/(png|jpeg);base64,", first, re.M), (
            "no picture: make publish"
        )


@each
def test_questions_have_hidden_answers(path):
    text = section(path, "Check yourself")
    answers = re.findall(r"<details>(.*?)</details>", text, re.S)
    assert 3 <= len(answers) <= 6
    assert all(
        len(re.sub(r"<summary>.*?</summary>", "", answer, flags=re.S).strip()) > 20 for answer in answers
    )
    assert all("<summary>" in answer for answer in answers)


@each
def test_takeaways(path):
    assert len(re.findall(r"^(?:[-*]|\d\.) \S", section(path, "Take"), re.M)) >= 3


@each
def test_ways_on_and_back(path):
    place = NAMES.index(path.stem)
    ways = "\n".join(cell["text"] for cell in cells(path, "markdown")[-4:])
    if place > 0:
        assert f"({NAMES[place - 1]}.ipynb)" in ways, "no way back"
    if place + 1 < len(NAMES) and NAMES[place + 1] not in OPTIONAL:
        assert f"({NAMES[place + 1]}.ipynb)" in ways, "no way on"


@each
def test_references_have_a_year(path):
    text = section(path, "References?")
    assert len(YEAR.findall(text)) >= 1 and len(text) > 80


@each
def test_pictures_in_the_text_have_alternative_texts(path):
    text = prose(path)
    for alt in re.findall(r"!\[([^\]]*)\]\(", text):
        assert len(alt.strip()) >= 8, f"a picture says only {alt!r}"
    for tag in re.findall(r"<img\b[^>]*>", text):
        assert re.search(r'alt="[^"]{8,}"', tag), tag


@each
def test_drawing_cells_have_alternative_texts(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            for kind in output.get("data", {}):
                if kind.startswith("image/"):
                    alt = output["metadata"].get(kind, {}).get("alt", "")
                    assert len(alt) >= 15, f"no alternative text: {cell['text'][:80]}"
        if re.search(r"utils\.(plot|show|draw)_|utils\.figure\(|plt\.", cell["text"]):
            told = describe_cell(cell["text"])
            assert told != "Figure", f"say in a line `# alt: ...` what this shows: {cell['text'][:80]}"


@each
def test_one_cell_of_parameters_and_one_of_set_up(path):
    tags = [tag for cell in cells(path, "code") for tag in cell["metadata"].get("tags", [])]
    assert tags.count("parameters") == 1 and tags.count("setup") == 1
    allowed = {"parameters", "setup", "shows-photos", "exercise"}
    assert set(tags) <= allowed, "tags: " + ", ".join(sorted(allowed))


@each
def test_code_cells_are_short(path):
    for cell in cells(path, "code"):
        if "setup" not in cell["metadata"].get("tags", []):
            lines = [line for line in cell["text"].splitlines() if line.strip() and not line.startswith("#")]
            assert len(lines) <= 30, f"{len(lines)} lines: {cell['text'][:80]}"


@each
def test_nothing_of_a_reader_is_kept(path):
    raw = path.read_text()
    notebook = json.loads(raw)
    assert "widgets" not in notebook["metadata"] and "application/vnd.jupyter.widget-state" not in raw
    assert len(raw.encode()) < LARGEST
    assert not re.search(r"(?<![\w.:/])/(?:home|Users|root|tmp|work|content/drive)/\w", raw), (
        "a place on one machine"
    )
    for cell in notebook["cells"]:
        assert "execution" not in cell["metadata"]
        assert not any(output.get("output_type") == "error" for output in cell.get("outputs", []))


@each
def test_code_cells_are_python(path):
    for cell in cells(path, "code"):
        code = re.sub(r"^\s*[%!].*$", "pass", cell["text"], flags=re.M)
        ast.parse(code)
