"""Figures against numbers worked out by hand, published ones, and independent ways to compute them."""

import numpy as np
import pandas as pd
import pytest

from facecourse.embedding.photo_sets import PhotoSet, centroids
from facecourse.metrics import verification
from facecourse.metrics.identification import (
    accuracy_by_photos,
    compare_enrolment,
    counted,
    identify,
    predict,
)
from facecourse.metrics.impostors import BINS, compare_all, compare_networks, table_of_matches
from facecourse.metrics.open_set import (
    OpenSet,
    cohort_by_size,
    cross_validated_rates,
    evidence_for,
    open_set,
    reliability,
    tpir_at_fpir,
)
from facecourse.metrics.uncertainty import compare_shares, mcnemar, share_of, wilson
from facecourse.metrics.verification import (
    Pairs,
    all_pairs,
    best_threshold,
    embed_undetected,
    official_pairs,
    read_pairs,
    similarities,
    tar_at_fmr,
    tar_interval,
    ten_folds,
    view_one,
)
from lambda_function.gallery import Gallery


def photo_set(rows, labels, names=("Ada", "Bo", "Cy")):
    embeddings = np.asarray(rows, np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return PhotoSet(embeddings, np.asarray(labels, np.int64), np.arange(len(labels)), list(names))


def noisy_people(photos, seed, people=8, dimension=12, spread=0.55):
    middles = np.random.default_rng(99).normal(size=(people, dimension))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    labels = np.repeat(np.arange(people), photos)
    rows = middles[labels] + spread * np.random.default_rng(seed).normal(size=(len(labels), dimension)) / 2
    return photo_set(rows, labels, [f"P{i}" for i in range(people)])


# ---- identification -------------------------------------------------------------------------------------


def test_top1_counts_photos_and_its_mean_over_people_counts_people():
    photos = photo_set([[1, 0, 0]] * 3 + [[0, 1, 0], [0, 1, 0.1], [1, 0, 0]], [0, 0, 0, 1, 2, -1])
    result = identify(np.eye(3, dtype=np.float32), photos)
    assert (result.top1, result.photos) == (4 / 5, 5)  # the stranger is left out
    assert result.macro == pytest.approx(2 / 3)  # Ada 1, Bo 1, Cy 0
    assert result.wrong.tolist() == [4]
    assert result.macro_interval[0] <= result.macro <= result.macro_interval[1]
    nobody = identify(np.eye(3, dtype=np.float32), photo_set(np.zeros((0, 3)), []))
    assert np.isnan([nobody.top1, nobody.macro, *nobody.interval]).all() and nobody.photos == 0


@pytest.mark.parametrize(
    "right, count, interval", [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0, 0.1611))]
)
def test_wilsons_interval_has_its_published_values(right, count, interval):
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3
    assert wilson(right, count) == pytest.approx(interval, abs=5e-5)


def test_two_shares_are_compared_as_published():
    # Newcombe 1998, Statistics in Medicine 17, table II, method 10; Fisher 1935, the lady who tasted tea
    assert compare_shares((56, 48), (70, 80))[:2] == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert compare_shares((3, 1), (4, 4))[2] == pytest.approx(0.4857, abs=5e-5)


def test_answers_to_the_same_questions_are_compared_in_pairs():
    first, second = np.ones(1000, bool), np.ones(1000, bool)
    second[:6] = False
    assert mcnemar(first, second) == pytest.approx(2 / 2**6) == mcnemar(second, first)
    first[:6] = False
    assert mcnemar(first, second) == 1.0  # both wrong on the same photos


