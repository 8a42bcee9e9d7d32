"""The house's rules, as tests: one subject per file, imports one way, no place that only one machine has."""

import ast
import inspect
import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

CODE = sorted([*ROOT.glob("facecourse/*.py"), *ROOT.glob("lambda_function/*.py"), ROOT / "utils.py"])
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))

# A room may import from lower floors, and from its own floor as long as there is no circle.
FLOORS = [
    {"lambda_function"},
    {"settings", "files", "cache", "report", "archives", "downloads", "colab", "plotting"},
    {"sources"},
    {"keras_weights", "mtcnn_export", "backbone_export", "backbones"},
    {"detection", "quantisation", "recognition"},
]


def tracked_files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is not a git checkout, so there is no list of the project's files")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def imported_rooms(path):
    """The rooms of the house that one file imports."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, room = node.module.partition(".")
            if package == "lambda_function":
                rooms.add("lambda_function")
            elif package == "facecourse":
                rooms.update([room] if room else [name.name for name in node.names])
            elif package in ("utils", "tests"):
                rooms.add(package)
    return rooms


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400, "split it by subject"


def test_imports_have_no_circles():
    graph = {
        path.stem: imported_rooms(path) & {p.stem for p in CODE} for path in ROOT.glob("facecourse/*.py")
    }
    standing = set()
    while ready := {room for room in graph if room not in standing and graph[room] <= standing}:
        standing |= ready
    assert set(graph) == standing, f"these import each other: {sorted(set(graph) - standing)}"


def test_lower_floors_import_nothing_from_above():
    for number, floor in enumerate(FLOORS):
        allowed = set().union(*FLOORS[: number + 1])
        for path in ROOT.glob("facecourse/*.py"):
            if path.stem in floor:
                assert imported_rooms(path) <= allowed, path.name


def test_the_deployed_code_needs_no_torch():
    for path in ROOT.glob("lambda_function/*.py"):
        text = path.read_text()
        assert not re.search(r"^\s*(import|from) (torch|facenet_pytorch|facecourse|utils)\b", text, re.M), (
            path.name
        )


def test_only_utils_is_imported_by_notebooks():
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code" and "setup" not in cell["metadata"].get("tags", []):
                source = "".join(cell["source"])
                assert not re.search(r"^\s*(from|import) (facecourse|lambda_function)\b", source, re.M), (
                    path.name
                )


def test_everything_public_in_the_index_is_documented():
    import utils

    missing = [
        name
        for name in dir(utils)
        if callable(thing := getattr(utils, name)) and not (inspect.getdoc(thing) or "").strip()
    ]
    assert not missing


def test_the_index_has_all_that_the_notebooks_ask_it_for():
    import utils

    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        asked = set(re.findall(r"\butils\.(\w+)", code))
        assert asked and not {name for name in asked if not hasattr(utils, name)}, path.name


@pytest.mark.parametrize("name", ["01_assemble_dataset", "02_detect_faces", "05_deploy_lambda", "06_try_it"])
def test_a_notebook_that_trains_nothing_starts_without_torch(name):
    """All that it asks the index for is imported; torch would be five seconds more before its first cell ends."""
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    asked = set(re.findall(r"\butils\.(\w+)", "\n".join("".join(cell["source"]) for cell in cells)))
    program = (
        f"import sys, utils; [getattr(utils, n) for n in {sorted(asked)}]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_every_room_can_be_found_from_the_index():
    text = (ROOT / "utils.py").read_text()
    commands = {"__init__", "course", "prepare", "colab"}  # run by make and by the set-up cell
    reached, todo = set(), {room for room in re.findall(r"facecourse\.(\w+)", text)} | commands - {"__init__"}
    while todo:
        room = todo.pop()
        reached.add(room)
        todo |= {
            r
            for r in imported_rooms(ROOT / "facecourse" / f"{room}.py")
            if (ROOT / f"facecourse/{r}.py").exists()
        }
        todo -= reached
    assert {path.stem for path in ROOT.glob("facecourse/*.py")} - commands <= reached


def test_nothing_names_a_place_on_one_machine():
    places = re.compile(
        r"(/home/\w+/|/root/|/Users/\w+/|/tmp/w/|/work/|files\.pythonhosted|pypi\.org/simple)"
    )
    for path in tracked_files():
        if path.suffix in {
            ".py",
            ".md",
            ".ipynb",
            ".yml",
            ".yaml",
            ".toml",
            ".json",
            ".txt",
            ".html",
            ".cff",
            "",
        }:
            if path == ROOT / "tests/unit/test_house.py":
                continue
            found = places.search(path.read_text(errors="ignore"))
            assert not found, f"{path.relative_to(ROOT)} names {found[0]}"


def package_names(lines):
    return {
        re.split(r"[=<>;!~ \[]", line.strip())[0].lower().replace("_", "-") for line in lines if line.strip()
    }


def test_environment_and_requirements_describe_the_same_set():
    lines = [line.split("#")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()]
    pinned = package_names(lines)
    text = (ROOT / "environment.yml").read_text().split("dependencies:")[1]
    listed = re.findall(r"^\s*- ([\w-]+)", text, re.M)
    conda = {"torch" if name == "pytorch" else name.lower() for name in listed} - {"python", "pip"}
    assert conda == pinned
    reasons = re.findall(r"^\s*- [\w-]+[=.*\d]*(?:==[\d.]+)?\s+# .{10,}", text, re.M)
    assert len(reasons) == len(pinned), "each dependency says why it is there"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_begin_the_same_way(path):
    notebook = json.loads(path.read_text())
    first, setup, parameters = notebook["cells"][:3]
    badge = f"https://colab.research.google.com/github/facecourse/facecourse/blob/main/notebooks/{path.name}"
    assert badge in "".join(first["source"])
    assert "setup" in setup["metadata"]["tags"] and "parameters" in parameters["metadata"]["tags"]
    reference = json.loads(NOTEBOOKS[0].read_text())["cells"][1]["source"]
    assert "".join(setup["source"]) == "".join(reference)
    assert "PROFILE" in "".join(parameters["source"])
    assert "widgets" not in notebook["metadata"]


def links_of(path):
    text = path.read_text()
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.findall(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)", text)


@pytest.mark.parametrize(
    "path",
    [
        *NOTEBOOKS,
        *(path for path in tracked_files() if path.suffix == ".md"),
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_relative_links_lead_somewhere(path):
    dead = []
    for link in links_of(path):
        if not re.match(r"(https?:|mailto:|#|attachment:|data:)", link):
            target = (path.parent / link.split("#")[0]).resolve()
            if not target.exists():
                dead.append(link)
    assert not dead
