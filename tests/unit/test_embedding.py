"""Embeddings: kept by content, the mirror's share, the same numbers twice, and smaller files that agree."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from facecourse.core import paths
from facecourse.embedding import embeddings, quantisation
from facecourse.embedding.backbones import find_backbone
from facecourse.embedding.embeddings import load_crops
from facecourse.photos.truth import true_faces
from lambda_function.crops import alternate_crop
from lambda_function.photos import open_photo
from lambda_function.pipeline import Embedder, Recogniser

BACKBONE = find_backbone("msceleb1m")


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
    (tmp_path / "backbones").symlink_to(BACKBONE.onnx().parent)
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(embeddings, "BATCH", 4)
    return tmp_path


def counted(monkeypatch, fail_after=None):
    """Count the faces that are embedded; break off after `fail_after` of them."""
    faces, real = [0], Embedder.embed

    def embed(self, crops):
        if fail_after is not None and faces[0] >= fail_after:
            raise KeyboardInterrupt
        faces[0] += len(crops)
        return real(self, crops)

    monkeypatch.setattr(Embedder, "embed", embed)
    return faces


def embed(photos, views=1):
    return embeddings.embed_manifest(photos, replace(BACKBONE, views=views), progress=False)


def test_nothing_is_embedded_twice(photos, empty_cache, monkeypatch):
    faces = counted(monkeypatch)
    first = embed(photos)
    assert faces[0] == len(photos)
    assert (embed(photos) == first).all() and faces[0] == len(photos)


def test_a_killed_run_loses_at_most_one_batch(photos, empty_cache, monkeypatch):
    with monkeypatch.context() as patch:
        counted(patch, fail_after=8)
        with pytest.raises(KeyboardInterrupt):
            embed(photos)
    faces = counted(monkeypatch)
    embed(photos)
    assert faces[0] == len(photos) - 8


def test_a_changed_photo_or_box_is_embedded_anew(photos, empty_cache, monkeypatch):
    faces = counted(monkeypatch)
    embed(photos)
    moved = photos.copy()
    moved.at[0, "sha256"] = "f" * 64
    moved.at[1, "box"] = moved.at[1, "box"] + np.float32(1)
    embed(moved)
    assert faces[0] == len(photos) + 2


def test_two_runs_give_the_same_numbers(photos, empty_cache):
    first = embed(photos, views=4)
    for path in empty_cache.glob("*.sqlite"):
        path.unlink()
    assert (embed(photos, views=4) == first).all()


def of_length_1(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_two_views_are_a_cut_with_its_mirror_image_and_four_are_both_cuts_with_theirs(photos, empty_cache):
    tool = BACKBONE.embedder()
    cuts = [load_crops(photos, cut) for cut in (tool.preprocessing, alternate_crop(tool.preprocessing))]
    assert np.abs(cuts[0].astype(int) - cuts[1]).mean() > 5  # or one of them would be no other look
    for views in (2, 4):
        mean = of_length_1(
            sum(tool.embed(crops[:, :, ::way]) for crops in cuts[: views // 2] for way in (1, -1))
        )
        assert np.abs(embed(photos, views=views) - mean).max() < 1e-5


def test_the_function_embeds_as_the_notebooks_do(photos, empty_cache):
    for views in (1, 2, 4):
        recogniser = Recogniser(None, BACKBONE.embedder(), None, "", views)
        for i in range(3):
            face = embeddings.face_of(photos["box"][i], photos["landmarks"][i])
            one = recogniser.embed(open_photo(paths.ROOT / photos["path"][i]), [face])
            assert np.abs(one - embed(photos, views=views)[i]).max() < 1e-5


def test_same_person_is_closer_than_another(photos, empty_cache):
    rows, persons = embed(photos), photos["person"].to_numpy()
    some = photos.head(2).assign(box=[None, photos["box"][1]])
    assert np.isnan(embed(some)[0]).all() and (embed(some)[1] == rows[1]).all()  # no face, no numbers
    scores, same = rows @ rows.T, persons[:, None] == persons[None, :]
    off = ~np.eye(len(rows), dtype=bool)
    assert scores[same & off].mean() > scores[~same].mean() + 0.3


def test_eight_bits_are_a_quarter_of_the_size_and_close(photos, tmp_path):
    crops = load_crops(photos, BACKBONE.preprocessing)
    small = quantisation.quantise(BACKBONE.onnx(), crops, BACKBONE.preprocessing, tmp_path / "small.onnx")
    assert small.stat().st_size < 0.3 * BACKBONE.onnx().stat().st_size
    rows = [Embedder(path, BACKBONE.preprocessing).embed(crops) for path in (BACKBONE.onnx(), small)]
    assert np.einsum("nd,nd->n", *rows).min() > 0.98


def test_a_backbone_with_8_bits_is_made_once_and_is_the_same_person(photos, empty_cache):
    small = find_backbone("msceleb1m-int8", 4)
    made = small.onnx().stat().st_mtime_ns
    assert small.onnx().stat().st_mtime_ns == made and small.sha256 == BACKBONE.sha256
    assert small.label == "msceleb1m-int8" and small.embedder() is small.embedder()
    rows = embeddings.embed_manifest(photos, small, progress=False)
    assert np.einsum("nd,nd->n", rows, embed(photos, views=4)).min() > 0.99
