"""An index beside exact search, a threshold that moves with the number of people, and the projection of a large job."""

import numpy as np
import pytest

from facecourse.embedding.photo_sets import PhotoSet
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


def test_more_people_mean_more_false_alarms_and_a_higher_threshold():
    real, extra = units(20, 32), units(20_000, 32, seed=1)
    names = [str(i) for i in range(20)]
    known = PhotoSet(noisy_copies(real, 0.9, np.random.default_rng(2)), np.arange(20), np.arange(20), names)
    strangers = PhotoSet(units(200, 32, seed=4), np.full(200, -1), np.arange(200), names)
    table = rates_by_size(real, extra, known, strangers, 0.6, [20, 1000, 20_020])
    assert table["FPIR, old threshold"].iloc[0] < 0.05 < table["FPIR, old threshold"].iloc[2]
    assert table["new threshold"].is_monotonic_increasing
    nearest = exact_search(np.vstack([real, extra]), strangers.embeddings)[0]
    assert table["FPIR, old threshold"].iloc[2] == pytest.approx((nearest >= 0.6).mean())


def test_the_projection_names_what_limits_it():
    measured = Measured(0.1, 0.9, 10, 100_000, 0.1)
    table = project(measured, Assumed(reads_per_second=1000), {"small": 1000, "huge": 100_000_000}, (1, 256))
    rows = {(row.dataset, row.workers): row for row in table.itertuples()}
    assert rows["small", 1].bottleneck == "computing" and rows["small", 256].bottleneck == "start-up"
    assert rows["huge", 256].bottleneck == "bucket"
    assert rows["huge", 1].hours == pytest.approx((10 + 1e7) / 3600)
    assert rows["huge", 1].dollars == pytest.approx(rows["huge", 1].hours * 0.05)
