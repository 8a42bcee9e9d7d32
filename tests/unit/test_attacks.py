"""Notebook 08's helpers: rates by group, error versus reject, flat and recaptured pictures."""

import numpy as np
import pytest

from facecourse.optional import attacks


def test_nobody_is_on_both_sides_and_relatives_choose_nothing():
    persons = np.repeat([f"p{i}" for i in range(10)], 3)
    choosing = attacks.people_to_choose_on(persons, {"p3", "p4"}, seed=1)
    chosen, judged = set(persons[choosing]), set(persons[~choosing])
    assert len(chosen) == len(judged) == 5 and not chosen & judged and {"p3", "p4"} <= judged


def test_fmr_by_group_counts_and_its_interval_is_over_people():
    left, right = np.array(["a", "a", "a", "b", "b", "c"]), np.array(["b", "c", "d", "c", "d", "d"])
    scores = np.array([0.9, 0.9, 0.1, 0.9, 0.1, 0.1])
    many = attacks.fmr_by_group(
        *(np.repeat(x, 100) for x in (scores, left, right, np.full(6, "all"))), threshold=0.5
    )
    row = many.loc["all"]
    assert row["FMR"] == 0.5 and row["pairs of people"] == 6 and row["pairs of photos"] == 600
    assert row["low"] < 0.2 and row["high"] > 0.8  # six hundred pairs of photos, but four people
    two = attacks.fmr_by_group([0.9], np.array(["a"]), np.array(["b"]), ["twin"], 0.5).loc["twin"]
    assert two["FMR"] == 1 and np.isnan(two["low"])


def test_refusing_by_a_measure_that_knows_helps_and_by_one_that_does_not_does_not():
    chance = np.random.default_rng(0)
    persons = np.repeat(np.arange(12), 8)
    bad = chance.random(len(persons)) < 0.2
    first, second = np.triu_indices(len(persons), 1)
    same = persons[first] == persons[second]
    first, second = first[same], second[same]
    missed = bad[first] | bad[second]
    knows = attacks.error_versus_reject(
        missed, first, second, persons, -bad.astype(float) + chance.random(96) / 9, (0, 0.25)
    )
    guesses = attacks.error_versus_reject(missed, first, second, persons, chance.random(96), (0, 0.25))
    assert knows["FNMR"][0] == pytest.approx(missed.mean())
    assert knows["FNMR"][1] == 0 and knows["gain low"][1] > 0.15
    assert guesses["gain low"][1] < 0 < guesses["gain high"][1]


def test_a_flat_picture_turned_gets_narrower_and_stays_where_it_is_at_no_angle():
    image = np.zeros((80, 80, 3), np.uint8)
    image[20:60, 20:60] = 255
    assert np.abs(attacks.turned_flat(image, 0).astype(int) - image).max() <= 1
    turned = attacks.turned_flat(image, 60)
    wide, high = (turned[40, :, 0] > 128).sum(), max((turned[:, x, 0] > 128).sum() for x in range(80))
    assert wide < 26 and high >= 38


@pytest.mark.parametrize("medium", ["paper", "screen"])
def test_a_recaptured_photo_is_another_picture_of_the_same(medium):
    photo = attacks.open_photo(attacks.DATA / "people/Ada_Ferro/Ada_Ferro_0001.jpg")
    again = attacks.recaptured(photo, medium)
    assert again.shape == photo.shape and np.abs(again.astype(int) - photo).mean() > 4
    assert np.corrcoef(again.mean(2).ravel(), photo.mean(2).ravel())[0, 1] > 0.9
    with pytest.raises(ValueError, match="medium"):
        attacks.recaptured(photo, "mask")


def test_the_head_turns_from_one_side_to_the_other_and_its_nose_leads():
    frames, truth = attacks.turn_frames()
    assert len(frames) == len(truth) == 60 and {f.shape for f in frames} == {(160, 160, 3)}
    yaw = truth.yaw.to_numpy(float)
    assert (np.diff(yaw) > 0).all() and yaw[0] < -55 and yaw[-1] > 55
    ahead = [
        n[0] - (a[0] + b[0]) / 2 for n, a, b in zip(truth.nose, truth.left_eye, truth.right_eye, strict=True)
    ]
    assert np.corrcoef(ahead, yaw)[0, 1] > 0.9


def test_relatives_are_told_by_name_and_strangers_are_none():
    kinship = {"Mira": {"Nora": "twin"}}
    assert (
        attacks.relation("Mira", "Nora", kinship) == "twin"
        and attacks.relation("Mira", "Ada", kinship) == "no kin"
    )
