"""What the function's tests share: a model bundle, the function on it, and ways to ask it."""

import base64
import json
import logging
from pathlib import Path

import aws_tools
import pytest

from facecourse.core.paths import OUTPUTS, ROOT
from lambda_function.app import Application
from lambda_function.logs import LOGGER
from lambda_function.settings import Settings

PEOPLE = ROOT / "data" / "people"
CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The model bundle of the sample that notebook 05 has built."""
    for outputs in (OUTPUTS, ROOT / "outputs"):
        if (outputs / "sample" / "model" / "model.json").exists():
            return outputs / "sample" / "model"
    pytest.skip(
        "there is no model bundle yet: run notebook 05 on the sample (make run, or make test-notebooks)"
    )


@pytest.fixture(scope="session")
def function(bundle) -> Application:
    """The function with the sample's model, loaded, and no limit on the rate."""
    application = Application(Settings(model_bundle=str(bundle)))
    application.store.get()
    return application


@pytest.fixture
def log_lines(capsys):
    """Call it to get what has been logged since, line by line."""

    def lines() -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]

    return lines


@pytest.fixture(scope="module")
def quiet():
    """Thousands of requests, and nobody who reads their log lines."""
    LOGGER.setLevel(logging.CRITICAL)
    yield
    LOGGER.setLevel(logging.INFO)


def event_of(method: str, path: str, body: bytes | None = None, **headers) -> dict:
    """A Function URL's event."""
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.7"}},
        "body": None if body is None else base64.b64encode(body).decode(),
        "isBase64Encoded": body is not None,
    }


@pytest.fixture(scope="session")
def new_event():
    return event_of


@pytest.fixture(scope="session")
def photo() -> bytes:
    return (PEOPLE / "Ada_Ferro" / "Ada_Ferro_0001.jpg").read_bytes()


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window, or a skip that says why."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((path for path in CHROMIUM if Path(path).exists()), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        # The second and third switch give the page a camera that shows a test picture.
        switches = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        chromium = running.chromium.launch(executable_path=program, args=switches)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tool_venv() -> Path:
    """The environment with AWS's own tools: bin/sam, bin/cfn-lint, bin/python with awslambdaric."""
    return aws_tools.tool_venv()
