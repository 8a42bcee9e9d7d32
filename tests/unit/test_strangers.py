"""Known people and strangers: rates by hand, thresholds that keep their promise, and faces that are like everyone."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facecourse.core import paths
from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics import open_set as strangers
from facecourse.metrics.open_set import OpenSet, calibrate, open_set


def photo_set(rows, labels):
    embeddings = np.asarray(rows, np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    labels = np.asarray(labels, np.int64)
    return PhotoSet(embeddings, labels, np.arange(len(labels)), ["Ada", "Bo", "Cy"])


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
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path)
    with pytest.raises(paths.MissingInput, match="04_evaluate"):
        strangers.load_decision("sample")
    strangers.save_decision("sample", 0.55, (12.0, -6.5), "FAR 1 % on unknown_val", 0.7)
    assert strangers.load_decision("sample") == {
        "threshold": 0.55,
        "crowd": 0.7,
        "calibration": [12.0, -6.5],
        "protocol": "FAR 1 % on unknown_val",
    }
    (paths.outputs_for("sample") / "decision.json").write_text('{"threshold": 0.55}')
    with pytest.raises(paths.MissingInput, match="04_evaluate.* once more"):
        strangers.load_decision("sample")


def faces_like_everyone(likeness, labels, chance, people=40):
    """Photos as like one person as `likeness`, and each, by chance, more or less like everyone besides."""
    everyone, filler = chance.uniform(0, 0.6, len(labels)), np.zeros((len(labels), people + 2))
    filler[:, 0], filler[np.arange(len(labels)), labels + 1] = everyone, likeness
    filler[:, -1] = np.sqrt(1 - everyone**2 - likeness**2)
    return filler


def test_a_likeness_to_the_crowd_taken_off_tells_strangers_apart_better():
    chance, labels = np.random.default_rng(5), np.tile(np.arange(40), 15)
    vectors = np.eye(40, 42, 1, dtype=np.float32)
    vectors[:, 0] = 1
    vectors /= np.sqrt(2)
    known = photo_set(faces_like_everyone(chance.normal(0.6, 0.05, 600), labels, chance), labels)
    others = photo_set(faces_like_everyone(chance.normal(0.4, 0.05, 600), labels, chance), np.full(600, -1))
    table = strangers.crowds(vectors, known, others, 0.01, (0.0, 0.9))
    assert table.loc[0.9, "FRR"] < 0.2 < 0.5 < table.loc[0.0, "FRR"]
    assert table.loc[0.9, "threshold"] < table.loc[0.0, "threshold"]


def test_in_turns_every_stranger_counts_once_and_far_is_near_what_was_asked():
    chance = np.random.default_rng(0)
    many = OpenSet(chance.normal(0.7, 0.1, 3000), np.arange(3000) % 10 > 0, chance.normal(0.3, 0.1, 2000))
    known, others = np.arange(3000) // 3, np.arange(2000) // 2
    far, frr, thresholds = strangers.in_turns(many, known, others, 0.05)
    assert far == pytest.approx(0.05, abs=0.01) and len(thresholds) == 10
    assert frr == pytest.approx(float(many.rates([many.threshold_at(0.05)])[1][0]), abs=0.01)
    assert strangers.in_turns(many, known, others, 0.05)[:2] == (far, frr)


def test_two_sets_of_scores_are_joined_in_order():
    both = scores().joined(OpenSet(np.array([0.1]), np.array([False]), np.array([0.3])))
    assert len(both.known) == 5 and both.right.tolist()[-2:] == [True, False] and both.strangers[-1] == 0.3
