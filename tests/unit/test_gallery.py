from dataclasses import replace

import numpy as np
import pytest

from lambda_function import evidence
from lambda_function.evidence import MOST_PHOTOS, Evidence, left_out
from lambda_function.gallery import COHORT_LEAST, COHORT_SIZE, UNKNOWN, Gallery, cohort_mean


@pytest.fixture
def gallery():
    return Gallery(["Ada", "Bo", "Cy"], np.eye(3, 4), threshold=0.6, calibration=(10.0, -6.0))


def test_names_the_nearest_and_refuses_strangers(gallery):
    known, stranger = gallery.identify(np.array([[0, 0.9, 0.1, 0.42], [0.3, 0.3, 0.3, 0.85]]), top=2)
    assert known.name == "Bo" and [name for name, *_ in known.top] == ["Bo", "Cy"]
    assert stranger.name == UNKNOWN and len(stranger.top) == 2


def test_confidence_is_a_half_where_the_calibration_crosses_zero(gallery):
    assert gallery.confidence(np.array([0.6]))[0] == pytest.approx(0.5)
    assert (np.diff(gallery.confidence(np.linspace(-1, 1, 9))) > 0).all()


def test_threshold_can_be_moved_without_the_network(gallery):
    probe = np.array([[0, 0.55, 0, 0.83]])
    assert gallery.identify(probe)[0].name == UNKNOWN
    assert gallery.identify(probe, threshold=0.5)[0].name == "Bo"


def test_enrol_then_remove_leaves_the_others_as_they_were(gallery):
    before = gallery.vectors.copy()
    gallery.enrol("Di", np.array([[0, 0, 0.1, 1.0], [0, 0, -0.1, 1.0]]))
    assert gallery.identify(np.array([[0, 0, 0, 1.0]]))[0].name == "Di"
    gallery.enrol("Di", np.array([[0, 0, 0, 1.0]]))
    assert gallery.labels.count("Di") == 1
    assert gallery.remove("Di") and not gallery.remove("Di")
    assert np.array_equal(gallery.vectors, before)


@pytest.mark.parametrize(
    "name, embeddings, word",
    [
        ("  ", np.eye(1, 4), "name"),
        ("Unknown", np.eye(1, 4), "name"),
        ("Di", np.zeros((0, 4)), "embeddings"),
        ("Di", np.eye(1, 5), "embeddings"),
        ("Di", np.full((1, 4), np.nan), "embeddings"),
    ],
)
def test_enrolment_refuses_what_is_no_name_or_no_embedding(gallery, name, embeddings, word):
    with pytest.raises(ValueError, match=word):
        gallery.enrol(name, embeddings)


def test_the_cohort_mean_is_the_mean_of_those_after_the_best():
    cosines = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.6]])
    assert cohort_mean(cosines).ravel() == pytest.approx([0.2, 0.4])
    many = np.random.default_rng(0).normal(size=(7, 300))
    ordered = np.sort(many, axis=1)[:, ::-1]
    assert cohort_mean(many).ravel() == pytest.approx(ordered[:, 1 : COHORT_SIZE + 1].mean(axis=1))
    assert not cohort_mean(np.ones((2, 1))).any() and cohort_mean(many[:0]).shape == (
        0,
        1,
    )


def test_a_face_like_everyone_needs_more_to_get_a_name_where_there_is_a_cohort():
    chance = np.random.default_rng(0)
    for people in (COHORT_LEAST - 1, COHORT_LEAST):
        crowd = unit(chance.normal(size=(people, 8)))
        gallery, probe = Gallery([f"P{i}" for i in range(people)], crowd, 0.6, cohort_weight=0.5), crowd[:1]
        cosines = probe @ crowd.T
        taken_off = 0.5 * cohort_mean(cosines) if people == COHORT_LEAST else 0
        assert gallery.scores(probe) == pytest.approx(cosines - taken_off, abs=1e-6)
        assert gallery.identify(probe)[0].top[0][0] == "P0"  # rank 1 never changes


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


