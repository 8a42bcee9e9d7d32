"""Embeddings: kept by content, the mirror's share, the same numbers twice, and smaller files that agree."""

import shutil

import numpy as np
import pandas as pd
import pytest

from facecourse import quantisation, recognition, settings
from facecourse.detection_truth import true_faces
from facecourse.recognition import load_crops

BACKBONE = "msceleb1m"


@pytest.fixture(scope="module")
def photos():
    """Twelve photos of four people, cut where the rendered truth says the faces are."""
    truth = true_faces()
    own = truth[truth["path"].map(lambda path: path.parent.parent.name == "people")]
    own = own.groupby("name").head(3).head(12)
    return pd.DataFrame(
        {
            "path": [str(path.relative_to(settings.ROOT)) for path in own["path"]],
            "sha256": [f"{i:064d}" for i in range(len(own))],
            "person": own["name"].to_numpy(),
            "box": list(own["box"]),
            "landmarks": [points.ravel() for points in own["landmarks"]],
        }
    )


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache of the test's own; the exported network stays where it is."""
    recognition.onnx_backbone(BACKBONE)
    monkeypatch.setattr("facecourse.cache.CACHE", tmp_path)
    monkeypatch.setattr(recognition, "BATCH", 4)
    return tmp_path


class Counting:
    """An embedder that counts faces and can be pulled out of the wall."""

    def __init__(self, inner, fail_after=None):
        self.inner, self.faces, self.fail_after = inner, 0, fail_after
        self.preprocessing, self.dimension = inner.preprocessing, inner.dimension

    def embed(self, crops, flip=False):
        if self.fail_after is not None and self.faces >= self.fail_after:
            raise KeyboardInterrupt
        self.faces += len(crops)
        return self.inner.embed(crops, flip)


def with_counter(monkeypatch, fail_after=None):
    counter = Counting(recognition.embedder(BACKBONE), fail_after)
    monkeypatch.setattr(recognition, "_embedder_with", lambda backbone, preprocessing: counter)
    return counter


def embed(photos, **options):
    return recognition.embed_manifest(photos, BACKBONE, progress=False, **options)


def test_nothing_is_embedded_twice(photos, empty_cache, monkeypatch):
    counter = with_counter(monkeypatch)
    first = embed(photos)
    assert counter.faces == len(photos)
    assert (embed(photos) == first).all() and counter.faces == len(photos)


def test_averaging_with_the_mirror_image_embeds_only_the_mirror_image(photos, empty_cache, monkeypatch):
    counter = with_counter(monkeypatch)
    embed(photos)
    embed(photos, flip=True)
    assert counter.faces == 2 * len(photos)


def test_a_killed_run_loses_at_most_one_batch(photos, empty_cache, monkeypatch):
    with_counter(monkeypatch, fail_after=8)
    with pytest.raises(KeyboardInterrupt):
        embed(photos)
    counter = with_counter(monkeypatch)
    embed(photos)
    assert counter.faces == len(photos) - 8


def test_a_changed_photo_or_box_is_embedded_anew(photos, empty_cache, monkeypatch):
    counter = with_counter(monkeypatch)
    embed(photos)
    moved = photos.copy()
    moved.at[0, "sha256"] = "f" * 64
    moved.at[1, "box"] = moved.at[1, "box"] + np.float32(1)
    embed(moved)
    assert counter.faces == len(photos) + 2


def test_two_runs_give_the_same_numbers(photos, empty_cache):
    first = embed(photos, flip=True)
    for path in empty_cache.glob("*.sqlite"):
        path.unlink()
    assert (embed(photos, flip=True) == first).all()


def test_flip_is_the_mean_with_the_mirrored_face(photos, empty_cache):
    crops = load_crops(photos, recognition.embedder(BACKBONE).preprocessing)
    tool = recognition.embedder(BACKBONE)
    plain, mirrored = tool.embed(crops), tool.embed(np.ascontiguousarray(crops[:, :, ::-1]))
    mean = (plain + mirrored) / np.linalg.norm(plain + mirrored, axis=1, keepdims=True)
    assert np.abs(tool.embed(crops, flip=True) - mean).max() < 1e-5
    assert np.abs(embed(photos, flip=True) - mean).max() < 1e-5
    own = np.einsum("nd,nd->n", tool.embed(crops, flip=True), tool.embed(crops[:, :, ::-1], flip=True))
    assert own.min() > 0.9999  # a face and its mirror image are then one


def test_photos_without_a_face_get_no_numbers(photos, empty_cache):
    some = photos.head(4).copy()
    some["box"] = [None, *some["box"][1:]]
    rows = embed(some)
    assert np.isnan(rows[0]).all() and np.isfinite(rows[1:]).all()


def test_same_person_is_closer_than_another(photos, empty_cache):
    rows, persons = embed(photos), photos["person"].to_numpy()
    scores, same = rows @ rows.T, persons[:, None] == persons[None, :]
    off = ~np.eye(len(rows), dtype=bool)
    assert scores[same & off].mean() > scores[~same].mean() + 0.3


@pytest.fixture(scope="module")
def crops(photos):
    return load_crops(photos, recognition.find_weights(BACKBONE).preprocessing)


def test_half_weights_halve_the_file_and_keep_the_numbers(crops, tmp_path):
    whole = shutil.copy(recognition.onnx_backbone(BACKBONE), tmp_path / "backbone.onnx")
    half = quantisation.halve_weights(whole)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    preprocessing = recognition.find_weights(BACKBONE).preprocessing
    assert quantisation.agreement(whole, half, crops, preprocessing).min() > 0.99999


def test_eight_bits_are_a_quarter_of_the_size_and_close(crops, tmp_path):
    whole = shutil.copy(recognition.onnx_backbone(BACKBONE), tmp_path / "backbone.onnx")
    preprocessing = recognition.find_weights(BACKBONE).preprocessing
    small = quantisation.quantise(whole, crops, preprocessing)
    assert small.stat().st_size < 0.3 * whole.stat().st_size
    assert quantisation.agreement(whole, small, crops, preprocessing).min() > 0.95


def test_eight_bits_need_faces_to_measure(tmp_path):
    with pytest.raises(ValueError, match="face crops"):
        quantisation.quantise(
            tmp_path / "backbone.onnx",
            np.zeros((0, 160, 160, 3), np.uint8),
            recognition.find_weights(BACKBONE).preprocessing,
        )
