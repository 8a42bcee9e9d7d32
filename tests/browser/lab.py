"""JupyterLab as a reader uses it: open a notebook, run all cells, press what it shows. Works on a copy of the project."""

import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests
from playwright.sync_api import Page

from facecourse.core.paths import OUTPUTS
from facecourse.run.course import SETTINGS
from tests.conftest import ROOT, copy_files

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# All cells are in the page, so that one can look at each; widgets' states are saved, to see what is in them.
LAB_SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings": {"saveState": True},
}


def find_chromium(playwright) -> str | None:
    """Return the path of the system's Chromium, else of Playwright's own, else None."""
    own = playwright.chromium.executable_path
    return next(filter(None, map(shutil.which, (*CHROMIUM, own))), None)


def copy_project(folder: Path) -> Path:
    """Copy the project, so that a test that uploads people or runs notebooks changes nothing in the checkout.

    What is fetched and what is cached by content are links; results of notebooks that have run are taken along.
    """
    copy = folder / "project"
    copy_files(copy)
    for name in ("cache", "downloads"):
        (ROOT / "data" / name).mkdir(exist_ok=True)
        (copy / "data" / name).symlink_to(ROOT / "data" / name)
    if (OUTPUTS / "sample").exists():
        shutil.copytree(OUTPUTS / "sample", copy / "outputs" / "sample")
    return copy


def sample_environment() -> dict[str, str]:
    """Return this process's environment, set to the bundled sample and to the copy's own outputs."""
    return {**{k: v for k, v in os.environ.items() if k not in SETTINGS}, "PROFILE": "sample"}


class Lab:
    """A JupyterLab of its own on a free port, started with the switches of `make lab`."""

    def __init__(self, project: Path, folder: Path):
        self.project, self.token = project, secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        for name, content in LAB_SETTINGS.items():
            path = folder / "settings" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        self.log = folder / "jupyter.log"
        environment = {
            **sample_environment(),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        command = [sys.executable, "-m", "jupyter", "lab", *self.switches()]
        command += ["--no-browser", "--allow-root", f"--IdentityProvider.token={self.token}"]
        command += [f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
        # Should the tests be killed, the server ends by itself.
        command += [
            "--ServerApp.shutdown_no_activity_timeout=600",
            "--MappingKernelManager.cull_idle_timeout=600",
        ]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command, cwd=project, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    @staticmethod
    def switches() -> list[str]:
        """Read from the Makefile what `make lab` starts JupyterLab with."""
        line = re.search(r"-m jupyter lab (.+)", (ROOT / "Makefile").read_text())[1]
        return shlex.split(line.replace("$(AS_ROOT)", ""))

    def wait_until_up(self) -> None:
        """Return when the server answers; raise with its log if it ends or takes longer than a minute."""
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/api/status", headers=self._headers, timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.2)
        raise RuntimeError("JupyterLab did not start:\n" + self.log.read_text()[-3000:])

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    def stop_kernels(self) -> None:
        """End all kernels: the next notebook needs their memory."""
        for session in requests.get(f"{self.url}/api/sessions", headers=self._headers, timeout=10).json():
            requests.delete(f"{self.url}/api/sessions/{session['id']}", headers=self._headers, timeout=30)

    def stop(self) -> None:
        """End the server and its kernels."""
        with contextlib.suppress(requests.RequestException):
            self.stop_kernels()
            requests.post(f"{self.url}/api/shutdown", headers=self._headers, timeout=10)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def open(self, page: Page, name: str, tool: str = "lab") -> None:
        """Open one notebook, as the repository has it, in JupyterLab or "notebook" (7) and wait for its kernel."""
        shutil.copy2(ROOT / "notebooks" / f"{name}.ipynb", self.project / "notebooks")
        # In JupyterLab each notebook gets a workspace of its own.
        place = f"lab/workspaces/{name}/tree" if tool == "lab" else "notebooks"
        page.goto(f"{self.url}/{place}/notebooks/{name}.ipynb?token={self.token}&reset")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
        page.locator(".jp-NotebookPanel .jp-Toolbar-kernelName", has_text="Python 3").first.wait_for(
            timeout=60_000
        )
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first.wait_for(timeout=60_000)

    def run_all(self, page: Page, seconds: int = 300) -> None:
        """Choose Run > Run All Cells and wait until every cell has run or one has failed."""
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(
            """() => {
                const cells = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
                const shown = cells.map(c => c.querySelector('.jp-InputArea-prompt')).filter(p => p);  // not of folded cells
                const prompts = shown.map(p => p.innerText.trim());
                const failed = document.querySelector('[data-mime-type="application/vnd.jupyter.error"]');
                return failed || prompts.every(p => /^\\[\\d+\\]:$/.test(p));
            }""",
            timeout=seconds * 1000,
        )

    def run_until(self, page: Page, selector: str, most: int = 12) -> None:
        """Press Shift+Enter, cell after cell, until `selector` is on the page."""
        page.locator(".jp-Notebook .jp-Cell").first.click(position={"x": 3, "y": 3})
        for _ in range(most):
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(300)
            page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first.wait_for(
                timeout=120_000
            )
            if page.locator(selector).count():
                return
        raise RuntimeError(f"{most} cells were run and {selector} did not appear")

    def save(self, page: Page, name: str) -> dict:
        """Save the notebook with Ctrl+S and return what is on disk then."""
        path = self.project / "notebooks" / f"{name}.ipynb"
        before = path.stat().st_mtime_ns
        page.locator(".jp-Notebook").first.click(position={"x": 3, "y": 3})
        page.keyboard.press("ControlOrMeta+s")
        for _ in range(100):
            page.wait_for_timeout(100)
            if path.stat().st_mtime_ns != before:
                with contextlib.suppress(ValueError):  # half written
                    return json.loads(path.read_text())
        raise RuntimeError(f"{path.name} was not saved")


def choose_files(page: Page, button: str, files: list) -> None:
    """Click a button that opens the file chooser and choose files there, as a reader does."""
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(files)


def errors_of(notebook: dict) -> list[str]:
    """List the failed code cells of a saved notebook, and those that did not run."""
    wrong = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            failed = [o for o in cell["outputs"] if o["output_type"] == "error"]
            wrong += [f"{o['ename']}: {o['evalue']} in\n{source}" for o in failed]
            if cell["execution_count"] is None and source.strip():
                wrong.append(f"did not run:\n{source}")
    return wrong
