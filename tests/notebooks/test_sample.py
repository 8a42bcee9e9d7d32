"""What the six notebooks wrote when `make test` ran them on the sample."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from facecourse.core.paths import DATA, OUTPUTS
from facecourse.core.report import empty_report
from facecourse.embedding.galleries import load_gallery
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser

FOLDER = OUTPUTS / "sample"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "report.json").exists(), reason="the notebooks have not run: make test"
)


@pytest.fixture(scope="module")
def report():
    return json.loads((FOLDER / "report.json").read_text())


@pytest.fixture(scope="module")
def manifest():
    return pd.read_parquet(FOLDER / "manifest.parquet")


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser.load(FOLDER / "model", threads=2)


def test_report_has_the_figures_of_the_contract(report):
    assert set(empty_report("sample")) <= set(report)
    assert report["profile"] == "sample" and report["backbone"] == "msceleb1m"
    assert report["lfw_accuracy"] is None and report["lfw_std"] is None  # the sample is not LFW
    assert all(report["seconds"][stage] is not None for stage in ("detect", "embed", "train"))
    assert report["export"]["parity_max_abs_diff"] <= 1e-4 and 20 < report["export"]["onnx_mb"] < 120


def test_every_photo_of_the_sample_is_counted(report, manifest):
    known = [f"data/{name}" for name in json.loads((DATA / "photos.json").read_text())]
    rendered = manifest[manifest.path.isin(known)]  # the reader's own people may be there too
    assert len(rendered) == 328 + 250 and rendered.person.nunique() == 20 + 200
    assert report["images"] == len(manifest) and report["identities"] == manifest.person.nunique()
    assert set(manifest.source) == {"people", "others"}  # all rendered: the default run shows nobody real
    assert 0.98 * report["images"] <= report["faces_found"] < report["images"]


def test_most_held_out_photos_are_named_and_the_hard_ones_are_not(report):
    assert min(report[name] for name in ("val_top1", "test_top1", "val_top1_own", "seed_split_top1")) >= 0.75
    assert report["test_top1"] < 1  # a sample on which nothing goes wrong teaches nothing
    assert report["unknown_far"] <= 0.15 and report["unknown_frr"] <= 0.6
    assert 0.3 <= report["tar_at_far_1e3"] <= 1


def test_splits_do_not_leak(manifest):
    known = set(manifest.person[manifest.course_split.isin(["train", "val", "test"])])
    strangers = set(manifest.person[manifest.course_split.isin(["unknown_val", "unknown_test"])])
    assert strangers and not known & strangers
    sides = manifest[manifest.course_split != ""].groupby("sha256").course_split.nunique()
    assert (sides == 1).all()


def test_the_bundle_holds_what_notebook_4_decided(recogniser):
    ours, decided = recogniser.gallery, load_gallery("sample", decided=True)
    assert ours.threshold == decided.threshold and ours.calibration == decided.calibration != (20.0, -10.0)
    assert ours.cohort_weight == 0.0 and ours.about["protocol"].startswith("FPIR 0.01, by ")
    low, middle, high = ours.confidence(np.array([0.1, ours.threshold, 0.95]))
    assert low < 0.05 < middle < high and high > 0.9


def test_the_bundle_names_the_people_of_a_group_picture(recogniser):
    truth = json.loads((DATA / "group" / "groups.json").read_text())
    asked = right = 0
    for picture in truth:
        found = recogniser.recognise(open_photo(DATA / "group" / picture["file"]))
        boxes = np.array([face["box"] for face in found])
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        for face in picture["faces"]:
            if face["name"] not in recogniser.gallery.labels:
                continue
            x0, y0, x1, y1 = face["box"]
            inside = ((centres > [x0, y0]) & (centres < [x1, y1])).all(1)
            asked += 1
            right += any(found[i]["name"] == face["name"] for i in np.flatnonzero(inside))
    assert asked >= 10 and right / asked >= 0.8


def test_the_bundle_refuses_strangers(recogniser, manifest):
    strangers = manifest[(manifest.course_split == "unknown_test") & (manifest.problem == "")]
    names = []
    for path in strangers.path:
        seen = recogniser.look(open_photo(DATA.parent / path))
        names.append("unknown" if seen.main() is None else seen.names()[seen.main()]["name"])
    assert len(names) >= 5 and names.count("unknown") / len(names) >= 0.8


def test_a_photo_without_a_face_is_an_empty_answer(recogniser):
    picture = Image.new("RGB", (320, 240), "navy")
    ImageDraw.Draw(picture).rectangle((40, 40, 120, 200), fill="orange")
    assert recogniser.recognise(np.asarray(picture)) == []
