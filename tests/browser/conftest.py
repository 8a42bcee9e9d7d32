"""One JupyterLab and one Chromium for all browser tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from facecourse.core.paths import DATA, OUTPUTS
from tests.browser.lab import Lab, copy_project, find_chromium, sample_environment

NEEDED = ("01_assemble_dataset", "03_finetune", "04_evaluate", "05_deploy_lambda")
CAMERA_SEES = DATA / "people" / "Ada_Ferro" / "Ada_Ferro_0014.jpg"
PICTURES = OUTPUTS / "screenshots"


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium, whose camera shows one person of the sample and is handed out without asking."""
    playwright_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not here: pip install -r requirements.txt"
    )
    with playwright_api.sync_playwright() as playwright:
        if (path := find_chromium(playwright)) is None:
            pytest.skip(
                "there is no Chromium: apt-get install chromium, or .venv/bin/python -m playwright install chromium"
            )
        film = tmp_path_factory.mktemp("camera") / "film.mjpeg"
        film.write_bytes(CAMERA_SEES.read_bytes() * 30)
        camera = ("use-fake-device-for-media-stream", "use-fake-ui-for-media-stream")
        args = [
            "--no-sandbox",
            *(f"--{name}" for name in camera),
            f"--use-file-for-fake-video-capture={film}",
        ]
        running = playwright.chromium.launch(executable_path=path, args=args)
        yield running
        running.close()


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A copy of the project that tests may change."""
    return copy_project(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def lab(browser, project, tmp_path_factory):
    running = Lab(project, tmp_path_factory.mktemp("jupyter"))
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def model(project) -> Path:
    """The model bundle in the copy: from notebooks that ran before, else built there now by 01, 03, 04 and 05."""
    bundle = project / "outputs" / "sample" / "model"
    for name in () if (bundle / "model.json").exists() else NEEDED:
        code = f"from facecourse.run.course import run_notebook, outputs_for; run_notebook({name!r}, outputs_for('sample'))"
        subprocess.run([sys.executable, "-c", code], cwd=project, env=sample_environment(), check=True)
    return bundle


@pytest.fixture
def page(browser, lab):
    opened = browser.new_page(viewport={"width": 1300, "height": 1000})
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()
    lab.stop_kernels()


@pytest.fixture
def photograph(page):
    """Call it with a name to keep a picture of the page, or of one part of it, in outputs/screenshots."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}.png")

    return take
