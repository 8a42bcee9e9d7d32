"""An index behind enrol and identify: the answers of exact search, and a threshold that moves with the crowd."""

import numpy as np
import pytest

from facecourse.embedding.photo_sets import PhotoSet
from facecourse.heads.training import Trainer, fit
from facecourse.scale import galleries
from facecourse.scale.distributed import train_with, trainer_for
from facecourse.scale.galleries import LargeGallery, exact_search, far_by_size, noisy_copies, synthetic_people
from facecourse.scale.projection import Assumed, Measured, project
from lambda_function.gallery import Gallery


def units(count, size=64, seed=0):
    rows = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def large(monkeypatch):
    pytest.importorskip("faiss", reason="FAISS is an optional extra: pip install -r requirements-scale.txt")
    monkeypatch.setattr(galleries, "EXACT_UP_TO", 1000)
    vectors = units(5000)
    gallery = LargeGallery([f"p{i}" for i in range(len(vectors))], vectors.copy(), 0.5)
    assert gallery.indexed
    return gallery, vectors


def test_the_index_names_whom_exact_search_names(large):
    gallery, vectors = large
    probes = noisy_copies(vectors[::10], 0.7, np.random.default_rng(1))
    expected = [f"p{i}" for i in exact_search(vectors, probes)[1][:, 0]]
    found = [match.top[0][0] for match in gallery.identify(probes)]
    assert np.mean([a == b for a, b in zip(found, expected, strict=True)]) >= 0.995


def test_enrolling_and_removing_need_no_new_index(large):
    gallery, vectors = large
    new = units(1, seed=9)
    assert gallery.identify(new)[0].name == "unknown"
    gallery.enrol("Grace", new)
    assert gallery.identify(new)[0].name == "Grace"
    assert gallery.remove("Grace") and not gallery.remove("Grace")
    assert gallery.identify(new)[0].name == "unknown"
    assert gallery.remove("p3") and gallery.identify(vectors[3:4])[0].name == "unknown"
    assert all(name != "p3" for name, _, _ in gallery.identify(vectors[3:4])[0].top)


def test_a_small_gallery_stays_exact():
    vectors = units(50)
    small, usual = (
        LargeGallery([str(i) for i in range(50)], vectors),
        Gallery([str(i) for i in range(50)], vectors),
    )
    probes = units(20, seed=3)
    assert not small.indexed and small.identify(probes) == usual.identify(probes)


def test_made_up_people_have_the_spread_of_real_ones():
    real = units(400) * 0.5 + units(1, seed=5)
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    made = synthetic_people(real, 4000)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-4)

    def among(rows):
        return (rows @ rows.T)[np.triu_indices(len(rows), 1)]

    assert abs(among(real).mean() - among(made[:400]).mean()) < 0.02
    assert abs(among(real).std() - among(made[:400]).std()) < 0.02


def test_more_people_mean_more_false_alarms_and_a_higher_threshold():
    real, crowd = units(20, 32), units(20_000, 32, seed=1)
    names = [str(i) for i in range(20)]
    known = PhotoSet(noisy_copies(real, 0.9, np.random.default_rng(2)), np.arange(20), np.arange(20), names)
    strangers = PhotoSet(units(200, 32, seed=4), np.full(200, -1), np.arange(200), names)
    table = far_by_size(real, crowd, known, strangers, 0.6, [20, 1000, 20_020])
    assert table["FAR, old threshold"].iloc[0] < 0.05 < table["FAR, old threshold"].iloc[2]
    assert table["new threshold"].is_monotonic_increasing


def test_two_processes_train_like_one(tmp_path):
    people, chance = units(10), np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 9)
    photos = noisy_copies(people[labels], 0.6, chance)
    val = noisy_copies(people, 0.6, chance)
    task = tmp_path / "task.npz"
    settings = {
        "learning_rate": 0.02,
        "epochs": 4,
        "batch_size": 25,
    }  # 90 photos: the last batch has 15, 8 and 7
    np.savez(task, train=photos, train_labels=labels, val=val, val_labels=np.arange(10), **settings)
    alone = fit(trainer_for(Trainer, task)).history
    together = train_with(2, task)
    assert np.allclose(alone.train_loss, together["train_loss"], atol=1e-4)
    assert np.allclose(alone.val_loss, together["val_loss"], atol=1e-4)
    assert alone.train_loss[-1] < alone.train_loss[0]


def test_the_projection_names_what_limits_it():
    measured = Measured(0.1, 0.9, 10, 100_000, 0.1)
    table = project(measured, Assumed(reads_per_second=1000), {"small": 1000, "huge": 100_000_000}, (1, 256))
    rows = {(row.dataset, row.workers): row for row in table.itertuples()}
    assert rows["small", 1].bottleneck == "computing" and rows["small", 256].bottleneck == "start-up"
    assert rows["huge", 256].bottleneck == "bucket"
    assert rows["huge", 1].hours == pytest.approx((10 + 1e7) / 3600)
    assert rows["huge", 1].dollars == pytest.approx(rows["huge", 1].hours * 0.05)
