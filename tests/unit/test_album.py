"""Notebook 09's helpers: the sample's faces and whose they are, clusters and how good they are, a camera."""

import shutil

import numpy as np
import pandas as pd
import pytest

from facecourse.core.paths import ROOT
from facecourse.embedding.backbones import find_backbone
from facecourse.optional import album


def blobs():
    """Four people's embeddings, ten each, well apart, the last one alone."""
    chance = np.random.default_rng(0)
    persons = np.append(np.repeat(np.arange(4), 10), 4)
    vectors = np.eye(32)[persons] + chance.normal(0, 0.05, (41, 32))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), persons


def test_an_album_has_photos_and_what_cannot_be_read_is_left_out_by_name(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match=f"no photo in {tmp_path}; what is read ends in .*.jpeg"):
        album.album_files(tmp_path)
    (tmp_path / "day").mkdir()
    (tmp_path / "day/words.jpg").write_text("no picture")
    shutil.copy(next((ROOT / "data/people/Ada_Ferro").iterdir()), tmp_path / "ada.jpg")
    table, vectors = album.album_faces(album.album_files(tmp_path), find_backbone("msceleb1m"))
    assert [path.name for path in table.path] == ["ada.jpg"] and vectors.shape == (1, 128)
    assert f"Left out {tmp_path / 'day/words.jpg'}: this is not a JPEG" in capsys.readouterr().out


def test_chinese_whispers_finds_who_is_apart():
    vectors, persons = blobs()
    labels = album.chinese_whispers(vectors @ vectors.T, 0.6)
    assert pd.crosstab(labels, persons).gt(0).to_numpy().sum() == 5 and len(set(labels)) == 5
    assert len(set(album.chinese_whispers(vectors @ vectors.T, 1.1))) == 41  # no edges: everyone alone


def test_pairwise_and_bcubed_scores_by_hand():
    labels, persons = np.array([0, 0, 0, 1]), np.array(["a", "a", "b", "b"])
    scores = {name: value[0] for name, value in album.cluster_scores(labels, persons).items()}
    assert scores["precision"] == pytest.approx(1 / 3) and scores["recall"] == pytest.approx(1 / 2)
    assert scores["BCubed precision"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert scores["BCubed recall"] == pytest.approx((1 + 1 + 1 / 2 + 1 / 2) / 4)
    alone = album.cluster_scores(np.arange(4), persons)
    assert alone["precision"][0] == 1 and alone["recall"][0] == 0 and alone["BCubed recall"][0] == 0.5


def test_an_interval_of_clusters_is_over_people():
    persons = np.repeat(np.arange(10), 50)
    labels = np.where(persons < 5, persons, 100 + np.arange(500))  # half of the people whole, half torn apart
    value, low, high = album.cluster_scores(labels, persons)["recall"]
    assert value == 0.5 and low <= 0.2 and high >= 0.8


def test_two_clusterings_are_compared_on_the_same_people():
    persons = np.repeat(np.arange(30), 4)
    torn = np.where(np.arange(120) % 4 == 0, 100 + np.arange(120), persons)  # one face of everyone is apart
    more, low, high = album.compare_clusterings(persons, torn, persons)
    assert (
        0.1 < low <= more <= high and high - low < 0.01
    )  # the same for every person: pairing leaves no doubt
    assert album.compare_clusterings(torn, torn, persons) == (0, 0, 0)


def test_corrections_by_hand_lead_from_clusters_to_people():
    assert album.corrections([0, 0, 1, 1], ["a", "a", "b", "b"]) == (0, 0)
    assert album.corrections([0, 0, 0, 1], ["a", "a", "b", "b"]) == (
        1,
        1,
    )  # b out of 0, then with the other b
