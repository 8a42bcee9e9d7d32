"""The stages for looking at, the floor, the comparisons, the sliders."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facecourse.core.sources import SourceError
from facecourse.detection import centerface
from facecourse.detection.detector import detector
from facecourse.lessons import alignment, failures, second_detector
from facecourse.lessons.alignment import alignment_effect, available, roll_of
from facecourse.lessons.detection_widgets import explore_settings
from facecourse.lessons.failures import pose
from facecourse.lessons.floor import floor_table, operations, pnet_operations
from facecourse.lessons.second_detector import compare_on_truth, unconfirmed
from facecourse.lessons.stages import ablation, hits, lost_at, stage_table, trace
from facecourse.lessons.truth import found_when_changed, rules_on_groups, true_faces
from lambda_function.faces import Face
from lambda_function.photos import open_photo


@pytest.fixture(scope="module")
def truth():
    return true_faces()


@pytest.fixture(scope="module")
def group(truth):
    path = truth.loc[truth["group"], "path"].iloc[0]
    return open_photo(path), np.stack(list(truth.loc[truth["path"] == path, "box"]))


def face_at(*box, landmarks=None, score=0.9):
    points = np.zeros((5, 2)) if landmarks is None else landmarks
    return Face(np.array(box, np.float32), np.asarray(points, np.float32), score)


def test_the_traced_photo_has_the_faces_that_the_detector_finds(group):
    steps, found = trace(group[0]), detector().detect([group[0]])[0]
    assert len(steps.faces) == len(found) == 3
    assert all(np.abs(a.box - b.box).max() < 0.1 for a, b in zip(steps.faces, found, strict=True))


def test_the_trace_takes_settings_and_leaves_the_detector_as_it_was(group):
    before = (detector(threads=1).min_face_size, detector(threads=1).thresholds)
    few = trace(group[0], min_face_size=60, thresholds=(0.6, 0.7, 0.99999))
    assert len(few.maps) < len(trace(group[0]).maps) and len(few.faces) < 3
    assert (detector(threads=1).min_face_size, detector(threads=1).thresholds) == before


def test_tiny_photos_can_be_traced():
    steps = trace(np.zeros((5, 5, 3), np.uint8))
    assert steps.maps == [] and steps.faces == [] and len(steps.proposals) == 0


def test_candidates_shrink_from_stage_to_stage(group):
    counts = stage_table(trace(group[0]))["candidates"].tolist()
    assert counts == sorted(counts, reverse=True) and counts[0] > 100_000 and counts[-1] == 3


def test_each_stage_removes_false_alarms_and_no_face(group):
    table = ablation([trace(group[0])], [group[1]]).set_index("stages")
    assert table["found"].tolist() == [3, 3, 3]
    assert table.loc["P", "false alarms"] > 20 * max(1, table.loc["P + R + O", "false alarms"])


def test_hits_counts_by_overlap():
    truth = np.array([[0, 0, 10, 10], [50, 50, 60, 60]])
    boxes = np.array([[0, 0, 10, 8], [1, 0, 11, 10], [100, 100, 110, 110]])
    found, wrong, mean = hits(boxes, truth)
    assert (found, wrong) == (1, 1) and mean == pytest.approx(9 / 11)
    assert hits(np.zeros((0, 4)), truth)[:2] == (0, 0)


def test_where_a_face_is_lost(group):
    image, boxes = group
    assert lost_at(image, boxes[0]) == ""
    assert lost_at(image, np.array([0.0, 0, 90, 90])) == "P-Net"


def test_arithmetic_is_counted_layer_by_layer():
    # 12 x 12: conv1 leaves 10 x 10, pooling 5 x 5, conv2 3 x 3, conv3 and the answers 1 x 1.
    assert pnet_operations(12, 12) == 100 * 270 + 9 * 1440 + 4608 + 32 * 6
    assert pnet_operations(151, 151) / 151**2 == pytest.approx(1800, rel=0.1)


def test_the_floor_is_below_what_was_taken(group):
    steps = trace(group[0])
    table = floor_table(steps).set_index("step")
    assert sum(operations(steps).values()) / 1e6 == pytest.approx(table.loc["all", "million"])
    assert 0.02 < table.loc["all", "share"] < 1.5


def test_the_rule_with_size_and_centre_takes_the_right_person(truth):
    shares = rules_on_groups(truth).set_index("rule")["share"]
    assert shares["size_and_centre"] == 1 and shares["largest"] < 0.8


def test_faces_on_their_side_and_tiny_ones_are_lost(truth):
    table = found_when_changed(truth[~truth["group"]].iloc[::60], rolls=(0, 90), sides=(40, 10))
    assert table["found"].tolist()[0] == 1 and table["found"].tolist()[1] <= 0.5
    assert table["found"].tolist()[2] == 1 and table["found"].tolist()[3] == 0


def test_centerface_finds_the_rendered_faces(truth):
    table = compare_on_truth(truth[truth["group"]], progress=False).set_index("detector")
    if "CenterFace" not in table.index:
        pytest.skip("CenterFace is not here: no package registry")
    assert (table["found"] == 18).all() and (table["false alarms"] == 0).all()


def test_centerface_landmarks_are_in_the_same_order(truth):
    try:
        tool = centerface.second_opinion()
    except SourceError:
        pytest.skip("CenterFace is not here: no package registry")
    row = truth.iloc[1]
    (face,) = tool.detect([open_photo(row["path"])])[0]
    eyes = np.linalg.norm(row["landmarks"][1] - row["landmarks"][0])
    assert np.linalg.norm(face.landmarks - row["landmarks"], axis=1).max() < 0.4 * eyes
    assert tool.detect([np.zeros((1, 1, 3), np.uint8)]) == [[]] and tool.detect([]) == []


def test_without_the_second_detector_mtcnn_stands_alone(truth, monkeypatch, capsys):
    def absent(threshold=0.5):
        raise SourceError("no registry\ndetails")

    monkeypatch.setattr(second_detector, "second_opinion", absent)
    table = compare_on_truth(truth[truth["group"]].iloc[:3], progress=False)
    assert table["detector"].tolist() == ["MTCNN"]
    assert "CenterFace cannot be had here" in capsys.readouterr().out


def test_boxes_that_the_other_detector_does_not_confirm():
    own = [face_at(0, 0, 20, 20), face_at(100, 100, 130, 130), face_at(210, 0, 250, 60)]
    witness = [face_at(2, 2, 22, 22), face_at(205, 5, 300, 80)]
    assert unconfirmed(own, witness) == own[1:2]
    assert unconfirmed(own, []) == own and unconfirmed([], witness) == []


def test_pose_from_landmarks():
    front = [[0, 0], [10, 0], [5, 6], [2, 10], [8, 10]]
    assert pose(face_at(0, 0, 10, 10, landmarks=front)) == pytest.approx((0, 0))
    side = [[0, 0], [10, 10], [11, 11], [0, 0], [0, 0]]
    roll, aside = pose(face_at(0, 0, 10, 10, landmarks=side))
    assert roll == pytest.approx(45) and aside == pytest.approx(0.6)
    assert roll_of(face_at(0, 0, 1, 1, landmarks=side)) == pytest.approx(45)


def test_reasons_name_what_is_measured():
    image = np.full((100, 100, 3), 128, np.uint8)
    front = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]])
    assert failures.why_missed(image, face_at(0, 10, 40, 60)) == "cut off by the edge"
    assert "small" in failures.why_missed(image, face_at(40, 40, 55, 60))
    assert "blurred" in failures.why_missed(image, face_at(30, 30, 70, 70, landmarks=front))
    dark = image // 10
    assert "dark" in failures.why_missed(dark, face_at(30, 30, 70, 70, landmarks=front))


def test_backbones_without_weights_are_named_and_left_out(monkeypatch, capsys):
    def absent(name):
        raise SourceError("not here")

    monkeypatch.setattr(alignment, "fetch", absent)
    assert available(("vggface2", "msceleb1m")) == ["msceleb1m"]
    assert "vggface2: its weights cannot be had here" in capsys.readouterr().out


def test_separation_of_similarities(monkeypatch):
    vectors = {False: np.eye(4)[[0, 0, 1, 1]], True: np.eye(4)}
    monkeypatch.setattr(alignment, "_vectors", lambda found, name, align, progress: vectors[align])
    found = pd.DataFrame({"name": list("aabb"), "roll": [0, 20, 0, 0], "face": [1, 1, 1, 1]})
    table = alignment_effect(found, ["some"]).set_index(["crop", "pairs"])
    assert table.loc[("box", "all"), "auc"] == 1 and table.loc[("box", "all"), "same"] == 1
    assert table.loc[("box", "tilted"), "number"] == 3
    assert table.loc[("aligned", "all"), "same"] == 0


def test_sliders_redraw_picture_and_text(group):
    explorer = explore_settings(group[0])
    *sliders, picture, text = explorer.children
    assert "O-Net 3 boxes" in text.value
    first = bytes(picture.value)
    assert Image.open(io.BytesIO(first)).size[0] == 3 * 480
    sliders[2].value = 0.99
    assert bytes(picture.value) != first and "O-Net 3 boxes" in text.value
    sliders[0].value = 120  # the faces are about 110 pixels high, their windows smaller
    assert "6 levels" in text.value


def test_the_samples_photos_can_stand_for_a_manifest():
    from facecourse.lessons.truth import sample_photos
    from facecourse.photos.dataset import SCHEMA

    assert set(sample_photos().columns) <= set(SCHEMA.names)  # notebook 02 takes either
