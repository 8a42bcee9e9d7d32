"""Run the six notebooks in order, as `make run` does, and keep what they show."""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from tqdm import tqdm

from facecourse.report import load_report, record
from facecourse.settings import ROOT, outputs_for

NOTEBOOKS = (
    "01_assemble_dataset",
    "02_detect_faces",
    "03_finetune",
    "04_evaluate",
    "05_deploy_lambda",
    "06_try_it",
)
CELL_TIMEOUT = 3600


def run_notebook(name: str, folder: Path) -> float:
    """Execute one notebook of the course and save it as .ipynb and .html.

    Parameters
    ----------
    name : str
        File name in notebooks/, without its ending.
    folder : Path
        Where the executed copies go; what ran before an error is saved too.

    Returns
    -------
    float
        Wall time in seconds.

    Raises
    ------
    CellExecutionError
        If a cell fails.
    """
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    start = time.perf_counter()
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=cells, desc=name, unit="cell", file=sys.stdout, mininterval=1) as bar:
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT,
            kernel_name="python3",
            resources={"metadata": {"path": str(ROOT / "notebooks")}},
            on_cell_executed=lambda **_: bar.update(),
            store_widget_state=False,  # an uploaded photo must not end up in a saved notebook
        )
        try:
            client.execute()
        finally:
            _save(notebook, name, folder)
    return time.perf_counter() - start


def _save(notebook: nbformat.NotebookNode, name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
    (folder / f"{name}.html").write_text(page, encoding="utf-8")


def run_course(profile: str) -> int:
    """Run all notebooks on `profile`; print the report; return 0, or 1 if a notebook failed."""
    folder = outputs_for(profile) / "notebooks"
    for name in ("PEOPLE", "FACECOURSE_MIRROR"):  # the notebooks run in another folder
        if (value := os.environ.get(name)) and "://" not in value:
            os.environ[name] = str(Path(value).resolve())
    start = time.perf_counter()
    times = {}
    for name in NOTEBOOKS:
        try:
            times[name] = run_notebook(name, folder)
        except CellExecutionError as error:
            print(f"\n{name} failed; as far as it came: {(folder / name).relative_to(ROOT)}.html\n\n{error}")
            return 1
    record(profile, seconds={"total": round(time.perf_counter() - start, 1)})
    _print_summary(profile, times, folder)
    return 0


def _print_summary(profile: str, times: dict[str, float], folder: Path) -> None:
    print()
    for name, seconds in times.items():
        print(f"{name:24s} {seconds:7.1f} s")
    for name, value in load_report(profile).items():
        print(f"{name:24s} {value}")
    print(f"\nRead them: {os.path.relpath(folder)}/*.html; try it: make lab, then 06_try_it")


if __name__ == "__main__":
    sys.exit(run_course(os.environ.get("PROFILE") or "sample"))
