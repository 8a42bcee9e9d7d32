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
from facecourse.heads.finetuning import LastBlock, Tail, features_before_last_block
from facecourse.heads.training import Trainer, fit
from lambda_function.crops import Preprocessing


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
    return np.random.default_rng(3).standard_normal((count, 3, 160, 160)).astype(np.float32)


def test_both_halves_together_are_the_network(network, passed):
    pixels = pictures(3)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).numpy()
    found = Tail(network).embed(features_before_last_block(network, pixels))
    assert np.abs(found - expected).max() < 2e-3  # the maps between them have 16 bits


def test_a_picture_passes_the_frozen_part_once(network, passed):
    pixels = pictures(4)
    some = features_before_last_block(network, pixels[:3])
    all_of_them = features_before_last_block(network, pixels[::-1])
    again = features_before_last_block(network, pixels)
    assert passed == [3, 1]
    assert torch.equal(all_of_them.flip(0), again) and torch.equal(again[:3], some)
    assert again.shape == (4, 1792, 3, 3) and again.dtype == torch.float16


def test_another_network_has_feature_maps_of_its_own(network, passed):
    pixels = pictures(1)
    mine = features_before_last_block(network, pixels)
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.conv2d_1a.conv.weight.mul_(1.5)
    theirs = features_before_last_block(other, pixels)
    assert passed == [1, 1] and not torch.equal(mine, theirs)


def test_the_last_block_is_trained_and_the_tuned_network_has_it(network, passed, monkeypatch):
    pixels, labels = pictures(6), np.array([0, 0, 1, 1, 2, 2])
    features = features_before_last_block(network, pixels)
    tail = Tail(network)
    frozen, averages = tail.embed(features), tail.last_bn.running_mean.clone()
    block = LastBlock(tail, CosineHead(centroids(frozen, labels, 3), "cosface"))
    trainer = fit(Trainer(block, (features, labels), (features, labels), epochs=8, groups=block.groups(1e-3)))
    assert trainer.history.train_loss[-1] < trainer.history.train_loss[0] / 2
    assert torch.equal(tail.last_bn.running_mean.cpu(), averages)
    with monkeypatch.context() as patch:
        # Every move to another device goes through here: the block that may be trained on stays where it is.
        patch.setattr(torch.nn.Module, "_apply", lambda *_: pytest.fail("a module was moved"))
        tuned = block.tuned_network(network)
    with torch.inference_mode():
        found, before = (net(torch.from_numpy(pixels)).numpy() for net in (tuned, network))
    trained = tail.embed(features)
    assert np.abs(before - frozen).max() < 2e-3 < np.abs(trained - frozen).max()
    assert np.abs(found - trained).max() < 2e-3
    trainer.train_epoch()
    assert next(tail.parameters()).device.type == trainer.device.type


def test_a_small_task_has_the_readers_people_first_and_few_photos(monkeypatch):
    sides = ["train", "train", "val", "test", "unknown_test"]
    rows = [(name, side) for name, count in (("Ada", 1), ("Bo", 4), ("Cy", 2)) for side in sides * count]
    manifest = pd.DataFrame(rows, columns=["person", "course_split"])
    manifest["source"] = np.where(manifest["person"] == "Ada", "people", "others")
    manifest["sha256"] = [f"{i * 7 % 31:02d}" for i in range(len(manifest))]
    monkeypatch.setattr(finetuning, "load_crops", lambda rows, _: rows["person"].to_numpy())
    task = finetuning.load_small_task(manifest, Preprocessing(), people=2, photos=10)
    assert task.names == ["Ada", "Bo"] and set(task.crops) == {"train", "val", "test"}
    for side, people in task.crops.items():
        assert [task.names[label] for label in task.labels[side]] == people.tolist()
    everyone = np.concatenate(list(task.crops.values())).tolist()
    assert everyone.count("Ada") == 4 and everyone.count("Bo") == 10


def test_augmented_views_begin_with_the_crops_and_keep_their_labels():
    crops = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), np.uint8)
    views, labels = finetuning.augmented_views(crops, np.array([4, 5, 6]), views=3)
    assert (views[:3] == crops).all() and labels.tolist() == [4, 5, 6] * 3
    assert views.shape == (9, 160, 160, 3) and len(np.unique(views, axis=0)) == 9
