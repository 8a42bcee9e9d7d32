"""The description of the API: valid, complete, and true of what comes back."""

import json
import os
import subprocess

from examples import ASK_KEY, MANAGE, MANAGE_KEY

from facecourse.deployment.local_function import LocalFunction
from facecourse.deployment.package import FUNCTION
from lambda_function.app import ROUTES, Application
from lambda_function.settings import Settings

SPECIFICATION = FUNCTION / "web" / "openapi.json"
PAGES = {"/", "/page.css", "/page.js", "/openapi.json"}
LONG = "FUZZ_REQUESTS" in os.environ
EXAMPLES, PHASES = (100, "examples,coverage,fuzzing") if LONG else (4, "fuzzing")  # for each operation


def test_it_names_every_route_with_its_scope_and_no_other():
    paths = json.loads(SPECIFICATION.read_text())["paths"]
    methods = {"get", "put", "post", "delete"}
    told = {
        (m.upper(), path): v["security"]
        for path, item in paths.items()
        for m, v in item.items()
        if m in methods
    }
    old = {"/recognize", "/align"}  # from before there was a v1
    there = {(r.method, r.path): r.scope for r in ROUTES if r.path not in PAGES | old}
    assert told.keys() == there.keys()
    for route, security in told.items():
        assert ({} not in security) == (there[route] == "manage"), route


def test_the_validator_has_nothing_to_say(tool_venv):
    program = [tool_venv / "bin" / "openapi-spec-validator", SPECIFICATION]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_client_made_from_it_gets_what_it_promises(tool_venv, function, bundle, tmp_path, quiet):
    """schemathesis reads it from the function, sends what it allows and what it does not, and checks each answer."""
    keys = f"{ASK_KEY} {MANAGE_KEY.replace(':manage:', ':manage+recognise:')}"
    settings = Settings(model_bundle=str(bundle), face_keys=keys, face_gallery=str(tmp_path / "people.npz"))
    application = Application(settings)
    application.store = function.store
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    with LocalFunction(application.handle) as local:
        command = [tool_venv / "bin" / "schemathesis", "run", f"{local.url}openapi.json", "--url", local.url]
        command += [
            "--header",
            f"X-Api-Key: {MANAGE}",
            "--checks",
            checks,
            "--phases",
            PHASES,
        ]
        command += [
            "--max-examples",
            str(EXAMPLES),
            "--seed",
            "1",
            "--no-color",
            "--suppress-health-check",
            "all",
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
