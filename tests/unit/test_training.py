"""Heads and the training loop on embeddings whose right answers are known."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from facecourse.embedding.photo_sets import PhotoSet, centroids, hold_out, photo_sets
from facecourse.heads.cosine import CosineHead, fitted_losses, select_head
from facecourse.heads.training import Trainer, fit, learning_rate_range, measure, seed_everything


def clouds(people=6, photos=10, dimension=16, spread=0.15, seed=0):
    """Embeddings in one cloud per person, unit rows, with their labels."""
    chance = np.random.default_rng(seed)
    middles = np.linalg.qr(chance.normal(size=(dimension, dimension)))[0][:people]
    labels = np.repeat(np.arange(people), photos)
    rows = middles[labels] + spread * chance.normal(size=(len(labels), dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def test_centroids_are_the_unit_means_and_zero_without_photos():
    embeddings = np.array([[1, 0], [0, 1], [0, -1]], np.float32)
    found = centroids(embeddings, np.array([0, 0, 2]), 3)
    assert found == pytest.approx(np.array([[0.7071, 0.7071], [0, 0], [0, -1]]), abs=1e-4)
    assert found.dtype == np.float32


def test_one_photo_is_held_out_of_each_person_with_three():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    marked = hold_out(labels)
    assert np.bincount(labels[marked], minlength=3).tolist() == [1, 0, 1]
    assert (hold_out(labels) == marked).all()


def test_photo_sets_leave_out_photos_without_a_face_and_mark_strangers():
    manifest = pd.DataFrame(
        {
            "person": ["Bo", "Ada", "Ada", "Cy", "Bo", "Bo"],
            "course_split": ["train", "train", "val", "unknown_test", "train", "test"],
        }
    )
    embeddings = np.eye(6, dtype=np.float32)
    embeddings[4] = np.nan
    sets = photo_sets(manifest, embeddings, "course_split")
    assert sets["train"].names == ["Ada", "Bo"]
    assert sets["train"].labels.tolist() == [1, 0] and sets["train"].rows.tolist() == [0, 1]
    assert sets["val"].labels.tolist() == [0] and sets["unknown_test"].labels.tolist() == [-1]
    assert sets["test"].labels.tolist() == [1]
    with pytest.raises(ValueError, match="two people or more with four usable photos each; .* Ada 2, Bo 1"):
        photo_sets(manifest[:4], embeddings[:4], "course_split")


@pytest.mark.parametrize("kind", ["softmax", "cosface", "arcface"])
def test_logits_are_scaled_cosines_and_the_margin_is_taken_from_the_right_one_only(kind):
    head = CosineHead(np.eye(3, dtype=np.float32) * 5, kind, scale=10)
    row = torch.tensor([[math.cos(0.5), math.sin(0.5), 0.0]])
    plain, with_margin = head(row).detach(), head(row, torch.tensor([0])).detach()
    assert plain.tolist()[0] == pytest.approx([10 * math.cos(0.5), 10 * math.sin(0.5), 0], abs=1e-4)
    expected = {"softmax": math.cos(0.5), "cosface": math.cos(0.5) - 0.2, "arcface": math.cos(0.5 + 0.3)}[
        kind
    ]
    assert with_margin[0, 0].item() == pytest.approx(10 * expected, abs=1e-4)
    assert with_margin[0, 1:].equal(plain[0, 1:])


def test_arcfaces_logit_keeps_falling_beyond_pi_and_as_in_its_authors_code():
    head = CosineHead(np.array([[1, 0], [0, 1]], np.float32), "arcface", scale=1.0, margin=0.3)
    angles = torch.tensor([math.pi - 0.3001, math.pi - 0.2999, math.pi])
    rows = torch.stack([angles.cos(), angles.sin()], 1)
    before, behind, last = head(rows, torch.tensor([0, 0, 0]))[:, 0].tolist()
    assert before == pytest.approx(-1, abs=1e-4) and before > behind > last
    assert behind == pytest.approx(math.cos(math.pi - 0.3) - 0.3 * math.sin(0.3), abs=1e-3)


@pytest.mark.parametrize("kind", ["softmax", "cosface", "arcface"])
def test_training_from_random_vectors_finds_the_people(kind):
    seed_everything(0)
    embeddings, labels = clouds()
    start = np.random.default_rng(1).normal(size=(6, 16)).astype(np.float32)
    head = CosineHead(start, kind)
    val = (embeddings[::5], labels[::5])
    before = measure(head, val)[1]
    trainer = fit(Trainer(head, (embeddings, labels), val, 0.1, epochs=12, batch_size=30))
    assert before < 0.6 and trainer.history.val_accuracy[trainer.history.best_epoch] == 1.0
    assert trainer.history.train_loss[-1] < trainer.history.train_loss[0]
    cosine = head.vectors() @ centroids(embeddings, labels, 6).T
    assert (cosine.argmax(1) == np.arange(6)).all()
    assert np.linalg.norm(head.vectors(), axis=1) == pytest.approx(1, abs=1e-5)


def test_the_best_epoch_is_restored_and_training_stops_when_nothing_improves():
    embeddings, labels = clouds()
    head = CosineHead(centroids(embeddings, labels, 6))
    wrong = (labels + 1) % 6  # training makes it worse on the right labels from epoch to epoch
    trainer = fit(Trainer(head, (embeddings, wrong), (embeddings, labels), 0.3, epochs=30, patience=3))
    history = trainer.history
    assert trainer.finished and len(history.val_loss) == history.best_epoch + 1 + 3 < 30
    assert measure(head, (embeddings, labels))[0] == pytest.approx(min(history.val_loss), rel=1e-4)


def test_the_learning_rate_falls_along_half_a_cosine():
    embeddings, labels = clouds()
    trainer = Trainer(
        CosineHead(centroids(embeddings, labels, 6)), (embeddings, labels), (embeddings, labels), 0.1, 4
    )
    for _ in range(4):
        trainer.train_epoch()
    expected = [0.1 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in (1, 2, 3, 4)]
    assert trainer.history.learning_rate == pytest.approx(expected, abs=1e-6)


def test_measure_gives_mean_loss_and_accuracy_and_nan_without_photos():
    head = CosineHead(np.eye(2, dtype=np.float32), scale=1.0)
    photos = (torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
    loss, accuracy = measure(head, photos)
    e = math.e
    assert loss == pytest.approx((-math.log(e / (e + 1)) - math.log(1 / (e + 1))) / 2, rel=1e-5)
    assert accuracy == 0.5
    assert all(math.isnan(v) for v in measure(head, (photos[0][:0], photos[1][:0])))


def test_the_learning_rate_search_leaves_the_head_alone_and_suggests_a_sane_rate():
    embeddings, labels = clouds(spread=0.3)
    head = CosineHead(np.random.default_rng(1).normal(size=(6, 16)).astype(np.float32))
    before = head.vectors().copy()
    rates, losses, suggestion = learning_rate_range(
        head, (embeddings, labels), (embeddings[::3], labels[::3]), batch_size=32
    )
    assert (head.vectors() == before).all() and len(rates) == len(losses)
    assert rates[0] < suggestion < rates[-1] and 1e-3 < suggestion < 1
    assert losses.min() < losses[0] / 2


class Easy(torch.nn.Module):
    """Its loss falls at any rate, as that of people who are easy to tell apart does."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.1))

    def forward(self, inputs, labels=None):
        return 30 * self.weight * inputs


