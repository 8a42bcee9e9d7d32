"""Known vulnerabilities among the pinned packages, where their list can be reached."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_no_pinned_package_is_known_to_be_vulnerable(tmp_path):
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pins = tmp_path / "pins.txt"
    pins.write_text("\n".join(_pins_for(version)) + "\n")
    command = [sys.executable, "-m", "pip_audit", "-r", str(pins), "--disable-pip", "--no-deps"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("pip-audit cannot reach the list of vulnerabilities in 60 s")
    if not done.stdout.strip():
        pytest.skip("pip-audit cannot reach the list of vulnerabilities: " + done.stderr.strip()[-120:])
    packages = json.loads(done.stdout)["dependencies"]
    if all("skip_reason" in package for package in packages):
        pytest.skip("pip-audit: the package index here has no list of vulnerabilities")
    found = {p["name"]: [v["id"] for v in p["vulns"]] for p in packages if p.get("vulns")}
    assert not found


def _pins_for(version: str) -> list[str]:
    """Lines of requirements.txt whose marker holds for this Python."""
    from packaging.requirements import Requirement

    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    wanted = [Requirement(line) for line in lines if re.match(r"\w", line)]
    holds = [r for r in wanted if r.marker is None or r.marker.evaluate({"python_version": version})]
    return [f"{r.name}{r.specifier}" for r in holds]
