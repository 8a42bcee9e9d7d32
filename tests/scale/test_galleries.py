"""An index beside exact search, a threshold that moves with the number of people, and the projection of a large job."""

import numpy as np
import pytest

from facecourse.scale.galleries import (
    build_index,
    exact_search,
    noisy_copies,
    rates_by_size,
    synthetic_people,
)
from facecourse.scale.projection import Assumed, Measured, project


def units(count, size=64, seed=0):
    rows = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_exact_search_finds_the_nearest_in_whichever_block():
    people = units(50)
    probes = noisy_copies(people[::-1], 0.9, np.random.default_rng(1))
    scores, rows = exact_search(people, probes, block=7)
    assert rows.tolist() == list(range(49, -1, -1)) and np.allclose(scores, 0.9, atol=1e-5)
    assert [part.tolist() for part in exact_search(people[:0], probes[:2])] == [[-1, -1], [-1, -1]]


def test_the_index_names_whom_exact_search_names():
    pytest.importorskip("faiss", reason="FAISS is an optional extra: pip install -r requirements-scale.txt")
    people = units(5000)
    index = build_index(people)
    probes = noisy_copies(people[::10], 0.7, np.random.default_rng(1))
    assert (index.search(probes, 1)[1][:, 0] == exact_search(people, probes)[1]).mean() >= 0.995


def test_made_up_people_have_the_spread_of_real_ones():
    real = units(400) * 0.5 + units(1, seed=5)
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    made = synthetic_people(real, 4000)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-4)
    among_real, among_made = (
        (rows @ rows.T)[np.triu_indices(len(rows), 1)] for rows in (real, made[: len(real)])
    )
    assert abs(among_real.mean() - among_made.mean()) < 0.02
    assert abs(among_real.std() - among_made.std()) < 0.02


def test_few_people_are_no_plane_to_draw_from():
    made = synthetic_people(units(20), 1000)
    assert np.linalg.matrix_rank(made) == 64


def test_more_people_mean_more_false_alarms_as_independent_cosines_would():
    people = units(1100, 24)
    again = noisy_copies(people[::2], 0.8, np.random.default_rng(1))
    persons = np.append(np.arange(1100), np.arange(0, 1100, 2))
    table = rates_by_size(np.vstack([people, again]), persons, (10, 100, 1000, 5000), draws=10).set_index(
        "people"
    )
    assert table.index.tolist() == [10, 100, 1000]
    assert table.loc[100, "FPIR"] == pytest.approx(0.01, abs=0.004)
    assert (
        table.loc[10, "FPIR"]
        < 0.004
        < 0.04
        < table.loc[1000, "FPIR low"]
        < table.loc[1000, "FPIR high"]
        < 0.2
    )
    assert (
        table.loc[1000, "FPIR, Gaussian"] > table.loc[1000, "FPIR"]
    )  # which has longer tails than directions
    assert table["FNIR"].is_monotonic_increasing and table.loc[10, "FNIR"] < 0.3
    with pytest.raises(ValueError, match="too few"):
        rates_by_size(people[:20], np.arange(20))


def test_the_projection_names_what_limits_it():
    measured = Measured(0.1, 0.9, 10, 100_000, 0.1)
    table = project(measured, Assumed(reads_per_second=1000), {"small": 1000, "huge": 100_000_000}, (1, 256))
    rows = {(row.dataset, row.workers): row for row in table.itertuples()}
    assert rows["small", 1].bottleneck == "computing" and rows["small", 256].bottleneck == "start-up"
    assert rows["huge", 256].bottleneck == "bucket"
    assert rows["huge", 1].hours == pytest.approx((10 + 1e7) / 3600)
    assert rows["huge", 1].dollars == pytest.approx(rows["huge", 1].hours * 0.05)
