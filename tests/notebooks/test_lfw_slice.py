"""Notebooks 01, 03 and 04 again on real photos: every LFW identity with 12 to 14 of them, plus people.zip."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT

NOTEBOOKS = ("01_assemble_dataset", "03_finetune", "04_evaluate")


@pytest.fixture(scope="module")
def report(lfw_mirror, tmp_path_factory):
    people = tmp_path_factory.mktemp("people")
    with zipfile.ZipFile(lfw_mirror / "people.zip") as archive:
        archive.extractall(people)
    outputs = tmp_path_factory.mktemp("outputs")
    environment = {
        **os.environ,
        "PROFILE": "lfw",
        "PEOPLE": str(people),
        "LFW_PHOTOS": "12-14",
        "FACECOURSE_MIRROR": str(lfw_mirror),
        "FACECOURSE_OUTPUTS": str(outputs),
        "BACKBONE": "msceleb1m",
        "TUNE_PEOPLE": "12",  # the network is tuned on fewer people than readers have
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    command += ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900"]
    command += [f"notebooks/{name}.ipynb" for name in NOTEBOOKS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    return json.loads((outputs / "lfw" / "report.json").read_text())


def test_the_slice_is_large_enough(report):
    assert report["identities"] >= 25 + 6  # four of people.zip may be in LFW too, under the same name
    assert report["images"] >= 400
    assert report["faces_found"] >= 0.99 * report["images"]


def test_names_on_held_out_photos_of_real_people(report):
    assert report["val_top1"] >= 0.985 and report["test_top1"] >= 0.985
    assert report["val_top1_own"] >= 0.95
    assert report["seed_split_top1"] >= 0.985


def test_strangers_are_told_apart(report):
    assert report["unknown_far"] <= 0.05 and report["unknown_frr"] <= 0.1
    assert report["tar_at_far_1e3"] >= 0.9


def test_the_official_protocol_needs_all_of_lfw(report):
    assert report["lfw_accuracy"] is None and report["lfw_std"] is None
