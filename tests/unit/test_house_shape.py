"""How the rooms lie above each other, drawn; and that nothing is built twice."""

import ast
from collections import defaultdict

import pytest

from tests.conftest import ROOT
from tests.unit.test_house import CODE
from tools import draw_layers


def test_rooms_stand_on_lower_floors_only_and_are_drawn():
    floors = draw_layers.floors(draw_layers.graph())
    drawing = draw_layers.as_svg(floors)
    place = ROOT / "outputs" / "layers.svg"
    place.parent.mkdir(exist_ok=True)
    place.write_text(drawing)
    level = {room: number for number, floor in enumerate(floors) for room in floor}
    for room, needed in draw_layers.graph().items():
        assert all(level[other] < level[room] for other in needed), room
    assert level["lambda_function"] == 0 and len(floors) >= 4


def test_a_circle_is_found():
    with pytest.raises(ValueError, match="circle: a, b"):
        draw_layers.floors({"a": {"b"}, "b": {"a"}, "c": set()})


def bodies(source: str):
    """Every function of a file: its name and its body without docstring, names of arguments left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body
            if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                body = body[1:]
            names = {
                arg.arg: f"a{i}" for i, arg in enumerate(ast.walk(node.args)) if isinstance(arg, ast.arg)
            }
            text = "\n".join(ast.dump(_Renamed(names).visit(statement)) for statement in body)
            if sum(1 for statement in body for _ in ast.walk(statement)) >= 25:
                yield node.name, text


class _Renamed(ast.NodeTransformer):
    def __init__(self, names):
        self.names = names

    def visit_Name(self, node):
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


def duplicates(sources: dict[str, str]) -> list[list[str]]:
    places = defaultdict(list)
    for file, source in sources.items():
        for name, text in bodies(source):
            places[text].append(f"{file}:{name}")
    return [found for found in places.values() if len(found) > 1]


def test_a_helper_built_twice_is_found():
    one = "def f(x, y):\n    '''Doc.'''\n    total = x + y * 2\n    return [total for _ in range(x) if y > 3 and x]\n"
    two = one.replace("f(x, y)", "g(u, v)").replace("x", "u").replace("y", "v").replace("Doc", "Other")
    assert duplicates({"a.py": one, "b.py": two}) == [["a.py:f", "b.py:g"]]
    assert duplicates({"a.py": one, "b.py": two.replace("3", "4")}) == []


def test_no_helper_is_built_twice():
    files = [*CODE, *ROOT.glob("tools/*.py")]  # tests may each bring their own, so that each reads alone
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in files}
    assert duplicates(sources) == []
