"""AWS's own tools and OpenAPI's, in an environment of their own: aws-sam-cli pins what the course wants newer."""

import functools
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("aws-sam-cli==1.170.0", "cfn-lint==1.58.0", "awslambdaric==4.2.2")
PACKAGES += ("openapi-spec-validator==0.9.0", "schemathesis==4.32.5")
FOLDER = ROOT / "build" / "tools"  # git does not see it; made once


@functools.cache
def tool_venv() -> Path:
    """Return the folder with bin/sam, bin/cfn-lint and bin/python (which has awslambdaric), installed if need be.

    Skips the test that asks where the registry cannot be reached.
    """
    ready = FOLDER / f"ready-{'-'.join(PACKAGES)}-{sys.version_info[0]}.{sys.version_info[1]}"
    if not ready.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True, capture_output=True)
            pip = [FOLDER / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "-q"]
            subprocess.run(
                [*pip, "--no-compile", *PACKAGES], check=True, capture_output=True, text=True, timeout=900
            )
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", "") or "").strip().splitlines()
            pytest.skip(f"AWS's tools cannot be installed here: {said[-1] if said else error}")
        ready.touch()
    return FOLDER


def emulator() -> Path:
    """Return AWS's runtime interface emulator, which comes with aws-sam-cli; or skip where it does not run."""
    found = sorted(tool_venv().glob("lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"))
    if not found or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("AWS's runtime interface emulator is a program for Linux on x86")
    found[0].chmod(0o755)
    return found[0]


if __name__ == "__main__":
    try:
        print(f"AWS's tools are in {tool_venv().relative_to(ROOT)}")
    except pytest.skip.Exception as reason:
        print(reason)
