"""Execute a notebook with progress that can be seen from outside, and keep a copy without anything private."""

import html
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from tqdm import tqdm

from facecourse.core.paths import ROOT

CELL_TIMEOUT = 3600  # seconds
STARTUP_TIMEOUT = 180  # a busy machine with a slow disk needs more than the usual minute
VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET = "*Interactive widget: run the notebook to use it.*"
PROGRESS = re.compile(r"\d+%\|.*\||\d+it \[")  # how tqdm writes a bar as text
PAGE = """{% extends 'lab/index.html.j2' %}{% block data_png scoped %}
{{- super() | replace('<img ', '<img alt="%s" ' | format(output.metadata['image/png'].alt | e)) -}}
{% endblock %}"""  # nbconvert's own template leaves alternative texts out
COUNT = re.compile(r"\d[\d.]*\w?/\d[\d.]*\w?\s\[[^\]]*\]")  # what tqdm writes at a bar's right end


class _Client(NotebookClient):
    """Shows, beside the number of cells, how far a long cell's own bar has come."""

    def __init__(self, notebook: nbformat.NotebookNode, bar: tqdm, **options):
        super().__init__(notebook, **options)
        self._bar, self._shown = bar, 0.0

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        state = (content.get("data") or {}).get("state") if msg["msg_type"].startswith("comm") else None
        text = state.get("value") if isinstance(state, dict) else content.get("text")
        every = 1 if sys.stdout.isatty() else 30  # seconds; a log need not have a line for each
        counts = COUNT.findall(html.unescape(text)) if isinstance(text, str) else []
        if counts and time.monotonic() - self._shown > every:
            self._shown = time.monotonic()
            self._bar.set_postfix_str(counts[-1])
        return super().process_message(msg, cell, cell_index)


def execute(notebook: nbformat.NotebookNode, name: str, folder: Path) -> None:
    """Run all cells of a notebook in place and in `folder`, with a bar called `name` that repeats the bars within.

    Raises nbclient's CellExecutionError or CellTimeoutError, or RuntimeError if the kernel dies or does not start;
    the outputs so far are filled in.
    """
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in codes:
        cell.outputs, cell.execution_count = [], None
    with tqdm(total=len(codes), desc=name, unit="cell", file=sys.stdout, mininterval=1) as bar:

        def done(**_) -> None:
            bar.set_postfix_str("", refresh=False)
            bar.update()

        _Client(
            notebook,
            bar,
            timeout=CELL_TIMEOUT,
            startup_timeout=STARTUP_TIMEOUT,
            kernel_name="python3",
            extra_arguments=["--IPKernelApp.log_level=ERROR"],  # a warning about other users of this machine
            resources={"metadata": {"path": str(folder)}},
            on_cell_executed=done,
            coalesce_streams=True,
            store_widget_state=False,  # an uploaded photo must not end up in a saved notebook
        ).execute()


def save(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write an executed notebook as `path`.ipynb and `path`.html: no widget state, no finished progress bars.

    Every picture gets an alternative text: the cell's first line where that is a comment "# alt: ...", else the
    heading that the cell stands under.
    """
    notebook.metadata.pop("widgets", None)
    heading = path.stem
    for cell in notebook.cells:
        if cell.cell_type != "code":
            heading = (re.findall(r"^#+ (.+)$", cell.source, re.M) or [heading])[-1]
            continue
        cell.outputs = [output for output in map(_readable, cell.outputs) if output is not None]
        first = cell.source.partition("\n")[0]
        text = first.removeprefix("# alt:").strip() if first.startswith("# alt:") else f"Figure: {heading}"
        for output in cell.outputs:
            for kind in output.get("data", {}):
                if kind.startswith("image/"):
                    output.metadata[kind] = {"alt": text}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path.with_suffix(".ipynb"))
    where = {"metadata": {"path": str(ROOT / "notebooks")}}  # pictures that the texts name lie beside it
    page, _ = HTMLExporter(raw_template=PAGE, embed_images=True).from_notebook_node(notebook, where)
    path.with_suffix(".html").write_text(page, encoding="utf-8")


def _readable(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Leave finished progress bars out; put a sentence where a widget has no state to be drawn from."""
    data = output.get("data", {})
    text = output.get("text") or data.get("text/plain", "")
    if PROGRESS.search(text) and (VIEW in data or output.get("name") == "stderr"):
        return None
    if VIEW not in data:
        return output
    return nbformat.v4.new_output("display_data", {"text/markdown": WIDGET, "text/plain": WIDGET.strip("*")})
