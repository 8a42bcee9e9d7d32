"""Colab's promise: the set-up cell fetches the course in one step, touches nothing that is there, and all runs at once."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement

from facecourse.core.colab import package_name
from facecourse.core.paths import OUTPUTS
from tests.conftest import ROOT, copy_files

# What Colab brings, in our versions: none of it may be installed or changed.
BROUGHT = (
    "pip torch torchvision numpy pandas pyarrow pillow scikit-learn scipy h5py matplotlib requests tqdm psutil ipython"
    " jupyter_client comm debugpy matplotlib-inline pyzmq tornado nbformat nbclient nbconvert"
)
# The same in Colab's versions; without what they ask for, which is a whole Jupyter server.
OLDER = (
    "ipywidgets==7.7.1 widgetsnbextension==3.6.10 jupyterlab-widgets==1.1.11 ipykernel==6.17.1 ipython_genutils==0.2.0"
    " nest-asyncio==1.6.0"
)
CHOOSER = """
import os, pathlib
def upload():
    path = pathlib.Path(os.environ["CHOSEN"])
    return {path.name: path.read_bytes()}
"""
VERSIONS = """
import json
from importlib import metadata
print(json.dumps({d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()}))
"""
# What a click on the button of notebook 06 sends under ipywidgets 7, and what is then on the page.
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
print("results", len(page.results), page.current.names(session.threshold))
print("chosen", [name for name, _ in utils.upload_in_colab()])
utils.upload_people("people", "Ada Ferro")  # notebook 01's cell
"""


def with_all_they_need(names: list[str]) -> dict[str, metadata.Distribution]:
    """Return the installed distributions of these names and of everything they ask for, by normalised name."""
    found, extras, waiting = {}, {}, [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = package_name(wanted.name)
        new = {"", *wanted.extras} - extras.setdefault(name, set())
        try:
            found[name] = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            continue
        extras[name] |= new
        for asked in map(Requirement, found[name].requires or []):
            if new and (not asked.marker or any(asked.marker.evaluate({"extra": extra}) for extra in new)):
                waiting.append(asked)
    return found


def give(distribution: metadata.Distribution, site: Path) -> None:
    """Put an installed distribution into another environment too, as hard links where the disk allows."""
    for file in distribution.files or []:
        source, target = Path(distribution.locate_file(file)), site / file
        program = ".." in file.parts and file.parent.name == "bin"  # these name their own Python
        if program or "__pycache__" in file.parts or not source.exists() or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)


