"""Heads on frozen embeddings: cosine classifiers, trained in seconds as no photo passes the network again."""

import copy
import math
import random
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from facecourse.core.paths import THREADS

MARGINS = {"softmax": 0.0, "cosface": 0.2, "arcface": 0.3}


def seed_everything(seed: int = 0) -> None:
    """Make two runs alike: Python's, numpy's and torch's random numbers, and the number of threads.

    Parameters
    ----------
    seed : int
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)


def choose_device() -> torch.device:
    """Return CUDA or Apple's MPS where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def mixed_precision(device: torch.device):
    """Return the context for a forward pass: 16-bit numbers on a GPU, 32-bit ones on the CPU."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    return nullcontext()


# ---- the head ------------------------------------------------------------------------------------------


class CosineHead(nn.Module):
    """One unit vector w_j per person; the score of person j is the cosine of the angle to w_j.

    Parameters
    ----------
    vectors : ndarray of shape (c, d)
        Where training starts: the centroids.
    kind : str
        "softmax", cross-entropy of s cos(t_j), with the scale s learned (Wang et al., 2017, NormFace,
        arXiv:1704.06369); "cosface", with s (cos(t_y) - m) for the right person y (Wang et al., 2018,
        arXiv:1801.09414, eq. 4); "arcface", with s cos(t_y + m) (Deng et al., 2019, arXiv:1801.07698, eq. 3).
    scale : float
        s, the inverse of the softmax's temperature.
    margin : float, optional
        m; for arcface in radians.
    """

    def __init__(
        self, vectors: np.ndarray, kind: str = "softmax", scale: float = 30.0, margin: float | None = None
    ):
        super().__init__()
        if kind not in MARGINS:
            raise ValueError(f"kind must be one of {', '.join(MARGINS)}, not {kind!r}")
        self.kind = kind
        self.margin = MARGINS[kind] if margin is None else margin
        self.weight = nn.Parameter(torch.tensor(vectors, dtype=torch.float32))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=kind == "softmax")

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logits (n, c); the margin applies only where the right labels are given."""
        cosine = functional.linear(embeddings, functional.normalize(self.weight)).float()
        if labels is not None and self.margin:
            right = cosine.gather(1, labels[:, None])
            cosine = cosine.scatter(1, labels[:, None], self._with_margin(right))
        return self.log_scale.exp() * cosine

    def _with_margin(self, cosine: torch.Tensor) -> torch.Tensor:
        if self.kind == "cosface":
            return cosine - self.margin
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        # Beyond pi the cosine would rise again: ArcFace goes on with a straight line there.
        return torch.where(
            angle + self.margin < math.pi, torch.cos(angle + self.margin), cosine - self.margin
        )

    def vectors(self) -> np.ndarray:
        """Return the unit vectors (c, d), float32: all that recognition needs of the head."""
        return functional.normalize(self.weight.detach()).cpu().numpy()


# ---- the loop ------------------------------------------------------------------------------------------


@dataclass
class History:
    """What happened in each epoch; one number per epoch in every list.

    Attributes
    ----------
    train_loss, val_loss : list of float
        Mean cross-entropy in nats; of training with the margin, of validation without.
    train_accuracy, val_accuracy : list of float
        Share of photos whose best person is the right one, 0 to 1.
    learning_rate : list of float
        At the end of the epoch.
    seconds : list of float
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Index of the epoch with the lowest validation loss: accuracy moves in steps of a whole photo."""
        return min(range(len(self.val_loss)), key=lambda i: self.val_loss[i])


class Trainer:
    """Steps a head through epochs and remembers the best one.

    Parameters
    ----------
    head : CosineHead
    train, val : (ndarray (n, d), ndarray (n,))
        Embeddings and labels; `val` is a slice of the training side that is not trained on.
    learning_rate : float
        The highest one; it falls to zero along half a cosine (Loshchilov and Hutter, 2017, arXiv:1608.03983).
    epochs : int
        At most; the cosine is stretched over them.
    patience : int
        `finished` becomes true after this many epochs without a better one.
    batch_size, seed : int
    """

    def __init__(self, head, train, val, learning_rate=0.01, epochs=30, patience=6, batch_size=256, seed=0):
        self.device = choose_device()
        self.head = head.to(self.device)
        self.train, self.val = on_device(self.device, train), on_device(self.device, val)
        self.epochs, self.patience, self.batch_size = epochs, patience, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.optimiser = torch.optim.Adam([p for p in head.parameters() if p.requires_grad], lr=learning_rate)
        steps = epochs * math.ceil(len(train[1]) / batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, max(steps, 1))
        self.history = History()
        self._best = copy.deepcopy(head.state_dict())

    def train_epoch(self) -> None:
        """Go once through the training photos in random order."""
        start, losses, right = time.perf_counter(), 0.0, 0
        for embeddings, labels in batches(*self.train, self.batch_size, self.generator):
            with mixed_precision(self.device):
                logits = self.head(embeddings, labels)
                loss = functional.cross_entropy(logits, labels)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            losses += float(loss.detach()) * len(labels)
            right += int((logits.detach().argmax(1) == labels).sum())
        count = max(len(self.train[1]), 1)
        self.history.train_loss.append(losses / count)
        self.history.train_accuracy.append(right / count)
        self.history.learning_rate.append(self.schedule.get_last_lr()[0])
        self.history.seconds.append(time.perf_counter() - start)

    def validate(self) -> None:
        """Measure the head on the slice that is not trained on; remember it if it is the best."""
        loss, accuracy = measure(self.head, self.val)
        self.history.val_loss.append(loss)
        self.history.val_accuracy.append(accuracy)
        if self.history.best_epoch == len(self.history.val_loss) - 1:
            self._best = copy.deepcopy(self.head.state_dict())

    @property
    def finished(self) -> bool:
        """Whether `patience` epochs have passed without a better one."""
        return len(self.history.val_loss) - 1 - self.history.best_epoch >= self.patience

    def restore_best(self) -> None:
        """Put the head back to its best epoch."""
        self.head.load_state_dict(self._best)


def on_device(
    device: torch.device, photos: tuple[np.ndarray, np.ndarray]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings and labels as tensors on a device."""
    return torch.as_tensor(photos[0]).to(device), torch.as_tensor(photos[1]).to(device)


def batches(
    embeddings: torch.Tensor, labels: torch.Tensor, size: int, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield random batches, each photo once."""
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        yield embeddings[part], labels[part]


@torch.no_grad()
def measure(head: nn.Module, photos: tuple[torch.Tensor, torch.Tensor]) -> tuple[float, float]:
    """Return mean cross-entropy in nats and accuracy, 0 to 1, of a head; (nan, nan) without photos."""
    embeddings, labels = photos
    if not len(labels):
        return math.nan, math.nan
    losses, right = 0.0, 0
    for start in range(0, len(labels), 1024):
        logits = head(embeddings[start : start + 1024])
        part = labels[start : start + 1024]
        losses += float(functional.cross_entropy(logits, part, reduction="sum"))
        right += int((logits.argmax(1) == part).sum())
    return losses / len(labels), right / len(labels)


def fit(trainer: Trainer) -> Trainer:
    """Run a trainer until it is finished and restore the best epoch: the notebook's loop in one call."""
    for _ in range(trainer.epochs):
        trainer.train_epoch()
        trainer.validate()
        if trainer.finished:
            break
    trainer.restore_best()
    return trainer