TABLE = np.array([[0.0, 0.5, 1e-4], [0.4, 1e-2, 2e-3], [0.6, 1e-4, 0.02], [1.0, 1e-8, 1.0]])


def family(people=6, photos=8, alike=0.0, seed=0, spread=0.5):
    """Photos of people, as unit vectors; each person is like all others by the cosine `alike`."""
    chance = np.random.default_rng(seed)
    common = np.append(np.sqrt(alike), np.zeros(32))
    middles = np.hstack([np.zeros((people, 1)), unit(chance.normal(size=(people, 32)))])
    labels = np.repeat(np.arange(people), photos)
    middles = unit(common + np.sqrt(1 - alike) * middles)
    return unit(middles[labels] + spread / 5.7 * chance.normal(size=(len(labels), 33))), labels


def gallery_of(rows, labels, table=TABLE, fpir=0.01, weight=0.0):
    people = labels.max() + 1
    gallery = Gallery(
        [f"P{i}" for i in range(people)],
        unit(np.stack([rows[labels == i].mean(0) for i in range(people)])),
        cohort_weight=weight,
    )
    known = np.ones(len(rows), bool)
    gallery.rest_on(Evidence(rows, labels.astype(np.int64), left_out(rows, labels), known, table, fpir))
    return gallery


def test_people_alike_raise_the_threshold_above_what_the_table_says():
    floor = {n: gallery_of(*family(n)).threshold for n in (2, 6, 40)}
    assert floor[2] < floor[6] < floor[40]  # one more to be taken for
    expected = 1 - (1 - np.exp(np.interp(floor[6], TABLE[:, 0], np.log(TABLE[:, 1])))) ** 6
    assert 0.005 < expected <= 0.01
    rows, labels = family(6, alike=0.55)
    brothers = gallery_of(rows, labels)
    best = np.array(
        [np.delete(brothers.vectors @ row, owner).max() for row, owner in zip(rows, labels, strict=True)]
    )
    assert brothers.threshold > floor[6] + 0.05 and (best >= brothers.threshold).mean() < 0.1
    assert gallery_of(rows, labels, TABLE[:0]).threshold > best.max()  # without a table the photos alone


def test_twins_do_not_shut_everyone_out():
    rows, labels = family(6)
    twin = unit(rows[labels == 0] + 0.02 * np.random.default_rng(1).normal(size=(8, 33)))
    both, owners = np.vstack([rows, twin]), np.append(labels, np.full(8, 6))
    assert gallery_of(both, owners).threshold < gallery_of(rows, labels).threshold + 0.05
    stranger = gallery_of(rows, labels).evidence
    gallery = gallery_of(rows, labels)
    outside = {
        "photos": np.vstack([rows, twin]),
        "owners": np.append(labels, np.full(8, -1)).astype(np.int64),
    }
    more = {"own": np.append(stranger.own, np.full(8, np.nan)), "strangers": np.ones(56, bool)}
    gallery.rest_on(replace(stranger, **outside, **more))
    assert gallery.threshold > (twin @ gallery.vectors.T).max(1).min()  # a twin who is a stranger does count


def test_enrolling_and_removing_chooses_the_threshold_anew_and_leaves_no_trace():
    rows, labels = family(6)
    gallery, whole = gallery_of(rows[labels < 5], labels[labels < 5]), gallery_of(rows, labels)
    first = gallery.threshold, gallery.calibration
    gallery.enrol("P5", rows[labels == 5])
    assert gallery.threshold == whole.threshold and gallery.threshold != first[0]
    assert gallery.calibration == pytest.approx(whole.calibration, rel=1e-3)
    gallery.remove("P5")
    assert (gallery.threshold, gallery.calibration) == first
    assert len(gallery.evidence.photos) == 40 and not len(whole.emptied().evidence.photos)
    nobody = whole.emptied()
    nobody.enrol("Ada", rows[:3])
    assert nobody.threshold > 0.3 and nobody.identify(rows[:1])[0].name == "Ada"