def test_an_interval_is_over_people_and_knows_doubt_where_all_is_right():
    persons = np.repeat(np.arange(40), 50)
    whole = share_of(persons % 2 == 0, persons)  # a person's photos fail together
    assert whole.value == 0.5 and 0.3 < whole.low < 0.4 and 0.6 < whole.high < 0.7
    mixed = share_of(np.arange(2000) % 2 == 0, persons)
    assert mixed.high - mixed.low < 0.01
    right = share_of(np.ones(24), np.arange(24) // 2)
    assert (right.low, right.high) == pytest.approx(wilson(12, 12)) and right.low < 0.8


def test_many_photos_are_scored_in_parts_like_all_at_once():
    chance = np.random.default_rng(0)
    photos = photo_set(chance.normal(size=(5000, 8)), np.zeros(5000))
    vectors = photo_set(chance.normal(size=(40, 8)), np.zeros(40)).embeddings
    best, scores = predict(vectors, photos)
    whole = photos.embeddings @ vectors.T
    assert (best == whole.argmax(1)).all() and scores == pytest.approx(whole.max(1), abs=1e-6)


def test_more_photos_per_person_help():
    table = accuracy_by_photos(noisy_people(20, 1), noisy_people(40, 2))
    assert table["photos"].tolist() == [1, 2, 5, 10, 20] and set(table["people"]) == {8}
    assert table["top1"].iloc[-1] > table["top1"].iloc[0] + 0.03
    assert table["top1"].between(0.3, 1).all()


def test_people_enrolled_again_are_recognised_nearly_as_well_and_the_gallery_stays():
    train, test = noisy_people(20, 1, spread=0.3), noisy_people(20, 2, spread=0.3)
    gallery = Gallery(train.names, centroids(train.embeddings, train.labels, 8))
    again, before = compare_enrolment(gallery, train, test, ["P0", "P5"], photos=5)
    asked = test.take(np.isin(test.labels, [0, 5]))
    assert before == identify(gallery.vectors, asked).top1 >= 0.9 and again >= before - 0.15
    assert gallery.labels == train.names
    one = compare_enrolment(gallery, noisy_people(20, 1, spread=9), test, ["P0", "P5"], photos=1)
    assert one[0] < 0.7 <= one[1] == before  # enrolled from noise


# ---- open set -------------------------------------------------------------------------------------------


def some_scores():
    return OpenSet(
        np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]), np.array([0.1, 0.2, 0.5, 0.75])
    )


def test_fpir_and_fnir_by_hand():
    fpir, fnir = some_scores().rates(np.array([0.0, 0.65, 0.75, 0.76, 0.95]))
    assert fpir.tolist() == [1.0, 0.25, 0.25, 0.0, 0.0]  # a score equal to the threshold gets a name
    assert fnir.tolist() == [0.25, 0.5, 0.5, 0.5, 1.0]  # the misnamed photo never counts as right


@pytest.mark.parametrize("fpir", [0.0, 0.01, 0.25, 1.0])
def test_the_threshold_keeps_the_promised_fpir_and_a_lower_one_would_not(fpir):
    chance = np.random.default_rng(0)
    many = OpenSet(np.array([1.0]), np.array([True]), np.round(chance.normal(0.3, 0.1, 500), 3))
    threshold = many.threshold_at(fpir)
    assert many.rates([threshold])[0][0] <= fpir + 1e-9
    lower = max(many.non_mated[many.non_mated < threshold], default=-1.0)
    assert fpir == 1.0 or many.rates([lower])[0][0] > fpir + 1e-9


def test_a_rate_in_per_cent_and_a_threshold_without_strangers_are_refused():
    with pytest.raises(ValueError, match="FPIR is a share from 0 to 1"):
        some_scores().threshold_at(1.5)
    with pytest.raises(ValueError, match="strangers"):
        OpenSet(np.array([1.0]), np.array([True]), np.array([])).threshold_at(0.01)


def test_open_set_scores_the_best_person():
    vectors = np.eye(3, dtype=np.float32)
    found = open_set(vectors, photo_set([[1, 0, 0], [1, 0.2, 0]], [0, 1]), photo_set([[0.6, 0.8, 0]], [-1]))
    assert found.right.tolist() == [True, False] and found.non_mated == pytest.approx([0.8])


def faces_like_everyone(likeness, labels, chance, people=40):
    """Photos as like one person as `likeness`, and each, by chance, more or less like everyone besides."""
    everyone, filler = chance.uniform(0, 0.6, len(labels)), np.zeros((len(labels), people + 2))
    filler[:, 0], filler[np.arange(len(labels)), labels + 1] = everyone, likeness
    filler[:, -1] = np.sqrt(1 - everyone**2 - likeness**2)
    return filler


def test_the_cohort_taken_off_tells_strangers_apart_better():
    chance, labels = np.random.default_rng(5), np.tile(np.arange(120), 10)
    vectors = np.eye(120, 122, 1, dtype=np.float32)
    vectors[:, 0] = 1
    vectors /= np.sqrt(2)
    known = photo_set(faces_like_everyone(chance.normal(0.6, 0.05, 1200), labels, chance, 120), labels)
    others = photo_set(
        faces_like_everyone(chance.normal(0.4, 0.05, 1200), labels, chance, 120), np.full(1200, -1)
    )
    rate = {}
    for weight in (0.0, 0.9):
        scores = open_set(vectors, known, others, weight)
        rate[weight] = float(scores.rates([scores.threshold_at(0.01)])[1][0])
    assert rate[0.9] < 0.2 < 0.5 < rate[0.0]
    table = cohort_by_size(known, (100, 5000), (0.0, 0.5), draws=1)
    assert table.index.tolist() == [] and len(cohort_by_size(noisy_people(4, 0, 300), (100,), draws=1)) == 1


