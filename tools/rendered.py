"""Run the notebooks on rendered people only, and go on past cells that miss the celebrities' photos.

`make publish` calls this in a copy of the project where the folder of the celebrities is empty. What matters of
this run are the pictures of cells tagged `shows-photos`; a cell that fails here has none.
"""

import sys

import nbformat

from facecourse.core.paths import ROOT, outputs_for
from facecourse.run.execution import execute

GO_ON = "raises-exception"


def main(names: list[str]) -> None:
    """Execute `names` on profile sample and write them to its outputs."""
    for name in names:
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            cell.metadata.setdefault("tags", []).append(GO_ON)
        execute(notebook, name, ROOT / "notebooks")
        nbformat.write(notebook, outputs_for("sample") / f"{name}.ipynb")
        failed = [n + 1 for n, cell in enumerate(notebook.cells) if _failed(cell)]
        if failed:
            print(f"{name}: cells {failed} want photos of real people, and have no picture here")


def _failed(cell) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


if __name__ == "__main__":
    main(sys.argv[1:])