def test_a_decision_takes_milliseconds_and_few_photos_in_a_large_gallery():
    rows, labels = family(2000, 2)
    gallery = gallery_of(rows, labels)
    assert len(gallery.evidence.photos) == MOST_PHOTOS == len(np.unique(gallery.evidence.owners))
    assert 0.3 < gallery.threshold < 1


def test_a_decision_needs_no_more_than_the_nearest_of_many(monkeypatch):
    rows, labels = family(120, 3)
    few = gallery_of(rows, labels, weight=0.5)
    monkeypatch.setattr(evidence, "NEAREST", 120)
    whole = gallery_of(rows, labels, weight=0.5)
    assert few.threshold == whole.threshold and few.calibration == pytest.approx(whole.calibration)
    assert few.curve == pytest.approx(whole.curve)


def test_the_probabilities_of_all_people_and_of_nobody_add_up_to_one():
    rows, labels = family(6, alike=0.6)
    gallery = gallery_of(rows, labels)
    for match in gallery.identify(rows[::8], top=6):
        shares = [share for _, _, share in match.top]
        assert sum(shares) < 1 and shares[0] == match.confidence and shares == sorted(shares, reverse=True)
        assert 0 < match.fpir < 0.01 <= gallery.fpir(0.2)


def test_confidence_is_a_half_where_strangers_are_as_likely_to_have_the_score():
    chance = np.random.default_rng(0)
    people, scores = 240, np.append(chance.normal(0.7, 0.08, 240), chance.normal(0.3, 0.08, 240)).clip(-1, 1)
    # One person enrolled; each photo's first coordinate is its cosine to them.
    rows = np.stack([scores, np.sqrt(1 - scores**2)], axis=1).astype(np.float32)
    owners = np.append(np.zeros(people), -1 - np.arange(people)).astype(np.int64)
    own = np.append(scores[:people], np.full(people, np.nan)).astype(np.float32)
    gallery = Gallery(["Ada"], np.eye(1, 2))
    gallery.rest_on(Evidence(rows, owners, own, owners < 0, TABLE[:0]))
    slope, offset = gallery.calibration  # two normal curves of one width: exactly such a line
    assert slope == pytest.approx(0.4 / 0.08**2, rel=0.25) and -offset / slope == pytest.approx(0.5, abs=0.02)
    assert gallery.confidence(-offset / slope) == pytest.approx(0.5)
    assert 0 < (scores[people:] >= gallery.threshold).mean() <= 0.01


def test_one_file_holds_every_field(tmp_path):
    gallery = gallery_of(*family())
    gallery.cohort_weight, gallery.about = 0.7, {"kind": "cosface", "views": 4}
    gallery.labels[1] = "Zoë Ω"
    gallery.save(tmp_path / "gallery.npz")
    first = (tmp_path / "gallery.npz").read_bytes()
    again = Gallery.load(tmp_path / "gallery.npz")
    again.save(tmp_path / "gallery.npz")
    assert (tmp_path / "gallery.npz").read_bytes() == first  # or a bundle's version would change with the day
    np.testing.assert_equal(
        vars(again) | {"evidence": vars(again.evidence)}, vars(gallery) | {"evidence": vars(gallery.evidence)}
    )
    Gallery([], np.zeros((0, 4))).save(tmp_path / "nobody.npz")
    nobody = Gallery.load(tmp_path / "nobody.npz")
    assert np.isnan(nobody.threshold) and nobody.identify(np.eye(1, 4))[0].name == UNKNOWN  # not chosen yet


@pytest.mark.parametrize("damage", ["cut", "older", "pickle"])
def test_a_damaged_or_older_file_is_refused_and_nothing_in_it_is_run(gallery, tmp_path, damage):
    path = tmp_path / "gallery.npz"
    gallery.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "older":
        np.savez(path, labels=np.array(["Ada"]), vectors=np.eye(1, 4))
    else:
        np.savez(path, labels=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError):
        Gallery.load(path)