def test_a_trained_heads_own_people_are_no_strangers_and_means_are():
    train, val = noisy_people(6, 1), noisy_people(3, 2)
    unknown = photo_set(np.random.default_rng(3).normal(size=(10, 12)), np.full(10, -1), train.names)
    sets = {"train": train, "val": val, "unknown_val": unknown}
    persons = np.array([f"P{k // 2}" for k in range(100)])
    gallery = Gallery(
        train.names, centroids(train.embeddings, train.labels, 8), about={"kind": "nearest centroid"}
    )
    means = evidence_for(gallery, sets, persons, np.zeros((0, 3)), 0.01)
    assert means.strangers.all() and len(means.photos) == len(train)
    first = train.embeddings[1:6].sum(0)
    assert means.own[0] == pytest.approx(train.embeddings[0] @ first / np.linalg.norm(first), abs=1e-6)
    for about in ({"kind": "nearest centroid", "tuned": True}, {"kind": "cosface"}):
        gallery.about = about
        trained = evidence_for(gallery, sets, persons, np.zeros((0, 3)), 0.01)
        assert len(trained.photos) == len(val) + len(unknown)
    assert trained.strangers.tolist() == [False] * 24 + [True] * 10
    assert len(np.unique(trained.owners[24:])) == 5 and trained.owners[24:].max() < 0
    assert trained.own[:24] == pytest.approx((val.embeddings * gallery.vectors[val.labels]).sum(1))


def test_a_confidence_that_comes_true_lies_on_the_line_and_one_that_boasts_does_not():
    chance = np.random.default_rng(0)
    mated = np.arange(8000) < 4000
    said = np.where(mated, chance.beta(3, 1, 8000), chance.beta(1, 3, 8000))
    honest = said**2 / (said**2 + (1 - said) ** 2)  # by Bayes: the two densities' odds
    persons = np.arange(8000) // 4
    good = reliability(honest, mated, mated, persons)
    assert (np.abs(good.table["said"] - good.table["found"]) < 0.06).all()
    assert good.interval[0] < good.brier < good.interval[1] < 0.2
    assert reliability(honest**0.2, mated, mated, persons).brier > good.brier + 0.1
    assert reliability(np.full(8000, 0.5), mated, mated, persons).brier == pytest.approx(0.25)


