"""report.json: every figure of the contract, null until it is measured."""

import json

import numpy as np
import pytest

from facecourse.core import paths, report


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path)
    return tmp_path / "sample"


def test_an_empty_report_has_every_figure_of_the_contract_and_measured_none():
    empty = report.load_report("sample")
    names = (
        "backbone identities images faces_found val_top1 val_top1_own seed_split_top1 lfw_accuracy lfw_std"
    )
    names += " tar_at_far_1e3 unknown_far unknown_frr"
    assert {name: empty[name] for name in names.split()} == dict.fromkeys(names.split())
    assert empty["seconds"] == dict.fromkeys(["detect", "embed", "train", "total"])
    assert empty["export"] == {"onnx_mb": None, "parity_max_abs_diff": None}
    assert empty["profile"] == "sample"


def test_dictionaries_are_merged_and_other_figures_kept(outputs):
    report.record("sample", images=300, seconds={"detect": 1.5})
    report.record("sample", seconds={"embed": np.float32(0.5)}, faces_found=np.int64(299))
    written = json.loads((outputs / "report.json").read_text())
    assert written["seconds"] == {"detect": 1.5, "embed": 0.5, "train": None, "total": None}
    assert (written["images"], written["faces_found"]) == (300, 299)
    report.record("sample", intervals={"test_top1": (np.float64(0.8), float("nan"))})
    assert json.loads((outputs / "report.json").read_text())["intervals"] == {"test_top1": [0.8, None]}
    assert isinstance(written["faces_found"], int)


@pytest.mark.parametrize("value", [float("nan"), np.float32("nan"), float("inf")])
def test_what_was_not_measured_is_null_and_never_a_nan(outputs, value):
    report.record("sample", val_top1_own=value, seconds={"train": value})
    text = (outputs / "report.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["val_top1_own"] is None and json.loads(text)["seconds"]["train"] is None


def test_another_backbone_makes_figures_of_the_old_one_null():
    report.record("sample", images=300, seconds={"detect": 2.0})
    report.record("sample", backbone="msceleb1m", val_top1=0.99, seconds={"embed": 3.0})
    assert report.record("sample", backbone="msceleb1m", unknown_far=0.01)["val_top1"] == 0.99
    changed = report.record("sample", backbone="vggface2")
    assert changed["val_top1"] is None and changed["unknown_far"] is None
    assert changed["images"] == 300 and changed["seconds"]["detect"] == 2.0
    assert changed["seconds"]["embed"] is None and changed["backbone"] == "vggface2"


def test_a_new_run_starts_without_the_figures_of_the_last_one():
    report.record("sample", val_top1=0.5)
    report.start_report("sample")
    assert report.load_report("sample") == report.empty_report("sample")


def test_the_run_that_did_the_work_is_the_one_whose_seconds_count():
    report.keep_longest("sample", detect=2.5, embed=1.0)
    report.keep_longest("sample", detect=0.01)  # everything came from the caches
    assert report.load_report("sample")["seconds"]["detect"] == 2.5
    assert report.load_report("sample")["seconds"]["train"] is None
