"""Colab's promise: the set-up cell fetches the course in one step, touches nothing that is there, and all runs at once."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from facecourse.core.colab import package_name
from facecourse.core.paths import OUTPUTS
from tests.colab.machine import BROUGHT, OLDER, Machine
from tests.conftest import ROOT

VERSIONS = """
import json
from importlib import metadata
print(json.dumps({d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()}))
"""
# What a click on the button of notebook 06 sends under ipywidgets 7, and what then stands on the page.
UPLOAD_7 = """
import ipywidgets
photo = root / "data" / "people" / "Ada_Ferro" / "Ada_Ferro_0013.jpg"
content = photo.read_bytes()
about = {"name": photo.name, "type": "image/jpeg", "size": len(content), "lastModified": 0}
for _ in range(2):  # the same file twice
    button = page.upload.widget.children[0]
    button.set_state({"data": [memoryview(content)], "metadata": [about], "_counter": 1})
    page.wait()
print("ipywidgets", ipywidgets.__version__)
print("results", len(page.results), page.current.names(desk.threshold))
print("chosen", [name for name, _ in utils.upload_in_colab()])
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    try:
        return Machine(tmp_path_factory.mktemp("colab"))
    except (RuntimeError, OSError) as error:
        pytest.skip(f"an environment like Colab's needs pip's network and git: {error}")


@pytest.fixture(scope="module")
def set_up(machine) -> dict:
    """The versions before and after the set-up cell, and what the cell printed."""
    before = json.loads(machine.run(VERSIONS, machine.content.parent))
    notebook = nbformat.read(ROOT / "notebooks" / "01_assemble_dataset.ipynb", as_version=4)
    cell = next(c for c in notebook.cells if "setup" in c.metadata.get("tags", []))
    printed = machine.run(cell.source + "\nprint('utils of', utils.__file__)")
    machine.spare_the_downloads()
    return {"before": before, "after": json.loads(machine.run(VERSIONS)), "printed": printed}


def execute(machine, name: str, more: str = "") -> str:
    """Run a notebook of the clone in /content with Colab's kernel, then one cell `more`; return all it printed."""
    notebook = nbformat.read(machine.content / "facecourse" / "notebooks" / f"{name}.ipynb", as_version=4)
    if more:
        notebook.cells.append(nbformat.v4.new_code_cell(more))
    argv = [str(machine.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager = AsyncKernelManager(kernel_name="colab")
    manager._kernel_spec = KernelSpec(argv=argv, display_name="Colab", language="python")
    resources = {"metadata": {"path": str(machine.content)}}
    client = NotebookClient(notebook, km=manager, timeout=600, startup_timeout=180, resources=resources)
    client.execute(env=machine.environment)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


def test_the_set_up_cell_installs_only_what_is_missing(set_up):
    before, after = set_up["before"], set_up["after"]
    assert {name: after.get(name) for name in before} == before
    for line in (*BROUGHT, *OLDER):
        assert package_name(line) in before, f"the imitation lacks {line}"
    assert {"facenet-pytorch", "onnxruntime", "boto3"} <= set(after) - set(before)
    assert not {"jupyterlab", "nbval", "playwright"} & set(after)


def test_the_course_is_there_in_one_step_without_a_restart(machine, set_up):
    clone = machine.content / "facecourse"
    assert Path(set_up["printed"].rsplit(" ", 1)[1]).resolve() == (clone / "utils.py").resolve()
    assert (clone / "data" / "people" / "Ada_Ferro").is_dir()


def test_a_second_notebook_says_what_to_run_first_and_that_works(machine, set_up):
    """Of the notebooks that notebook 06's command names, 01 and 03 run here; the others need nothing else."""
    with pytest.raises(CellExecutionError) as stopped:
        execute(machine, "06_try_it")
    command = re.search(
        r"!(cd .+ && PROFILE=sample python -m facecourse\.course) ([\w ]+)", str(stopped.value)
    )
    names = command[2].split()
    assert names == ["01_assemble_dataset", "03_finetune", "04_evaluate", "05_deploy_lambda"]
    done = subprocess.run(
        f"{command[1]} {names[0]} {names[1]}",
        shell=True,
        env=machine.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((machine.content / "facecourse/outputs/sample/report.json").read_text())
    assert report["val_top1"] >= 0.9


def test_notebook_06_takes_photos_under_ipywidgets_7_and_from_colabs_own_chooser(machine, set_up):
    clone = machine.content / "facecourse" / "outputs" / "sample" / "model"
    if not clone.exists():
        if not (OUTPUTS / "sample" / "model").exists():
            pytest.skip("there is no model yet: run the notebooks on the sample (make test-notebooks)")
        shutil.copytree(OUTPUTS / "sample" / "model", clone)
    printed = execute(machine, "06_try_it", UPLOAD_7)
    assert "ipywidgets 7." in printed
    assert "results 2 ['Ada_Ferro']" in printed
    assert "chosen ['Ada_Ferro_0014.jpg']" in printed
