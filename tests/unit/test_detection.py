"""The detector against the truth of the rendered photos, on odd input, and its cache."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from facecourse.detection import detector as detection
from facecourse.detection.detector import detect_photos, detector, find_faces, mtcnn_folder, pack, unpack
from facecourse.lessons.truth import find_true_faces, true_faces
from lambda_function.faces import Face, select_face
from lambda_function.mtcnn import Mtcnn
from lambda_function.photos import open_photo
from lambda_function.pipeline import MAX_SIDE


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


def test_every_rendered_face_is_found_and_nothing_else(found):
    assert found["face"].notna().all() and len(found) == 236
    assert (found["extra"] == 0).all()


def test_landmarks_lie_within_pixels_of_the_truth(found):
    distance = np.array(
        [np.linalg.norm(row.face.landmarks - row.landmarks, axis=1) for row in found.itertuples()]
    )
    eyes = np.array([np.linalg.norm(points[1] - points[0]) for points in found["landmarks"]])
    assert np.median(distance) < 3 and np.quantile(distance, 0.95) < 10
    assert np.median(distance.max(axis=1) / eyes) < 0.15


def test_left_is_left_and_eyes_are_above_the_mouth(found):
    points = np.stack([face.landmarks for face in found["face"]])
    assert (points[:, 0, 0] < points[:, 1, 0]).all() and (points[:, 3, 0] < points[:, 4, 0]).all()
    assert (points[:, :2, 1].max(axis=1) < points[:, 3:, 1].min(axis=1)).all()


def test_boxes_lie_on_the_true_ones(found):
    assert found["overlap"].astype(float).min() > 0.3 and found["overlap"].astype(float).median() > 0.6


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (19, 19), (20, 20), (33, 21), (13, 700)])
def test_photos_of_any_size_without_a_face_give_an_empty_list(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for image in (np.zeros_like(noise), np.full_like(noise, 255), noise):
        answer = detector().detect([image])
        assert isinstance(answer, list) and len(answer) == 1 and answer[0] == []


def test_no_photos_give_no_answers():
    assert detector().detect([]) == [] and find_faces([]) == [] and detect_photos([], []) == {}


def test_grey_photos_are_taken(truth):
    image = np.asarray(Image.open(truth["path"][0]).convert("L"))
    faces = detector().detect([image])[0]
    assert len(faces) == 1 and np.isfinite(faces[0].box).all()


def test_a_folder_one_by_one_and_any_number_of_threads_give_the_same(truth):
    paths = [*truth["path"][:3], *dict.fromkeys(truth.loc[truth["group"], "path"])]
    images = [open_photo(path) for path in paths]
    one, two = Mtcnn(mtcnn_folder(), threads=1), Mtcnn(mtcnn_folder(), threads=3)
    expected = [one.detect([image])[0] for image in images]
    for answers in (one.detect(images), two.detect(images), [two.detect([image])[0] for image in images]):
        assert all(same(*pair) for pair in zip(expected, answers, strict=True))
    assert [len(faces) for faces in expected[3:]] == [3, 4, 5, 6]


def test_a_large_photo_is_searched_smaller_and_answered_in_its_own_pixels(truth):
    path = truth["path"][0]
    small = open_photo(path)
    factor = 2 * MAX_SIDE / max(small.shape)
    size = [round(side * factor) for side in small.shape[1::-1]]
    (large,) = find_faces([np.asarray(Image.fromarray(small).resize(size))])
    (plain,) = find_faces([small])
    assert len(large) == len(plain) == 1
    assert np.abs(large[0].landmarks / factor - plain[0].landmarks).max() < 6


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


def test_each_content_is_searched_once_and_an_interruption_costs_one_chunk(truth, tmp_path, monkeypatch):
    monkeypatch.setattr("facecourse.core.cache.CACHE", tmp_path)
    monkeypatch.setattr(detection, "CHUNK", 2)
    paths = list(truth["path"][:5])
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    searched = []

    def counted(images, stop_at=None):
        images = list(images)
        if stop_at is not None and len(searched) >= stop_at:
            raise KeyboardInterrupt
        searched.extend(images)
        return [[] for _ in images]

    monkeypatch.setattr(detection, "find_faces", lambda images: counted(images, 2))
    with pytest.raises(KeyboardInterrupt):
        detect_photos(paths, hashes, progress=False)
    assert len(searched) == 2
    monkeypatch.setattr(detection, "find_faces", counted)
    assert set(detect_photos(paths + paths, hashes + hashes, progress=False)) == set(hashes)
    assert len(searched) == 5
    detect_photos(paths, hashes, progress=False)
    assert len(searched) == 5


def test_export_starts_over_when_a_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(detection, "CACHE", tmp_path)
    written = []
    monkeypatch.setattr(
        mtcnn_export, "export_network", lambda name, path: (written.append(name), path.write_bytes(b"x"))
    )
    folder = mtcnn_folder()
    (folder / "rnet.onnx").unlink()
    assert mtcnn_folder() == folder and len(written) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name]
