"""Figures against numbers worked out by hand, and against independent ways to compute them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from facecourse import evaluation, settings
from facecourse.evaluation import OpenSet, calibrate, identify, open_set, own_people, wilson
from facecourse.photo_sets import PhotoSet


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
    best, scores = evaluation.predict(vectors, photos)
    whole = photos.embeddings @ vectors.T
    assert (best == whole.argmax(1)).all() and scores == pytest.approx(whole.max(1), abs=1e-6)


def test_own_people_are_those_with_a_photo_in_people_whatever_the_photo():
    manifest = pd.DataFrame({"person": ["Ada", "Ada", "Bo"], "source": ["people", "lfw", "lfw"]})
    assert own_people(manifest, photo_set(np.eye(3), [0, 0, 1])).rows.tolist() == [0, 1]


def scores():
    return OpenSet(
        np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]), np.array([0.1, 0.2, 0.5, 0.75])
    )


def test_far_and_frr_by_hand():
    far, frr = scores().rates(np.array([0.0, 0.65, 0.75, 0.76, 0.95]))
    assert far.tolist() == [1.0, 0.25, 0.25, 0.0, 0.0]  # a score equal to the threshold gets a name
    assert frr.tolist() == [0.25, 0.5, 0.5, 0.5, 1.0]  # the misnamed photo never counts as right


@pytest.mark.parametrize("far", [0.0, 0.01, 0.05, 0.25, 0.5, 1.0])
def test_the_threshold_keeps_the_promised_far_and_a_lower_one_would_not(far):
    chance = np.random.default_rng(0)
    many = OpenSet(np.array([1.0]), np.array([True]), np.round(chance.normal(0.3, 0.1, 500), 3))
    threshold = many.threshold_at(far)
    assert many.rates([threshold])[0][0] <= far + 1e-9
    lower = max(many.strangers[many.strangers < threshold], default=-1.0)
    assert far == 1.0 or many.rates([lower])[0][0] > far + 1e-9


def test_without_strangers_there_is_no_threshold():
    with pytest.raises(ValueError, match="strangers"):
        OpenSet(np.array([1.0]), np.array([True]), np.array([])).threshold_at(0.01)


def test_open_set_scores_the_best_person():
    vectors = np.eye(3, dtype=np.float32)
    found = open_set(vectors, photo_set([[1, 0, 0], [1, 0.2, 0]], [0, 1]), photo_set([[0.6, 0.8, 0]], [-1]))
    assert found.right.tolist() == [True, False] and found.strangers == pytest.approx([0.8])


def test_confidence_rises_with_similarity_and_is_even_where_both_are_as_likely():
    chance = np.random.default_rng(0)
    known, strangers = chance.normal(0.7, 0.08, 4000), chance.normal(0.3, 0.08, 1000)
    slope, offset = calibrate(OpenSet(known, np.ones(4000, bool), strangers))

    def confidence(score):
        return 1 / (1 + np.exp(-(slope * score + offset)))

    # Two normal curves of one width: the true odds are even in the middle, though there are four times as many known.
    assert confidence(0.5) == pytest.approx(0.5, abs=0.06)
    assert confidence(0.7) > 0.95 and confidence(0.3) < 0.05
    values = np.concatenate([known, strangers])
    truth = np.repeat([True, False], [4000, 1000])
    assert roc_auc_score(truth, confidence(values)) == pytest.approx(roc_auc_score(truth, values))


def test_a_calibration_without_mistakes_of_the_network_still_rises():
    slope, _ = calibrate(OpenSet(np.array([0.2, 0.3]), np.array([True, True]), np.array([0.8, 0.9])))
    assert slope > 0  # even where strangers score higher, a higher score must not mean less sure


def test_a_decision_comes_back_and_a_missing_one_names_the_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "OUTPUTS", tmp_path)
    with pytest.raises(settings.MissingInput, match="04_evaluate"):
        evaluation.load_decision("sample")
    evaluation.save_decision("sample", 0.55, (12.0, -6.5), "FAR 1 % on unknown_val")
    assert evaluation.load_decision("sample") == {
        "threshold": 0.55,
        "calibration": [12.0, -6.5],
        "protocol": "FAR 1 % on unknown_val",
    }


def noisy_people(photos, seed, people=8, dimension=12, spread=0.55):
    chance = np.random.default_rng(99)
    middles = chance.normal(size=(people, dimension))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    labels = np.repeat(np.arange(people), photos)
    rows = middles[labels] + spread * np.random.default_rng(seed).normal(size=(len(labels), dimension)) / 2
    return photo_set(rows, labels, [f"P{i}" for i in range(people)])


def test_more_photos_per_person_help():
    table = evaluation.accuracy_by_photos(noisy_people(20, 1), noisy_people(40, 2))
    assert table["photos"].tolist() == [1, 2, 5, 10, 20] and set(table["people"]) == {8}
    assert table["top1"].iloc[-1] > table["top1"].iloc[0] + 0.03
    assert table["top1"].between(0.3, 1).all()


def test_people_enrolled_again_are_recognised_nearly_as_well():
    train, test = noisy_people(20, 1, spread=0.3), noisy_people(20, 2, spread=0.3)
    from facecourse.photo_sets import centroids

    vectors = centroids(train.embeddings, train.labels, 8)
    again, before = evaluation.enrolment(train.names, vectors, train, test, ["P0", "P5"], photos=5)
    assert before >= 0.9 and again >= before - 0.15
