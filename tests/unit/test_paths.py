"""Folders, cores and the error that says which notebook to run first."""

import os
import subprocess
import sys

import pytest

from facecourse.core import paths
from tests.conftest import ROOT


def in_a_new_process(expression, **environment):
    command = [sys.executable, "-c", f"from facecourse.core import paths; print({expression})"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_outputs_and_threads_can_be_set_and_an_empty_setting_is_none(tmp_path):
    both = "paths.OUTPUTS, paths.THREADS"
    assert (
        in_a_new_process(f"*({both})", FACECOURSE_OUTPUTS="outputs", FACECOURSE_THREADS="3")
        == f"{ROOT / 'outputs'} 3"
    )
    folder, threads = in_a_new_process(
        f"*({both})", FACECOURSE_OUTPUTS=str(tmp_path), FACECOURSE_THREADS=""
    ).split()
    assert folder == str(tmp_path.resolve()) and 1 <= int(threads) <= 8


@pytest.mark.parametrize(
    "text, expected",
    [("50000 100000", 1), ("max 100000", None), ("rubbish", None), (None, None)],
)
def test_a_containers_quota_of_cores_counts(tmp_path, text, expected):
    quota = tmp_path / "cpu.max"
    if text is not None:
        quota.write_text(text)
    everything = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert paths.usable_cores(quota) == (expected or everything)


def test_a_missing_input_names_the_notebook_that_makes_it():
    with pytest.raises(
        paths.MissingInput, match=r"outputs/sample/x.npz is not there yet: run notebooks/03_finetune"
    ):
        paths.require(paths.ROOT / "outputs/sample/x.npz", "03_finetune")
    assert paths.require(ROOT / "Makefile", "03_finetune") == ROOT / "Makefile"


def test_in_colab_a_missing_input_comes_with_the_command_that_makes_it(tmp_path, monkeypatch):
    path = tmp_path / "lfw" / "decision.json"
    monkeypatch.setattr(paths, "in_colab", lambda: False)
    with pytest.raises(paths.MissingInput) as here:
        paths.require(path, "04_evaluate")
    assert "04_evaluate.ipynb first" in str(here.value) and "Colab" not in str(here.value)
    monkeypatch.setattr(paths, "in_colab", lambda: True)
    with pytest.raises(paths.MissingInput) as there:
        paths.require(path, "04_evaluate")
    command = str(there.value).splitlines()[-1]
    assert command.endswith("facecourse.run.course 01_assemble_dataset 03_finetune 04_evaluate")
    assert command.startswith(f"!cd {paths.ROOT} && PROFILE=lfw ")
