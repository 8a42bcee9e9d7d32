"""Figures against numbers worked out by hand, and against independent ways to compute them."""

import numpy as np
import pandas as pd
import pytest

from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics import identification
from facecourse.metrics.identification import identify, own_people, wilson


def photo_set(rows, labels, names=("Ada", "Bo", "Cy")):
    embeddings = np.asarray(rows, np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return PhotoSet(embeddings, np.asarray(labels, np.int64), np.arange(len(labels)), list(names))


def test_wilsons_interval_has_its_published_values():
    # Newcombe 1998, table I, method 3 (score): 81/263, 15/148 and 0/20
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson(20, 20)[1] == pytest.approx(1.0) and all(np.isnan(wilson(0, 0)))


def test_top1_counts_photos_and_its_mean_over_people_counts_people():
    photos = photo_set([[1, 0, 0]] * 3 + [[0, 1, 0], [0, 1, 0.1], [1, 0, 0]], [0, 0, 0, 1, 2, -1])
    result = identify(np.eye(3, dtype=np.float32), photos)
    assert (result.top1, result.photos) == (4 / 5, 5)  # the stranger is left out
    assert result.macro == pytest.approx(2 / 3)  # Ada 1, Bo 1, Cy 0
    assert result.wrong.tolist() == [4]
    assert result.interval == wilson(4, 5)
    assert result.macro_interval[0] <= result.macro <= result.macro_interval[1]


def test_no_photos_give_nan_and_no_error():
    result = identify(np.eye(3, dtype=np.float32), photo_set(np.zeros((0, 3)), []))
    assert np.isnan(result.top1) and np.isnan(result.macro) and result.photos == 0


def test_many_photos_are_scored_in_parts_like_all_at_once():
    chance = np.random.default_rng(0)
    photos = photo_set(chance.normal(size=(5000, 8)), np.zeros(5000))
    vectors = photo_set(chance.normal(size=(40, 8)), np.zeros(40)).embeddings
    best, scores = identification.predict(vectors, photos)
    whole = photos.embeddings @ vectors.T
    assert (best == whole.argmax(1)).all() and scores == pytest.approx(whole.max(1), abs=1e-6)


def test_own_people_are_those_with_a_photo_in_people_whatever_the_photo():
    manifest = pd.DataFrame({"person": ["Ada", "Ada", "Bo"], "source": ["people", "lfw", "lfw"]})
    assert own_people(manifest, photo_set(np.eye(3), [0, 0, 1])).rows.tolist() == [0, 1]


def noisy_people(photos, seed, people=8, dimension=12, spread=0.55):
    chance = np.random.default_rng(99)
    middles = chance.normal(size=(people, dimension))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    labels = np.repeat(np.arange(people), photos)
    rows = middles[labels] + spread * np.random.default_rng(seed).normal(size=(len(labels), dimension)) / 2
    return photo_set(rows, labels, [f"P{i}" for i in range(people)])


def test_more_photos_per_person_help():
    table = identification.accuracy_by_photos(noisy_people(20, 1), noisy_people(40, 2))
    assert table["photos"].tolist() == [1, 2, 5, 10, 20] and set(table["people"]) == {8}
    assert table["top1"].iloc[-1] > table["top1"].iloc[0] + 0.03
    assert table["top1"].between(0.3, 1).all()


def test_people_enrolled_again_are_recognised_nearly_as_well():
    train, test = noisy_people(20, 1, spread=0.3), noisy_people(20, 2, spread=0.3)
    from facecourse.embedding.photo_sets import centroids

    vectors = centroids(train.embeddings, train.labels, 8)
    again, before = identification.enrolment(train.names, vectors, train, test, ["P0", "P5"], photos=5)
    assert before >= 0.9 and again >= before - 0.15