def test_tpir_falls_with_fpir_and_has_its_interval_around_it():
    chance = np.random.default_rng(0)
    many = OpenSet(chance.normal(0.7, 0.1, 2000), np.ones(2000, bool), chance.normal(0.3, 0.1, 2000))
    table = tpir_at_fpir(many, np.arange(2000) // 2, np.arange(2000) // 2)
    value, low, high = (
        table["TPIR"].str.findall(r"[\d.]+").map(lambda found: [float(v) for v in found]).loc["1.0%"]
    )
    assert low < value < high and value == pytest.approx(
        100 * 0.953, abs=1.5
    )  # 0.4 apart: 4 - 2.33 deviations
    assert table["non-mated probes above"].tolist() == [2, 20, 200]
    assert table.loc["0.1%", "TPIR"].endswith("(too few strangers)")


def test_all_pairs_are_counted_once_each_and_drawn_by_person():
    photos = noisy_people(5, 1)
    whole = compare_all(photos.embeddings, photos.labels, block=7)
    scores, same = all_pairs(photos.embeddings, photos.labels)
    assert (whole.mated.sum(), whole.non_mated.sum()) == (2 * same.sum(), 2 * (~same).sum())
    fmr, fnmr = whole.rates()
    at = np.searchsorted(BINS, 0.5)
    assert fmr[at] == pytest.approx((scores[~same] >= 0.5).mean(), abs=0.01)
    assert fnmr[at] == pytest.approx((scores[same] < 0.5).mean(), abs=0.01)
    drawn = np.array([rates[0][at] for rates in whole.draws(100)])
    assert drawn.std() > 0 and drawn.mean() == pytest.approx(fmr[at], rel=0.3)


def test_two_networks_are_compared_on_the_same_draws_of_people():
    good, bad = (noisy_people(12, seed=5, people=12, spread=spread) for spread in (0.5, 0.9))
    photos = {"good": good.embeddings, "bad": bad.embeddings}
    table = compare_networks(photos, good.labels, fmrs=(1e-2,), draws=200)["TAR at FMR 0.01"]
    (a, *_), (b, *_), (difference, low, high) = (
        [float(part) for part in text.replace("[", "").replace(",", "").rstrip("]").split()] for text in table
    )
    assert difference == pytest.approx(a - b, abs=2e-3) and 0 < low < difference < high
    scores, same = all_pairs(good.embeddings, good.labels)
    assert a == pytest.approx(tar_at_fmr(scores, same, 0.01), abs=0.01)
    twice = compare_networks({"one": good.embeddings, "again": good.embeddings}, good.labels, draws=50)
    assert (twice.iloc[2] == "0.000 [0.000, 0.000]").all()


def test_people_alike_match_more_often_and_likeness_is_found_on_other_photos():
    table = table_of_matches(*(lambda p: (p.embeddings, p.labels))(noisy_people(6, 1, people=40)))
    assert (table["fmr_alike"] >= table["fmr"] - 1e-3).all() and table["fmr_alike"].iloc[30] > 2 * table[
        "fmr"
    ].iloc[30]
    assert table["fnmr"].is_monotonic_increasing and table["fmr"].is_monotonic_decreasing
    # Pure noise has nobody alike: what looks so on one half of the photos does not on the other.
    noise = np.random.default_rng(0).normal(size=(800, 24))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    none = table_of_matches(noise, np.arange(800) // 4).set_index("cosine")
    assert none.loc[0.3, "fmr_alike"] == pytest.approx(none.loc[0.3, "fmr"], rel=0.15)


def test_cross_validation_counts_every_stranger_once_and_is_near_what_was_asked():
    chance = np.random.default_rng(0)
    many = OpenSet(chance.normal(0.7, 0.1, 3000), np.arange(3000) % 10 > 0, chance.normal(0.3, 0.1, 2000))
    known, others = np.arange(3000) // 3, np.arange(2000) // 2
    fpir, fnir, thresholds = cross_validated_rates(many, known, others, 0.05)
    assert fpir == pytest.approx(0.05, abs=0.01) and len(thresholds) == 10
    assert fnir == pytest.approx(float(many.rates([many.threshold_at(0.05)])[1][0]), abs=0.01)


def test_a_strangers_photos_share_a_fold():
    # One stranger scores high. Were those photos spread over folds, they would raise each other's threshold.
    values, persons = np.full(40, 0.2), np.arange(40) // 4
    values[:4] = 0.9
    scores = OpenSet(np.array([0.5]), np.array([True]), values)
    fpir, fnir, thresholds = cross_validated_rates(scores, np.array(["Ada"]), persons, 0.0, folds=10)
    assert fpir == 0.1 and (thresholds < 0.3).sum() == 1


# ---- verification ---------------------------------------------------------------------------------------

TEXT = "2\t1\nAda\t1\t4\nAda\t1\tBo_Li\t2\nBo_Li\t2\t3\nCy\t1\tAda\t4\n"


@pytest.fixture
def pairs_file(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    "text, message",
    [("2\t1\nAda\t1\t4\n", "announces 4 pairs and holds 1"), (TEXT.replace("\t4\n", "\n"), "line")],
)
def test_a_damaged_list_of_pairs_is_refused(pairs_file, text, message):
    pairs_file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(pairs_file)


def test_view_one_has_no_folds_and_leaves_out_the_vault(tmp_path, monkeypatch):
    path = tmp_path / "pairsDevTest.txt"
    path.write_text("1\nAda\t1\t4\nAda\t1\tBo\t2\n")
    assert read_pairs(path) == [(0, "Ada_0001", "Ada_0004", True), (0, "Ada_0001", "Bo_0002", False)]
    manifest = pd.DataFrame({"path": ["Ada_0001.jpg", "Ada_0004.jpg", "Bo_0002.jpg"], "source": "lfw"})
    monkeypatch.setattr(verification, "in_vault", lambda person: person == "Bo")
    assert view_one(manifest, [path]).same.tolist() == [True]


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


def test_lfws_photos_without_a_face_are_embedded_by_the_median_box(monkeypatch):
    boxes = [[0, 0, 90, 90], [4, 2, 100, 110], [90, 90, 99, 99], None, None, None]
    manifest = pd.DataFrame(
        {
            "source": ["lfw"] * 5 + ["people"],
            "width": [250, 250, 250, 250, 0, 250],  # 0: cannot be read
            "path": [f"{i}.jpg" for i in range(6)],
            "sha256": [f"{i:064d}" for i in range(6)],
            "box": boxes,
            "landmarks": [None if box is None else np.arange(10.0) for box in boxes],
        }
    )
    asked = []

    def embed_faces(paths, sha256s, faces, backbone, progress):
        asked.extend(zip((path.name for path in paths), (face.box.tolist() for face in faces), strict=True))
        return np.tile(np.float32([0.6, 0.8]), (len(paths), 1))

    monkeypatch.setattr(verification, "embed_faces", embed_faces)
    embeddings = np.float32([[1, 0]] * 3 + [[np.nan, np.nan]] * 3)
    filled = embed_undetected(manifest, embeddings, None)
    assert asked == [("3.jpg", [4, 2, 99, 99])]
    assert filled[3] == pytest.approx([0.6, 0.8]) and (filled[:3] == embeddings[:3]).all()
    assert np.isnan(filled[4:]).all() and np.isnan(embeddings[3:]).all()


def test_pairs_are_compared_by_their_cosine():
    embeddings = np.array([[1, 0], [0.6, 0.8], [np.nan, np.nan]], np.float32)
    pairs = Pairs(np.array([0, 0]), np.array([1, 2]), np.array([True, True]), np.zeros(2))
    assert similarities(embeddings, pairs) == pytest.approx([0.6, np.nan], nan_ok=True)
    scores, same = all_pairs(np.float32([[1, 0], [1, 0], [0, 1]]), np.array(["Ada", "Ada", "Bo"]))
    assert scores.tolist() == [1, 0, 0] and same.tolist() == [True, False, False]  # once each


def made_up(n=4000, seed=0, shift=1.5):
    chance = np.random.default_rng(seed)
    same = chance.random(n) < 0.5
    return chance.normal(size=n) + shift * same, same


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


def test_tar_at_fmr_by_hand():
    same = np.array([True, True, False, True, False])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert tar_at_fmr(scores, same, 0.0) == pytest.approx(2 / 3)
    assert tar_at_fmr(scores, same, 0.5) == 1.0
    assert tar_at_fmr(np.array([0.5, 0.5]), np.array([True, False]), 0.1) == 0.0  # a tie cannot be told apart
    assert tar_at_fmr(np.array([0.9, np.nan, 0.5]), np.array([True, True, False]), 0.0) == 0.5


@pytest.mark.parametrize("digits", [9, 1], ids=["all different", "many equal scores"])
@pytest.mark.parametrize("fmr", [1e-3, 0.01, 0.2])
def test_tar_at_fmr_is_the_best_of_all_thresholds(digits, fmr):
    scores, same = made_up()
    scores = np.round(scores, digits)
    kept = [t for t in np.unique(scores) if (scores[~same] >= t).mean() <= fmr]
    assert tar_at_fmr(scores, same, fmr) == pytest.approx(max((scores[same] >= t).mean() for t in kept))


def test_the_interval_of_tar_is_over_people_and_not_over_pairs():
    photos = noisy_people(12, 1, people=40, dimension=24)
    pairs = verification.pairs_among(np.arange(len(photos)), photos.labels)
    scores = similarities(photos.embeddings, pairs)
    value = tar_at_fmr(scores, pairs.same, 0.01)
    low, high = tar_interval(scores, pairs, photos.labels, 0.01, draws=200)
    assert low < value < high and 0.02 < high - low < 0.4
    alone = Pairs(pairs.left, pairs.right, pairs.same, pairs.folds)
    each = tar_interval(
        scores, alone, np.arange(len(photos)), 0.01, draws=200
    )  # as if all photos were strangers'
    assert each[1] - each[0] < high - low
    nothing = Pairs(np.array([0]), np.array([1]), np.array([True]), np.array([0]))
    assert np.isnan(tar_interval(np.array([0.5]), nothing, np.array(["Ada", "Ada"]))).all()
    # Nobody is refused, which forty people do not prove.
    apart = noisy_people(12, 1, people=40, dimension=24, spread=0.01)
    low, high = tar_interval(similarities(apart.embeddings, pairs), pairs, apart.labels, 0.01)
    assert 0.9 < low < 0.95 and high == 1


def test_equal_scores_are_accepted_together_also_by_folds_and_intervals():
    assert best_threshold(np.full(3, 0.5), np.array([True, False, False])) > 0.5
    pairs = verification.pairs_among(np.arange(40), np.arange(40) // 2)
    low, high = tar_interval(np.full(len(pairs.same), 0.5), pairs, np.arange(40) // 2, 0.01)
    assert low == 0 and high < 0.2


def test_of_a_manifest_with_lfw_only_lfws_photos_are_counted():
    photos = photo_set(np.eye(3), np.array([0, 1, 0]))
    for sources, rows in ((["lfw", "people", "lfw"], [0, 2]), (["people", "people", "others"], [0, 1, 2])):
        assert counted(pd.DataFrame({"source": sources}), photos).rows.tolist() == rows
