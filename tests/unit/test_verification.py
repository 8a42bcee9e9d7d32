"""LFW's protocol, ROC and TAR@FAR against scikit-learn and against counts by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from facecourse.metrics.verification import (
    Pairs,
    all_pairs,
    best_threshold,
    official_pairs,
    read_pairs,
    roc,
    similarities,
    tar_at_far,
    ten_folds,
)

TEXT = "2\t1\nAda\t1\t4\nAda\t1\tBo_Li\t2\nBo_Li\t2\t3\nCy\t1\tAda\t4\n"


@pytest.fixture
def pairs_file(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(TEXT)
    return path


def made_up(n=4000, seed=0, shift=1.5):
    chance = np.random.default_rng(seed)
    same = chance.random(n) < 0.5
    return chance.normal(size=n) + shift * same, same


def test_pairs_are_read_with_their_folds(pairs_file):
    assert read_pairs(pairs_file) == [
        (0, "Ada_0001", "Ada_0004", True),
        (0, "Ada_0001", "Bo_Li_0002", False),
        (1, "Bo_Li_0002", "Bo_Li_0003", True),
        (1, "Cy_0001", "Ada_0004", False),
    ]


@pytest.mark.parametrize(
    "text, message",
    [("2\t1\nAda\t1\t4\n", "announces 4 pairs and holds 1"), (TEXT.replace("\t4\n", "\n"), "line")],
)
def test_a_damaged_list_of_pairs_is_refused(pairs_file, text, message):
    pairs_file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(pairs_file)


def test_official_pairs_are_found_in_the_manifest_or_not_given_at_all(pairs_file):
    names = ["Cy_0001", "Bo_Li_0003", "Bo_Li_0002", "Ada_0004", "Ada_0001"]
    paths = [f"data/downloads/lfw/{name[:-5]}/{name}.jpg" for name in names]
    manifest = pd.DataFrame(
        {"path": paths + ["data/people/Ada/Ada_0001.jpg"], "source": ["lfw"] * 5 + ["people"]}
    )
    found = official_pairs(manifest, pairs_file)
    assert found.left.tolist() == [4, 4, 2, 0] and found.right.tolist() == [3, 2, 1, 3]
    assert found.same.tolist() == [True, False, True, False] and found.folds.tolist() == [0, 0, 1, 1]
    assert official_pairs(manifest.drop(index=1), pairs_file) is None


def test_the_real_list_has_ten_folds_of_600(lfw_mirror):
    table = pd.DataFrame(read_pairs(lfw_mirror / "pairs.txt"), columns=["fold", "left", "right", "same"])
    assert table.groupby(["fold", "same"]).size().tolist() == [300] * 20


def test_similarity_is_the_cosine_and_nan_stays_nan():
    embeddings = np.array([[1, 0], [0.6, 0.8], [np.nan, np.nan]], np.float32)
    pairs = Pairs(np.array([0, 0]), np.array([1, 2]), np.array([True, True]), np.zeros(2))
    assert similarities(embeddings, pairs) == pytest.approx([0.6, np.nan], nan_ok=True)


def test_the_best_threshold_is_the_best_of_all():
    scores, same = made_up(500)
    chosen = ((scores >= best_threshold(scores, same)) == same).mean()
    tried = [((scores >= t) == same).mean() for t in [*scores, scores.max() + 1]]
    assert chosen == max(tried)


@pytest.mark.parametrize("same, accepted", [([True] * 3, 3), ([False] * 3, 0)])
def test_with_one_kind_of_pairs_all_or_none_are_accepted(same, accepted):
    scores = np.array([0.1, 0.2, 0.3])
    assert (scores >= best_threshold(scores, np.array(same))).sum() == accepted


def test_each_folds_threshold_comes_from_the_other_folds():
    # Fold 0's scores lie half a unit higher: its own best threshold would be perfect, the others' is not.
    same = np.tile([True, False], 30)
    folds = np.repeat(np.arange(3), 20)
    scores = np.where(same, 0.6, 0.4) + np.where(folds == 0, 0.5, 0.0)
    result = ten_folds(scores, Pairs(np.zeros(60), np.zeros(60), same, folds))
    assert result.accuracies[0] == 0.5 and result.thresholds[0] == pytest.approx(0.5)
    assert result.wrong[:20].sum() == 10 and result.mean == result.accuracies.mean()
    expected = np.std(result.accuracies, ddof=1) / np.sqrt(3)
    assert result.standard_error == pytest.approx(expected)


def test_a_pair_without_a_score_counts_as_wrong():
    scores, same = made_up(600, shift=8)
    pairs = Pairs(np.zeros(600), np.zeros(600), same, np.arange(600) % 10)
    assert ten_folds(scores, pairs).mean == 1.0
    scores[::20] = np.nan
    result = ten_folds(scores, pairs)
    assert result.mean == pytest.approx(0.95) and result.wrong.sum() == 30 and result.wrong[::20].all()


@pytest.mark.parametrize("digits", [9, 1], ids=["all different", "many equal scores"])
def test_roc_agrees_with_scikit_learn(digits):
    scores, same = made_up()
    scores = np.round(scores, digits)
    far, tar, thresholds = roc(scores, same)
    theirs = roc_curve(same, scores, drop_intermediate=False)
    assert far == pytest.approx(theirs[0][1:]) and tar == pytest.approx(theirs[1][1:])
    assert thresholds == pytest.approx(theirs[2][1:])
    area = np.trapezoid(np.r_[0, tar], np.r_[0, far])
    assert area == pytest.approx(roc_auc_score(same, scores))


def test_tar_at_far_by_hand():
    same = np.array([True, True, False, True, False])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert tar_at_far(scores, same, 0.0) == pytest.approx(2 / 3)
    assert tar_at_far(scores, same, 0.5) == 1.0
    assert tar_at_far(np.array([0.5, 0.5]), np.array([True, False]), 0.1) == 0.0  # a tie cannot be told apart


def test_all_pairs_compares_each_pair_once():
    embeddings = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    scores, same = all_pairs(embeddings, np.array(["Ada", "Ada", "Bo"]))
    assert scores.tolist() == [1, 0, 0] and same.tolist() == [True, False, False]