def test_where_no_rate_does_harm_the_suggestion_is_still_a_small_one():
    photos = np.eye(6, dtype=np.float32), np.arange(6)
    rates, losses, suggestion = learning_rate_range(Easy(), photos, photos)
    assert len(rates) == 60 and losses.argmin() > 50  # a third of the lowest point would be 0.1 or more
    assert 1e-3 < suggestion < 0.03
    wrong = photos[0], np.roll(photos[1], 1)  # what helps the training photos can only do harm here
    rates, losses, suggestion = learning_rate_range(Easy(), photos, wrong)
    assert (np.diff(losses) > 0).all() and len(rates) < 60 and 1e-4 < suggestion < 1e-2


def test_losses_are_compared_at_the_scale_that_suits_each_head():
    embeddings, labels = clouds(spread=0.3)
    cosines = embeddings @ centroids(embeddings, labels, 6).T
    losses, scale = fitted_losses(cosines, labels)
    smaller, larger = fitted_losses(cosines / 3, labels)
    assert larger == pytest.approx(3 * scale, rel=0.02) and smaller.mean() == pytest.approx(
        losses.mean(), rel=1e-3
    )
    at_30 = np.logaddexp.reduce(30 * cosines, axis=1) - 30 * cosines[np.arange(len(labels)), labels]
    assert losses.mean() < at_30.mean()


def test_the_same_seed_gives_the_same_head():
    results = []
    for _ in range(2):
        seed_everything(3)
        embeddings, labels = clouds()
        head = CosineHead(centroids(embeddings, labels, 6))
        fit(Trainer(head, (embeddings, labels), (embeddings, labels), 0.01, epochs=3))
        results.append(head.vectors())
    assert (results[0] == results[1]).all()


def test_a_head_is_chosen_on_the_training_photos_if_it_is_surely_better_than_the_centroids():
    embeddings, labels = clouds(people=8, photos=12, spread=0.25)
    train = PhotoSet(embeddings, labels, np.arange(len(labels)), [f"p{i}" for i in range(8)])
    tie = select_head(train)  # clouds around centroids: nothing is better than the centroids
    assert (
        tie.kind == "nearest centroid" and tie.epochs == 0 and tie.table.loc["nearest centroid", "less"] == 0
    )
    # A direction in which all photos differ at random drowns the people; a trained head can turn away from it.
    chance = np.random.default_rng(0)
    noise = np.where(chance.random(len(labels)) < 0.5, 1.5, -1.5)[:, None] * np.eye(16)[15]
    embeddings = embeddings + noise * (1 + 0.3 * labels[:, None] / 8)
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    found = select_head(PhotoSet(embeddings, labels, np.arange(len(labels)), train.names), learning_rate=0.02)
    row = found.table.loc[found.kind]
    assert found.kind != "nearest centroid" and row["less"] > 2 * row["standard error"] > 0
    assert found.epochs == row["epochs"] > 0
