"""The stages for looking at, the comparisons, the failures, the sliders."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facecourse.core.sources import SourceError
from facecourse.detection.detector import detector
from facecourse.detection.yunet import reference_detector
from facecourse.detection_lesson import alignment
from facecourse.detection_lesson.alignment import alignment_effect
from facecourse.detection_lesson.failures import (
    compare_on_truth,
    failures,
    lost_at,
    photos_of,
    pose,
    show_failures,
    unmatched,
    why_missed,
)
from facecourse.detection_lesson.stages import (
    ablation,
    animate_nms,
    explore_settings,
    hits,
    stage_table,
    trace,
)
from facecourse.detection_lesson.truth import changed_photos, found_when_changed, rules_on_groups
from facecourse.photos.truth import true_faces
from lambda_function.boxes import nms
from lambda_function.faces import Face
from lambda_function.photos import open_photo


@pytest.fixture(scope="module")
def truth():
    return true_faces()


@pytest.fixture(scope="module")
def group(truth):
    path = truth.loc[truth["group"], "path"].iloc[0]
    return open_photo(path), np.stack(list(truth.loc[truth["path"] == path, "box"]))


@pytest.fixture(scope="module")
def reference():
    try:
        return reference_detector()
    except SourceError:
        pytest.skip("YuNet is not here: no package registry")


def face_at(*box, landmarks=None, score=0.9):
    points = np.zeros((5, 2)) if landmarks is None else landmarks
    return Face(np.array(box, np.float32), np.asarray(points, np.float32), score)


def test_the_traced_photo_has_the_faces_that_the_detector_finds(group):
    steps, found = trace(group[0]), detector().detect([group[0]])[0]
    assert len(steps.faces) == len(found) == 5
    assert all(np.abs(a.box - b.box).max() < 0.1 for a, b in zip(steps.faces, found, strict=True))


def test_the_trace_takes_settings_and_leaves_the_detector_as_it_was(group):
    before = (detector(threads=1).min_face_size, detector(threads=1).thresholds)
    few = trace(group[0], min_face_size=60, thresholds=(0.6, 0.7, 0.99999))
    assert len(few.maps) < len(trace(group[0]).maps) and len(few.faces) < 5
    assert (detector(threads=1).min_face_size, detector(threads=1).thresholds) == before


def test_the_animation_of_nms_is_small_and_ends_with_the_boxes_kept(group):
    steps = trace(group[0])
    rows = np.concatenate(steps.windows)
    film = animate_nms(steps, rows, nms(rows[:, :4], rows[:, 4], 0.3), 0.3).data
    picture = Image.open(io.BytesIO(film))
    assert picture.is_animated and picture.n_frames >= 3 and len(film) <= 500_000


def test_tiny_photos_can_be_traced():
    steps = trace(np.zeros((5, 5, 3), np.uint8))
    assert steps.maps == [] and steps.faces == [] and len(steps.proposals) == 0


def test_candidates_shrink_from_stage_to_stage(group):
    counts = stage_table(trace(group[0]))["candidates"].tolist()
    assert counts == sorted(counts, reverse=True) and counts[0] > 100_000 and counts[-1] == 5


def test_each_stage_removes_false_alarms_and_no_face(group):
    table = ablation([trace(group[0])], [group[1]]).set_index("stages")
    assert table["found"].tolist() == [5, 5, 5]
    assert table.loc["P", "false alarms"] > 20 * max(1, table.loc["P + R + O", "false alarms"])


def test_hits_counts_by_iou():
    truth = np.array([[0, 0, 10, 10], [50, 50, 60, 60]])
    boxes = np.array([[0, 0, 10, 8], [1, 0, 11, 10], [100, 100, 110, 110]])
    found, wrong, mean = hits(boxes, truth)
    assert (found, wrong) == (1, 1) and mean == pytest.approx(9 / 11)
    assert hits(np.zeros((0, 4)), truth)[:2] == (0, 0)


def test_where_a_face_is_lost(group):
    image, boxes = group
    assert lost_at(image, boxes[0]) == ""
    assert lost_at(image, np.array([0.0, 0, 90, 90])) == "P-Net"


def test_the_rule_with_size_and_centre_takes_the_right_person(truth):
    shares = rules_on_groups(truth).set_index("rule")["share"]
    assert shares["size_and_centre"] == 1 and shares["largest"] < 0.6


def test_a_changed_face_lies_where_it_is_said_to_and_is_lost_when_changed_much(truth):
    few = truth[truth["condition"] == "plain"].iloc[::110]
    changes = {
        "turned": ("", (20, 90)),
        "shrunk": ("", (40, 10)),
        "cut off": ("", (0.1, 0.7)),
        "darkened": ("", (1, 0.01)),
    }
    table = found_when_changed(few, changes)
    assert (table["found"].iloc[::2] == 1).all() and (table["found"].iloc[1::2] <= 0.5).all()


def test_failures_of_hard_photos_are_found_with_their_reason(truth, reference):
    few = truth[truth["condition"] == "plain"].iloc[::70]
    assert failures(changed_photos(few, "turned", 0), progress=False) == []
    for change, amount, reason in (("cut off", 0.5, "cut off by the edge"), ("darkened", 0.08, "dark, ")):
        found = failures(changed_photos(few, change, amount), progress=False)
        assert found and all(failure.kind == "missed" for failure in found)
        assert all(failure.why.split(": ")[1].startswith(reason) for failure in found)
    assert len(show_failures(found).axes) >= len(found) and show_failures([]) is None


def test_a_readers_own_photos_are_looked_at_first(truth):
    path = str(truth["path"][0])
    sources = ["lfw"] * 8 + ["people"] * 2
    table = pd.DataFrame({"path": [path] * 10, "width": [1] * 9 + [0], "source": sources})
    table["path"] = [path] * 8 + [str(truth["path"][1])] * 2
    names = [name for name, _ in photos_of(table, most=4)]
    assert names == [truth["path"][1].name] + [truth["path"][0].name] * 3


def test_yunet_finds_the_rendered_faces(truth, reference):
    table = compare_on_truth(truth[truth["group"]])
    assert (table["found"] >= 32).all() and (table["false alarms"] == 0).all()


def test_yunet_landmarks_are_in_the_same_order(truth, reference):
    row = truth.iloc[1]
    (face,) = reference.detect([open_photo(row["path"])])[0]
    eyes = np.linalg.norm(row["landmarks"][1] - row["landmarks"][0])
    assert np.linalg.norm(face.landmarks - row["landmarks"], axis=1).max() < 0.4 * eyes
    assert reference.detect([np.zeros((1, 1, 3), np.uint8)]) == [[]] and reference.detect([]) == []


def test_boxes_that_the_other_detector_does_not_confirm():
    own = [face_at(0, 0, 20, 20), face_at(100, 100, 130, 130), face_at(210, 0, 250, 60)]
    others = [face_at(2, 2, 22, 22), face_at(205, 5, 300, 80)]
    assert unmatched(own, others) == own[1:2]
    assert unmatched(own, []) == own and unmatched([], others) == []


def test_pose_from_landmarks():
    front = [[0, 0], [10, 0], [5, 6], [2, 10], [8, 10]]
    assert pose(face_at(0, 0, 10, 10, landmarks=front)) == pytest.approx((0, 0))
    side = [[0, 0], [10, 10], [11, 11], [0, 0], [0, 0]]
    assert pose(face_at(0, 0, 10, 10, landmarks=side)) == pytest.approx((45, 0.6))


def test_reasons_name_what_is_measured():
    image = np.full((100, 100, 3), 128, np.uint8)
    front = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]])
    assert "small" in why_missed(image, face_at(40, 40, 55, 60))
    assert "blurred" in why_missed(image, face_at(30, 30, 70, 70, landmarks=front))
    turned = front[:, ::-1]
    assert "tilted" in why_missed(image, face_at(30, 30, 70, 70, landmarks=turned))


def test_separation_of_similarities(monkeypatch):
    vectors = {"box": np.eye(4)[[0, 0, 1, 1]], "aligned": np.eye(4)}
    monkeypatch.setattr(alignment, "cropped", lambda backbone, crop: crop)
    monkeypatch.setattr(alignment, "embed_faces", lambda files, sums, faces, crop, progress: vectors[crop])
    found = pd.DataFrame({"path": list("abcd"), "sha256": list("abcd"), "name": list("aabb")})
    found["roll"], found["face"] = [0, 20, 0, 0], [1, 1, 1, 1]
    table = alignment_effect(found, None).set_index(["crop", "pairs"])
    assert table.loc[("box", "all"), "auc"] == 1 and table.loc[("box", "all"), "same"] == 1
    assert table.loc[("box", "tilted"), "number"] == 3
    assert table.loc[("aligned", "all"), "same"] == 0 and table.loc[("aligned", "all"), "auc"] == 0.5


def test_sliders_redraw_picture_and_text(group):
    explorer = explore_settings(group[0])
    *sliders, picture, text = explorer.children
    assert "P + R + O 5" in text.value
    first = bytes(picture.value)
    assert Image.open(io.BytesIO(first)).size[0] == 3 * 480
    sliders[2].value = 0.99
    assert bytes(picture.value) != first and "P + R + O" in text.value
    sliders[0].value = 120  # the faces are about 110 pixels high, their windows smaller
    assert "6 levels" in text.value
