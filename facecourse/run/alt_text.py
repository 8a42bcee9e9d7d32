"""Alternative texts for the pictures in executed notebooks, from what drew them."""

import ast
from functools import cache

from facecourse.core.paths import ROOT

PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}


@cache
def docstrings() -> dict[str, str]:
    """Return the docstring of every helper by its name, read from the sources: importing them would bring torch."""
    found = {}
    for path in sorted(ROOT.glob("facecourse/*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found[node.name] = ast.get_docstring(node) or ""
    return found


def describe_cell(source: str) -> str:
    """Say what a cell's picture shows: its `# alt:` comment, else what the plotting helper says of itself.

    Parameters
    ----------
    source : str
        Source of a code cell.

    Returns
    -------
    str
        One sentence or several; "Figure" if nothing is known.
    """
    for line in source.splitlines():
        if line.strip().startswith("# alt:"):
            return line.partition("# alt:")[2].strip()
    sentences = []
    for name in _called_helpers(source):
        if name.startswith(("plot", "show", "draw", "Live")) and name in docstrings():
            first = docstrings()[name].split("\n\n")[0].replace("\n", " ")
            sentences.append(first.partition("; returns")[0].replace("`", "").rstrip(".") + ".")
    return " ".join(dict.fromkeys(sentences)) or "Figure"


def _called_helpers(source: str) -> list[str]:
    """Names of the helpers `utils.name` that a cell calls, in their order; cells with magics give none."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [
        (call.lineno, call.col_offset, call.attr)
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "utils"
    ]
    return [name for *_, name in sorted(names)]


def add_alt_texts(notebook) -> None:
    """Give every picture among the outputs of a notebook (NotebookNode) its alternative text, in place."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in PICTURES & set(output.get("data", {})):
                output.setdefault("metadata", {})[kind] = {"alt": describe_cell(cell.source)}
