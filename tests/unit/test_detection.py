"""The detector against the truth of the rendered photos, on odd input, and its cache."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from facecourse.core import paths
from facecourse.detection import detector as detection
from facecourse.detection import export
from facecourse.detection.detector import detect_photos, detector, mtcnn_folder, pack, unpack
from facecourse.detection_lesson.truth import find_true_faces
from facecourse.photos.truth import true_faces
from lambda_function.faces import Face, select_face
from lambda_function.mtcnn import MAX_SIDE, Mtcnn
from lambda_function.photos import open_photo


@pytest.fixture(scope="module")
def truth():
    return true_faces()


@pytest.fixture(scope="module")
def found(truth):
    return find_true_faces(truth, progress=False)


def same(first, second):
    return len(first) == len(second) and all(
        np.abs(a.box - b.box).max() < 0.1 and np.abs(a.landmarks - b.landmarks).max() < 0.1
        for a, b in zip(first, second, strict=True)
    )


def test_nearly_every_rendered_face_is_found_and_hardly_anything_else(found):
    easy = found["face"].notna()[found["condition"].isin(["plain", ""])]
    assert len(found) == 611 and (~easy).sum() <= 1  # one of them looks far to the side
    assert found["face"].notna().mean() > 0.98 and found["extra"].sum() <= 1


def test_boxes_and_landmarks_lie_within_pixels_of_the_truth(found):
    found = found[found["condition"].isin(["plain", ""]) & found["face"].notna()]
    points = np.stack([face.landmarks for face in found["face"]])
    distance = np.linalg.norm(points - np.stack(found["landmarks"]), axis=2)
    assert np.median(distance) < 3 and np.quantile(distance, 0.95) < 10 and found["error"].median() < 0.15
    assert found["iou"].min() > 0.3 and found["iou"].median() > 0.6
    assert (points[:, 0, 0] < points[:, 1, 0]).all() and (points[:, 3, 0] < points[:, 4, 0]).all()
    assert (points[:, :2, 1].max(axis=1) < points[:, 3:, 1].min(axis=1)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (19, 19), (20, 20), (33, 21), (13, 700)])
def test_photos_of_any_size_without_a_face_give_an_empty_list(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for image in (np.zeros_like(noise), np.full_like(noise, 255), noise):
        answer = detector().detect([image])
        assert isinstance(answer, list) and len(answer) == 1 and answer[0] == []


def test_no_photos_give_no_answers():
    assert detector().detect([]) == [] and detect_photos([], []) == {}


def test_grey_photos_are_taken(truth):
    image = np.asarray(Image.open(truth["path"][0]).convert("L"))
    faces = detector().detect([image])[0]
    assert len(faces) == 1 and np.isfinite(faces[0].box).all()


def test_a_folder_one_by_one_and_any_number_of_threads_give_the_same(truth):
    files = [*truth["path"][:3], *dict.fromkeys(truth.loc[truth["group"], "path"])]
    images = [open_photo(path) for path in files]
    one, two = Mtcnn(mtcnn_folder(), threads=1), Mtcnn(mtcnn_folder(), threads=3)
    expected = [one.detect([image])[0] for image in images]
    for answers in (one.detect(images), two.detect(images), [two.detect([image])[0] for image in images]):
        assert all(same(*pair) for pair in zip(expected, answers, strict=True))
    assert [len(faces) for faces in expected[3:]] == [5, 6, 6, 5, 6, 5]


def test_a_large_photo_is_searched_smaller_and_answered_in_its_own_pixels(truth):
    small = open_photo(truth["path"][0])
    factor = 2 * MAX_SIDE / max(small.shape)
    size = [round(side * factor) for side in small.shape[1::-1]]
    (large,), (plain,) = detector().detect([np.asarray(Image.fromarray(small).resize(size)), small])
    assert np.abs(large.landmarks / factor - plain.landmarks).max() < 6
    assert np.abs(large.box / factor - plain.box).max() < 12


def test_a_face_at_the_edge_is_cut_without_an_error(truth):
    row = truth.iloc[0]
    image = open_photo(row["path"])
    x0, y0, x1, _ = row["box"].astype(int)
    for part in (image[:, (x0 + x1) // 2 :], image[max(y0, 0) + 30 :], image[:, : x1 - 20]):
        for face in detector().detect([np.ascontiguousarray(part)])[0]:
            assert np.isfinite(face.box).all() and 0 <= face.score <= 1


@pytest.mark.parametrize(
    "settings", [{"min_face_size": 0}, {"factor": 1.0}, {"factor": 0.0}, {"thresholds": (0.5, 0.5)}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match="MTCNN needs"):
        Mtcnn(mtcnn_folder(), **settings)


def test_a_larger_smallest_face_leaves_small_faces_out(truth):
    image = np.asarray(Image.fromarray(open_photo(truth["path"][0])).resize((64, 64)))
    assert len(detector().detect([image])[0]) == 1
    assert detector(min_face_size=60).detect([image])[0] == []


def test_rules_of_choice():
    boxes = [[0, 0, 60, 60], [90, 90, 120, 120], [100, 95, 112, 107]]
    faces = [Face(np.array(box, np.float32), np.zeros((5, 2), np.float32), 0.9) for box in boxes]
    assert select_face(faces, 212, 202, "largest") == 0
    assert select_face(faces, 212, 202, "centre") == 2
    assert select_face(faces, 212, 202) == 1
    assert select_face([], 10, 10) is None
    faces[1].score = 0.75  # a doubtful box in the middle gives way, but for want of a better one
    assert select_face(faces, 212, 202) == 2 and select_face([faces[1]], 212, 202) == 0
    with pytest.raises(ValueError, match="no rule"):
        select_face(faces, 10, 10, "prettiest")


def test_faces_survive_the_cache():
    face = Face(np.arange(4, dtype=np.float32), np.arange(10, dtype=np.float32).reshape(5, 2), 0.75)
    assert unpack(pack([])) == []
    (back,) = unpack(pack([face]))
    assert np.array_equal(back.box, face.box) and np.array_equal(back.landmarks, face.landmarks)
    assert back.score == 0.75


def test_each_content_is_searched_once_and_an_interruption_costs_one_batch(truth, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(detection, "BATCH", 2)
    files = list(truth["path"][:5])
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    searched, stop_at = [], 2

    class Counting:
        def detect(self, images):
            if len(searched) >= stop_at:
                raise KeyboardInterrupt
            searched.extend(images)
            return [[] for _ in images]

    monkeypatch.setattr(detection, "detector", Counting)
    with pytest.raises(KeyboardInterrupt):
        detect_photos(files, sums, progress=False)
    stop_at = 9
    assert len(searched) == 2
    assert set(detect_photos(files + files, sums + sums, progress=False)) == set(sums)
    assert len(searched) == 5
    stop_at = 0
    assert set(detect_photos(files, sums, progress=False)) == set(sums)


def test_only_a_missing_network_is_exported_again(tmp_path, monkeypatch):
    monkeypatch.setattr(detection, "CACHE", tmp_path)
    written = []
    monkeypatch.setattr(export, "export_network", lambda name: written.append(name) or b"x")
    folder = mtcnn_folder()
    (folder / "rnet.onnx").unlink()
    assert mtcnn_folder() == folder and written == ["pnet", "rnet", "onet", "rnet"]
    assert sorted(path.name for path in folder.iterdir()) == ["onet.onnx", "pnet.onnx", "rnet.onnx"]
