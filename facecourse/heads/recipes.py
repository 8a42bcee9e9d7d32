"""The recipe of the system that this course follows, and the course's own, side by side."""

import copy
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from facecourse.embedding.photo_sets import centroids
from facecourse.heads.finetuning import SmallTask, Tail
from facecourse.heads.training import CosineHead, Trainer, batches, choose_device, measure

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


class OriginalRecipe(nn.Module):
    """The head of the system this course follows, trained as there.

    The pretrained bottleneck is thrown away: a random layer 1792 -> 512, L2 norm, a linear classifier;
    stochastic gradient descent with learning rate 10; pixels normalised with ImageNet's mean and deviation.

    Parameters
    ----------
    classes : int
    """

    def __init__(self, classes: int):
        super().__init__()
        self.bottleneck = nn.Linear(1792, 512, bias=False)
        self.classifier = nn.Linear(512, classes)

    def forward(self, pooled: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits (n, classes) of pooled features (n, 1792)."""
        return self.classifier(functional.normalize(self.bottleneck(pooled)))


def imagenet_pixels(crops: np.ndarray) -> np.ndarray:
    """Normalise as the original does: what networks trained on ImageNet want, and this one does not.

    Parameters
    ----------
    crops : ndarray of shape (n, 160, 160, 3), uint8
    """
    pixels = (crops.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


@torch.inference_mode()
def pooled(network: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Return what the original's head sees: the last block's output, averaged, (n, 1792) float32.

    Parameters
    ----------
    network : InceptionResnetV1
    features : Tensor
        From `features_before_last_block`.
    """
    block = network.block8
    return torch.cat(
        [block(features[i : i + 256].float()).mean((2, 3)) for i in range(0, len(features), 256)]
    )


@torch.inference_mode()
def seconds_per_forward(network: nn.Module, pixels: np.ndarray, photos: int = 96) -> float:
    """Measure the plain network's forward pass on a few photos: seconds per photo.

    Parameters
    ----------
    network : InceptionResnetV1
    pixels : ndarray of shape (n, 3, 160, 160), float32
    photos : int
        How many of them to time.
    """
    device = choose_device()
    network = copy.deepcopy(network).to(device)
    batch = torch.from_numpy(pixels[:32]).to(device)
    network(batch)
    start = time.perf_counter()
    for begin in range(0, min(photos, len(pixels)), 32):
        network(torch.from_numpy(pixels[begin : begin + 32]).to(device)).cpu()
    return (time.perf_counter() - start) / min(photos, len(pixels))


@dataclass
class Comparison:
    """Top-1 on test photos after each epoch, and what an epoch costs.

    Attributes
    ----------
    top1 : list of float
    seconds_per_epoch : float
    """

    top1: list[float]
    seconds_per_epoch: float


def run_original(
    train: tuple[torch.Tensor, np.ndarray],
    test: tuple[torch.Tensor, np.ndarray],
    forward_seconds: float,
    epochs: int = 5,
    seed: int = 0,
) -> Comparison:
    """Train the original's head for a few epochs.

    Parameters
    ----------
    train, test : (Tensor (n, 1792), ndarray (n,))
        Pooled features and labels. The network is frozen, so its features are computed once here; the
        original computes them anew in each epoch, which `forward_seconds` per photo accounts for.
    forward_seconds : float
        See `seconds_per_forward`.
    epochs, seed : int
    """
    torch.manual_seed(seed)
    features, labels = train[0], torch.as_tensor(train[1])
    head = OriginalRecipe(int(labels.max()) + 1)
    optimiser = torch.optim.SGD(head.parameters(), lr=10.0)
    generator, top1, start = torch.Generator().manual_seed(seed), [], time.perf_counter()
    for _ in range(epochs):
        for part, right in batches(features, labels, 64, generator):
            loss = functional.cross_entropy(head(part), right)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        top1.append(measure(head, (test[0], torch.as_tensor(test[1])))[1])
    return Comparison(top1, (time.perf_counter() - start) / epochs + forward_seconds * len(labels))


def run_ours(
    network: nn.Module, features: dict[str, torch.Tensor], task: SmallTask, epochs=10, seed=0
) -> Comparison:
    """Train this course's softmax head on the same people and photos: embeddings once, then only the head.

    Parameters
    ----------
    network : InceptionResnetV1
    features : dict of str to Tensor (n, 1792, 3, 3)
        Of the sides train and test, from pixels as the backbone wants them.
    task : SmallTask
    epochs, seed : int
    """
    tail = Tail(network).eval()
    with torch.inference_mode():
        train, test = (
            torch.cat([tail(part.float()) for part in features[side].split(256)]).numpy()
            for side in ("train", "test")
        )
    labels, device = task.labels["train"], choose_device()
    head = CosineHead(centroids(train, labels, len(task.names)), "softmax")
    trainer = Trainer(head, (train, labels), (train[:0], labels[:0]), 0.003, epochs, seed=seed)
    asked, top1 = (torch.as_tensor(test).to(device), torch.as_tensor(task.labels["test"]).to(device)), []
    for _ in range(epochs):
        trainer.train_epoch()
        top1.append(measure(head, asked)[1])
    return Comparison(top1, sum(trainer.history.seconds) / epochs)


def compare_recipes(original: Comparison, ours: Comparison) -> pd.DataFrame:
    """Put both side by side: test top-1 after the first and the last epoch, seconds per epoch and per 100.

    Parameters
    ----------
    original, ours : Comparison
        From `run_original` and `run_ours`.
    """
    rows = {"original": original, "this course": ours}
    return pd.DataFrame(
        {
            "test top-1 after 1 epoch": {name: row.top1[0] for name, row in rows.items()},
            f"after {len(ours.top1)}": {name: row.top1[-1] for name, row in rows.items()},
            "seconds per epoch": {name: row.seconds_per_epoch for name, row in rows.items()},
            "seconds for 100": {name: row.seconds_per_epoch * 100 for name, row in rows.items()},
        }
    )
