"""The last block of the network: what comes before it is computed once, and it is trained like a head."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from facecourse.core import paths
from facecourse.embedding.backbones import find_backbone
from facecourse.embedding.photo_sets import centroids
from facecourse.heads import finetuning
from facecourse.heads.cosine import CosineHead
from facecourse.heads.finetuning import (
    LastBlock,
    Tail,
    compare_tuning,
    features_before_last_block,
    tuning_photos,
    tuning_scores,
    with_tail,
)
from facecourse.heads.training import Trainer, fit
from lambda_function.crops import normalise


@pytest.fixture(scope="module")
def network():
    return find_backbone("msceleb1m").network()


@pytest.fixture
def passed(tmp_path, monkeypatch):
    """An empty cache, and a list of how many pictures each pass through the frozen part had."""
    counts, forward = [], finetuning.Trunk.forward

    def counted(self, pixels):
        counts.append(len(pixels))
        return forward(self, pixels)

    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(finetuning.Trunk, "forward", counted)
    return counts


def pictures(count: int) -> np.ndarray:
    noise = np.random.default_rng(3).standard_normal((count, 160, 160, 3))
    return (127 + 40 * noise).clip(0, 255).astype(np.uint8)


def embedded(network, crops):
    with torch.inference_mode():
        return network(torch.from_numpy(normalise(crops, "per_image"))).numpy()


def test_both_halves_together_are_the_network(network, passed):
    crops = pictures(3)
    found = Tail(network).embed(features_before_last_block(network, crops, "per_image"))
    assert np.abs(found - embedded(network, crops)).max() < 2e-3  # the maps between them have 16 bits


def test_a_picture_passes_the_frozen_part_once(network, passed):
    crops = pictures(4)
    some = features_before_last_block(network, crops[:3], "per_image")
    all_of_them = features_before_last_block(network, crops[::-1], "per_image")
    again = features_before_last_block(network, crops, "per_image")
    assert passed == [3, 1]
    assert torch.equal(all_of_them.flip(0), again) and torch.equal(again[:3], some)
    assert again.shape == (4, 1792, 3, 3) and again.dtype == torch.float16


def test_another_network_or_normalisation_has_feature_maps_of_its_own(network, passed):
    crops = pictures(1)
    mine = features_before_last_block(network, crops, "per_image")
    assert not torch.equal(mine, features_before_last_block(network, crops, "fixed"))
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.conv2d_1a.conv.weight.mul_(1.5)
    theirs = features_before_last_block(other, crops, "per_image")
    assert passed == [1, 1, 1] and not torch.equal(mine, theirs)


def test_the_last_block_is_trained_and_the_tuned_network_has_it(network, passed, monkeypatch):
    crops, labels = pictures(6), np.array([0, 0, 1, 1, 2, 2])
    features = features_before_last_block(network, crops, "per_image")
    tail = Tail(network)
    frozen, averages = tail.embed(features), tail.last_bn.running_mean.clone()
    block = LastBlock(tail, CosineHead(centroids(frozen, labels, 3), "cosface"))
    trainer = fit(Trainer(block, (features, labels), (features, labels), epochs=8, groups=block.groups(1e-3)))
    assert trainer.history.train_loss[-1] < 0.9 * trainer.history.train_loss[0]
    assert torch.equal(tail.last_bn.running_mean.cpu(), averages)
    with monkeypatch.context() as patch:
        # Every move to another device goes through here: the block that may be trained on stays where it is.
        patch.setattr(torch.nn.Module, "_apply", lambda *_: pytest.fail("a module was moved"))
        tuned = with_tail(network, tail)
    trained = tail.embed(features)
    assert np.abs(embedded(network, crops) - frozen).max() < 2e-3 < np.abs(trained - frozen).max()
    assert np.abs(embedded(tuned, crops) - trained).max() < 2e-3
    trainer.train_epoch()
    assert next(tail.parameters()).device.type == trainer.device.type


def test_photos_to_tune_on_are_taken_from_every_side_however_many_a_person_has():
    """The split deals val, test and train in the order of the hashes, so the first photos of all are no training photos."""
    sides = {"Ada": (4, 1, 1), "Bo": (300, 100, 100), "Cy": (9, 3, 3), "Di": (1, 1, 1)}
    rows = [
        (name, side, f"{name}{place:04d}")
        for name, (train, val, test) in sides.items()
        for place, side in enumerate(["val"] * val + ["test"] * test + ["train"] * train)
    ]
    manifest = pd.DataFrame(
        [*rows, ("Bo", "unknown_test", "x")], columns=["person", "course_split", "sha256"]
    )
    manifest["source"] = np.where(manifest["person"] == "Ada", "people", "lfw")
    found = tuning_photos(manifest, people=2, photos=10)
    counts = found.groupby(["person", "course_split"]).size()
    assert counts["Bo"].to_dict() == {"train": 6, "val": 2, "test": 2}
    assert counts["Ada"].to_dict() == {"train": 4, "val": 1, "test": 1} and "Cy" not in counts
    assert found.groupby("person")["label"].unique().map(list).to_dict() == {"Ada": [0], "Bo": [1]}
    assert tuning_photos(manifest, people=9)["person"].nunique() == 3  # Di has one to train on


def corners(*places):
    return np.eye(4, dtype=np.float32)[list(places)]


def test_tuned_embeddings_are_scored_per_person_trained_on_or_held_back():
    photos = pd.DataFrame({"label": [0, 0, 1, 1, 2, 2, 3, 3], "course_split": ["train", "test"] * 4})
    clean = corners(0, 0, 1, 1, 2, 2, 3, 3)
    hard = corners(0, 1, 1, 1, 2, 2, 3, 0)  # 0 is taken for 1; one photo of 3 resembles nobody held back
    found = tuning_scores(clean, hard, photos, np.array([2, 3]), fmr=0.0).set_index("label")
    assert found["seen"].tolist() == [True, True, False, False]
    assert found["clean"].tolist() == [1, 1, 1, 1] and found["hard"].tolist() == [0, 1, 1, 0.5]
    by_head = tuning_scores(clean, hard, photos, np.array([2, 3]), vectors=corners(1, 0), fmr=0.0)
    assert by_head["hard"].tolist()[:2] == [1, 0]
    alone = tuning_scores(clean, hard, photos, np.array([3])).set_index("label")
    assert alone["seen"].tolist() == [True, True, True]  # one person held back has nobody to be taken for


def test_differences_are_paired_by_person_and_an_equal_gain_has_no_spread():
    rows = [("frozen", seed, label, True, 0.1 * label, 0.9) for seed in (0, 1) for label in range(5)]
    rows += [("tuned", seed, label, True, 0.1 * label + 0.2, 0.9) for seed in (0, 1) for label in range(5)]
    scores = pd.DataFrame(rows, columns=["how", "seed", "label", "seen", "hard", "clean"])
    table = compare_tuning(scores)
    assert table.index.tolist() == ["frozen", "tuned"]
    assert table.loc["tuned"].tolist() == ["40.0  +20.0 [+20.0, +20.0]", "90.0  +0.0 [+0.0, +0.0]"]


def test_augmented_crops_are_other_pictures_of_the_same_size():
    crops = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), np.uint8)
    views = finetuning.augmented(crops)
    assert views.shape == crops.shape and (views != crops).any(axis=(1, 2, 3)).all()
    assert (views == finetuning.augmented(crops)).all() and (views != finetuning.augmented(crops, 1)).any()
