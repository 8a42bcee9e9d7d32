"""What the function's tests share: a model bundle, the function on it, and a look into its log."""

import io
import json
import logging
import threading
from pathlib import Path

import aws_tools
import examples
import numpy as np
import pytest
from examples import ASK_KEY, MANAGE_KEY

from facecourse.core.paths import PEOPLE_DIR
from lambda_function import people
from lambda_function.app import Application
from lambda_function.logs import LOGGER
from lambda_function.settings import Settings
from tests.sample_bundle import build_sample_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    """A model bundle of the sample, with its zip beside it."""
    return build_sample_bundle(tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="session")
def function(bundle) -> Application:
    """The function with the sample's model, loaded, and two keys."""
    application = Application(Settings(model_bundle=str(bundle), face_keys=f"{ASK_KEY} {MANAGE_KEY}"))
    application.store.get()
    return application


@pytest.fixture
def log_lines(monkeypatch):
    """Call it to get what has been logged, line by line."""
    written = io.StringIO()
    monkeypatch.setattr(LOGGER.handlers[0], "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture(scope="module")
def quiet():
    """Thousands of requests, and nobody who reads their log lines."""
    LOGGER.setLevel(logging.CRITICAL)
    yield
    LOGGER.setLevel(logging.INFO)


@pytest.fixture
def quick_faces(function, monkeypatch):
    """A vector for each enrolment without a network: what is tried is the writing."""
    size, rng, lock = function.store.get().embedder.dimension, np.random.default_rng(0), threading.Lock()

    def rows(*_) -> np.ndarray:
        with lock:
            row = rng.normal(size=(1, size)).astype(np.float32)
        return row / np.linalg.norm(row)

    monkeypatch.setattr(people, "embeddings_of", rows)


@pytest.fixture(scope="session")
def new_event():
    return examples.event


@pytest.fixture(scope="session")
def photo() -> bytes:
    return (PEOPLE_DIR / "Ada_Ferro" / "Ada_Ferro_0001.jpg").read_bytes()


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window, or a skip that says why."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from tests.browser.lab import find_chromium

    with playwright.sync_playwright() as running:
        program = find_chromium(running)
        if program is None:
            pytest.skip("Chromium is not installed")
        # The second and third switch give the page a camera that shows a test picture.
        switches = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        chromium = running.chromium.launch(executable_path=program, args=switches)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tool_venv() -> Path:
    """The environment with AWS's own tools: bin/sam, bin/cfn-lint, bin/python with awslambdaric."""
    return aws_tools.tool_venv()
