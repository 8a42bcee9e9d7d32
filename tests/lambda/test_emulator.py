"""The function's zip under AWS's own runtime client and runtime interface emulator, beside the notebook's pipeline.

The local cloud answers the same photo in test_cloud.py.
"""

import base64
import json
import os
import socket
import subprocess
import time
import zipfile

import pytest
import requests
from aws_tools import emulator, tool_venv
from examples import FORM, form

from facecourse.core.paths import DATA, PEOPLE_DIR
from facecourse.deployment import package
from lambda_function.pipeline import open_photo

INVOKE = "/2015-03-31/functions/function/invocations"
PHOTOS = [*sorted((DATA / "group").glob("*.jpg")), *sorted(PEOPLE_DIR.glob("*/*_0002.jpg"))[:4]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def invoke(bundle, tmp_path_factory):
    """Call it with an event to get what Lambda would answer."""
    program, python = emulator(), tool_venv() / "bin" / "python"
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package.build_package()) as archive:
        archive.extractall(folder)
    port, api = free_port(), free_port()
    command = [program, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{api}", python, "-m", "awslambdaric"]
    environment = {
        "PATH": os.environ["PATH"],
        "MODEL_BUNDLE": str(bundle.resolve()),
        "PYTHONPATH": str(folder),
    }
    log = folder.parent / "emulator.log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            [*command, "lambda_function.app.handler"], cwd=folder, env=environment, stdout=file, stderr=file
        )

    def call(event: object) -> dict:
        deadline = time.monotonic() + 60
        while True:
            try:
                return requests.post(f"http://127.0.0.1:{port}{INVOKE}", json=event, timeout=60).json()
            except requests.ConnectionError:
                assert process.poll() is None and time.monotonic() < deadline, "the emulator does not answer"
                time.sleep(0.1)

    call.log = log
    yield call
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_the_same_boxes_and_names_as_in_the_notebook(invoke, function, new_event, path):
    answer = invoke(new_event("POST", "/recognize", path.read_bytes(), content_type="image/jpeg"))
    here = function.store.get().recognise(open_photo(path))
    there = json.loads(answer["body"])["faces"]
    assert answer["statusCode"] == 200 and len(here) >= 1
    for one, other in zip(there, here, strict=True):
        assert one["name"] == other["name"]
        assert one["box"] == pytest.approx(other["box"], abs=0.05)
        if one["name"] != "unknown":
            assert one["confidence"] == pytest.approx(other["confidence"], abs=0.0051)


def test_forms_pages_and_refusals_come_through(invoke, new_event, photo):
    aligned = invoke(new_event("POST", "/align", form(photo), content_type=FORM, accept="image/jpeg"))
    assert aligned["isBase64Encoded"] and base64.b64decode(aligned["body"])[:3] == b"\xff\xd8\xff"
    assert "<canvas" in invoke(new_event("GET", "/"))["body"]
    assert [invoke(event)["statusCode"] for event in ({}, [], "x")] == [400] * 3
    assert invoke(new_event("POST", "/recognize", photo[:99], content_type="image/jpeg"))["statusCode"] == 400


def test_the_log_has_one_line_of_json_per_request_with_lambdas_id(invoke, new_event):
    invoke(new_event("GET", "/health"))
    lines = [json.loads(line) for line in invoke.log.read_text().splitlines() if line.startswith('{"time"')]
    last = [line for line in lines if line.get("event") == "request"][-1]
    assert last["route"] == "/health" and last["status"] == 200 and len(last["request_id"]) == 36
    assert [line["event"] for line in lines].count("model_loaded") == 1
