"""The last block of the network: what comes before it is computed once per picture and network."""

import numpy as np
import pytest
import torch

from facecourse.core import cache
from facecourse.embedding.backbones import load_backbone
from facecourse.heads import finetuning


@pytest.fixture(scope="module")
def network():
    return load_backbone("msceleb1m")[0]


@pytest.fixture
def passed(tmp_path, monkeypatch):
    """An empty cache, and a list of how many pictures each pass through the frozen part had."""
    counts, forward = [], finetuning.Trunk.forward

    def counted(self, pixels):
        counts.append(len(pixels))
        return forward(self, pixels)

    monkeypatch.setattr(cache, "CACHE", tmp_path)
    monkeypatch.setattr(finetuning.Trunk, "forward", counted)
    return counts


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, 3, 160, 160)).astype(np.float32)


def test_both_halves_together_are_the_network(network, passed):
    pixels = pictures(3)
    tail = finetuning.Tail(network).eval()
    with torch.inference_mode():
        found = tail(finetuning.features_before_last_block(network, pixels).float())
        expected = network(torch.from_numpy(pixels))
    assert torch.abs(found - expected).max() < 2e-3  # the maps between them have 16 bits


def test_a_picture_passes_the_frozen_part_once(network, passed):
    pixels = pictures(4)
    some = finetuning.features_before_last_block(network, pixels[:3])
    all_of_them = finetuning.features_before_last_block(network, pixels[::-1])
    again = finetuning.features_before_last_block(network, pixels)
    assert passed == [3, 1]
    assert torch.equal(all_of_them.flip(0), again) and torch.equal(again[:3], some)
    assert again.shape == (4, 1792, 3, 3) and again.dtype == torch.float16


def test_another_network_has_feature_maps_of_its_own(network, passed):
    pixels = pictures(1)
    mine = finetuning.features_before_last_block(network, pixels)
    other = load_backbone("msceleb1m")[0]
    with torch.no_grad():
        other.conv2d_1a.conv.weight.mul_(1.5)
    theirs = finetuning.features_before_last_block(other, pixels)
    assert passed == [1, 1] and not torch.equal(mine, theirs)