class Machine:
    """Like Colab's: a Python with Colab's packages and google.colab, the course's repository, an empty /content."""

    def __init__(self, folder: Path):
        self.content, self.clone = folder / "content", folder / "content" / "facecourse"
        self.python, repository = folder / "machine" / "bin" / "python", folder / "repository"
        self.content.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "machine")], check=True)
        ours = ("PROFILE", "PEOPLE", "BACKBONE", "PHOTOS", "PYTHONPATH", "VIRTUAL_ENV")
        kept = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("FACECOURSE_")}
        address = re.search(r'^repository = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
        self.environment = kept | {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "CHOSEN": str(ROOT / "data/people/Ada_Ferro/Ada_Ferro_0014.jpg"),
            "GIT_CONFIG_COUNT": "1",  # the course's address leads to the working tree
            "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": address,
        }
        site = Path(self.run("-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"))
        for distribution in with_all_they_need(BROUGHT.split()).values():
            give(distribution, site)
        (site / "google/colab").mkdir(parents=True)
        (site / "google/colab/__init__.py").touch()
        (site / "google/colab/files.py").write_text(CHOOSER)
        (site / "google_colab.pth").write_text("import google.colab\n")  # a kernel of Colab's has it loaded
        self.run("-m", "pip", "install", "--quiet", "--no-deps", *OLDER.split())
        self._commit(repository)

    def _commit(self, repository: Path) -> None:
        """Make a repository of the working tree."""
        copy_files(repository)
        author = ("-c", "user.name=reader", "-c", "user.email=reader@example.org")
        author += (
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=/dev/null",
        )  # whatever git is set to here
        for command in (["init", "--quiet"], ["add", "--all"], [*author, "commit", "--quiet", "-m", "Copy"]):
            subprocess.run(["git", *command], cwd=repository, check=True)

    def run(self, *arguments: str) -> str:
        """Run this machine's Python in /content; return what it printed.

        Raises
        ------
        RuntimeError
            If it fails.
        """
        command = [self.python, *arguments]
        done = subprocess.run(command, cwd=self.content, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        return done.stdout.strip()

    def execute(self, name: str, more: str = "") -> str:
        """Run a notebook of the clone in /content, then one cell `more`; return all it printed."""
        notebook = nbformat.read(self.clone / "notebooks" / f"{name}.ipynb", as_version=4)
        if more:
            notebook.cells.append(nbformat.v4.new_code_cell(more))
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        manager = AsyncKernelManager(kernel_name="colab")
        manager._kernel_spec = KernelSpec(argv=argv, display_name="Colab", language="python")
        resources = {"metadata": {"path": str(self.content)}}
        client = NotebookClient(notebook, km=manager, timeout=600, startup_timeout=180, resources=resources)
        client.execute(env=self.environment)
        outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
        return "".join(output.get("text", "") for output in outputs)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine on which the set-up cell has run: `before` and `after` are its packages' versions."""
    if sys.version_info < (3, 11):
        pytest.skip("Colab's Python is newer")
    try:
        machine = Machine(tmp_path_factory.mktemp("colab"))
    except (RuntimeError, OSError) as error:
        pytest.skip(f"an environment like Colab's needs pip's network and git: {error}")
    machine.before = json.loads(machine.run("-c", VERSIONS))
    notebook = nbformat.read(ROOT / "notebooks" / "01_assemble_dataset.ipynb", as_version=4)
    cell = next(c for c in notebook.cells if "setup" in c.metadata.get("tags", []))
    (machine.content / "cell.ipy").write_text(cell.source + "\nprint('utils of', utils.__file__)")
    machine.printed = machine.run("-m", "IPython", "cell.ipy")
    machine.after = json.loads(machine.run("-c", VERSIONS))
    for name in ("downloads", "cache"):  # fetched and cached by hash already
        (ROOT / "data" / name).mkdir(exist_ok=True)
        (machine.clone / "data" / name).symlink_to(ROOT / "data" / name)
    return machine


def test_the_set_up_cell_fetches_the_course_and_installs_only_what_is_missing(machine):
    assert {name: machine.after.get(name) for name in machine.before} == machine.before
    assert {package_name(line) for line in f"{BROUGHT} {OLDER}".split()} <= machine.before.keys()
    assert {"facenet-pytorch", "onnxruntime", "boto3"} <= machine.after.keys() - machine.before.keys()
    assert not {"jupyterlab", "nbval", "playwright"} & machine.after.keys()
    assert Path(machine.printed.rsplit(" ", 1)[1]).resolve() == (machine.clone / "utils.py").resolve()
    assert (machine.clone / "data/people/Ada_Ferro").is_dir()


def test_a_second_notebook_says_what_to_run_first_and_that_works(machine):
    """Of the notebooks that notebook 06's command names, the first runs here; the others need nothing else."""
    with pytest.raises(CellExecutionError) as stopped:
        machine.execute("06_try_it")
    line = r"!(cd .+ && PROFILE=sample python -m facecourse\.run\.course) ([\w ]+)"
    command = re.search(line, str(stopped.value))
    names = command[2].split()
    assert names == ["01_assemble_dataset", "03_finetune", "04_evaluate", "05_deploy_lambda"]
    asked = {"shell": True, "env": machine.environment, "capture_output": True, "text": True}
    done = subprocess.run(f"{command[1]} {names[0]}", **asked)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((machine.clone / "outputs/sample/report.json").read_text())
    assert report["faces_found"] >= 0.95 * report["images"] > 0


def test_notebook_06_takes_photos_under_ipywidgets_7_and_from_colabs_own_chooser(machine):
    if not (OUTPUTS / "sample" / "model").exists():
        pytest.skip("there is no model yet: run the notebooks on the sample (make test-notebooks)")
    shutil.copytree(OUTPUTS / "sample" / "model", machine.clone / "outputs/sample/model", dirs_exist_ok=True)
    printed = machine.execute("06_try_it", UPLOAD_7)
    assert "ipywidgets 7." in printed
    assert "results 2 ['Ada_Ferro']" in printed
    assert "chosen ['Ada_Ferro_0014.jpg']" in printed
    assert (
        "Ada_Ferro: 1 saved" in printed and (machine.content / "people/Ada_Ferro/Ada_Ferro_0001.jpg").exists()
    )
