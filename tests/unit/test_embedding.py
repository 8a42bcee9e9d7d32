"""Embeddings: kept by content, the mirror's share, the same numbers twice, and smaller files that agree."""

import shutil

import numpy as np
import pandas as pd
import pytest

from facecourse.core import paths
from facecourse.embedding import embeddings, quantisation
from facecourse.embedding.embeddings import load_crops
from facecourse.lessons.truth import true_faces
from lambda_function.crops import other_cut
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser

BACKBONE = "msceleb1m"


@pytest.fixture(scope="module")
def photos():
    """Twelve photos of four people, cut where the rendered truth says the faces are."""
    truth = true_faces()
    own = truth[truth["path"].map(lambda path: path.parent.parent.name == "people")]
    own = own.groupby("name").head(3).head(12)
    return pd.DataFrame(
        {
            "path": [str(path.relative_to(paths.ROOT)) for path in own["path"]],
            "sha256": [f"{i:064d}" for i in range(len(own))],
            "person": own["name"].to_numpy(),
            "box": list(own["box"]),
            "landmarks": [points.ravel() for points in own["landmarks"]],
        }
    )


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache of the test's own; the exported network stays where it is."""
    embeddings.onnx_backbone(BACKBONE)
    monkeypatch.setattr("facecourse.core.cache.CACHE", tmp_path)
    monkeypatch.setattr(embeddings, "BATCH", 4)
    return tmp_path


class Counting:
    """An embedder that counts faces and can be pulled out of the wall."""

    def __init__(self, inner, fail_after=None):
        self.inner, self.faces, self.fail_after = inner, 0, fail_after
        self.preprocessing, self.dimension = inner.preprocessing, inner.dimension

    def embed(self, crops):
        if self.fail_after is not None and self.faces >= self.fail_after:
            raise KeyboardInterrupt
        self.faces += len(crops)
        return self.inner.embed(crops)


def with_counter(monkeypatch, fail_after=None):
    real = embeddings.embedder(BACKBONE)
    counter = Counting(real, fail_after)

    def with_cut(backbone, preprocessing):
        counter.preprocessing = preprocessing
        return counter

    monkeypatch.setattr(embeddings, "_embedder_with", with_cut)
    return counter


def embed(photos, **options):
    return embeddings.embed_manifest(photos, BACKBONE, progress=False, **options)


def test_nothing_is_embedded_twice(photos, empty_cache, monkeypatch):
    counter = with_counter(monkeypatch)
    first = embed(photos)
    assert counter.faces == len(photos)
    assert (embed(photos) == first).all() and counter.faces == len(photos)


def test_more_views_embed_only_what_is_new(photos, empty_cache, monkeypatch):
    counter = with_counter(monkeypatch)
    for views in (1, 2, 4, 2, 1):
        embed(photos, views=views)
    assert counter.faces == 4 * len(photos)


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
    first = embed(photos, views=4)
    for path in empty_cache.glob("*.sqlite"):
        path.unlink()
    assert (embed(photos, views=4) == first).all()


def of_length_1(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_two_views_are_the_mean_with_the_mirrored_face(photos, empty_cache):
    tool = embeddings.embedder(BACKBONE)
    crops = load_crops(photos, tool.preprocessing)
    mirrored = np.ascontiguousarray(crops[:, :, ::-1])
    mean = of_length_1(tool.embed(crops) + tool.embed(mirrored))
    assert np.abs(tool.embed(np.stack([crops, mirrored], axis=1)) - mean).max() < 1e-5
    assert np.abs(embed(photos, views=2) - mean).max() < 1e-5


def test_four_views_are_both_cuts_with_their_mirror_images(photos, empty_cache):
    tool = embeddings.embedder(BACKBONE)
    cuts = [load_crops(photos, cut) for cut in (tool.preprocessing, other_cut(tool.preprocessing))]
    assert np.abs(cuts[0].astype(int) - cuts[1]).mean() > 5  # or one of them would be no other look
    mean = of_length_1(sum(tool.embed(crops[:, :, ::way]) for crops in cuts for way in (1, -1)))
    assert np.abs(embed(photos, views=4) - mean).max() < 1e-5


def test_the_function_embeds_as_the_notebooks_do(photos, empty_cache):
    for views in (1, 2, 4):
        recogniser = Recogniser(None, embeddings.embedder(BACKBONE), None, "", views)
        for i in range(3):
            face = embeddings.face_of(photos["box"][i], photos["landmarks"][i])
            one = recogniser.embed(open_photo(paths.ROOT / photos["path"][i]), [face])
            assert np.abs(one - embed(photos, views=views)[i]).max() < 1e-5


@pytest.mark.parametrize("views", [0, 3, 8])
def test_other_numbers_of_views_are_refused(photos, views):
    with pytest.raises(ValueError, match="1, 2 or 4 views"):
        embed(photos, views=views)


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
    return load_crops(photos, embeddings.find_weights(BACKBONE).preprocessing)


def test_half_weights_halve_the_file_and_keep_the_numbers(crops, tmp_path):
    whole = shutil.copy(embeddings.onnx_backbone(BACKBONE), tmp_path / "backbone.onnx")
    half = quantisation.halve_weights(whole)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    preprocessing = embeddings.find_weights(BACKBONE).preprocessing
    assert quantisation.agreement(whole, half, crops, preprocessing).min() > 0.99999


def test_eight_bits_are_a_quarter_of_the_size_and_close(crops, tmp_path):
    whole = embeddings.onnx_backbone(BACKBONE)
    preprocessing = embeddings.find_weights(BACKBONE).preprocessing
    small = quantisation.quantise(whole, crops, preprocessing, tmp_path / "small.onnx")
    assert small.stat().st_size < 0.3 * whole.stat().st_size
    assert quantisation.agreement(whole, small, crops, preprocessing).min() > 0.98


def test_a_backbone_with_8_bits_is_made_once_and_is_the_same_person(photos, empty_cache):
    path = embeddings.onnx_backbone("msceleb1m-int8")
    made = path.stat().st_mtime_ns
    assert embeddings.onnx_backbone("msceleb1m-int8") == path and path.stat().st_mtime_ns == made
    assert embeddings.find_weights("msceleb1m-int8").sha256 == embeddings.find_weights(BACKBONE).sha256
    small = embeddings.embed_manifest(photos, "msceleb1m-int8", 4, progress=False)
    assert np.einsum("nd,nd->n", small, embed(photos, views=4)).min() > 0.99


def test_eight_bits_need_faces_to_measure(tmp_path):
    with pytest.raises(ValueError, match="face crops"):
        quantisation.quantise(
            tmp_path / "backbone.onnx",
            np.zeros((0, 160, 160, 3), np.uint8),
            embeddings.find_weights(BACKBONE).preprocessing,
            tmp_path / "small.onnx",
        )
