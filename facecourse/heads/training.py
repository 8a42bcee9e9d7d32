"""The one training loop: a module from inputs to logits goes through epochs, and the best one is kept."""

import copy
import math
import random
import time
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from facecourse.core.paths import THREADS

Photos = tuple[np.ndarray | torch.Tensor, np.ndarray | torch.Tensor]  # inputs (n, ...), labels (n,)


def seed_everything(seed: int = 0) -> None:
    """Make two runs alike: Python's, numpy's and torch's random numbers, and the number of threads."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)


def choose_device() -> torch.device:
    """Return CUDA or Apple's MPS where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def mixed_precision(device: torch.device):
    """Return the context for a forward pass: 16-bit numbers on an NVIDIA GPU, 32-bit ones elsewhere."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    return nullcontext()


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
        Of training, without validation.
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
    """Steps a module through epochs and remembers the best one.

    Parameters
    ----------
    module : nn.Module
        `module(inputs, labels)` gives logits (n, classes) in training, `module(inputs)` else. Whether it is in
        training or evaluation mode is left as it is.
    train, val : (array (n, ...), array (n,))
        Inputs and labels, of numpy or torch; `val` is not trained on.
    learning_rate : float
        The highest one; it falls to zero along half a cosine (Loshchilov and Hutter, 2017, arXiv:1608.03983).
    epochs : int
        At most; the cosine is stretched over them.
    patience : int
        `finished` becomes true after this many epochs without a better one.
    batch_size, seed : int
    groups : list of dict, optional
        torch's parameter groups, instead of all that needs a gradient at `learning_rate`.
    """

    def __init__(
        self,
        module: nn.Module,
        train: Photos,
        val: Photos,
        learning_rate: float = 0.01,
        epochs: int = 30,
        patience: int = 6,
        batch_size: int = 256,
        seed: int = 0,
        groups: list[dict] | None = None,
    ):
        self.device = choose_device()
        self.module = module.to(self.device)
        self.train, self.val = (tuple(torch.as_tensor(part) for part in side) for side in (train, val))
        self.epochs, self.patience, self.batch_size = epochs, patience, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        trained = groups or [p for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, learning_rate, weight_decay=0.0, fused=True)
        steps = epochs * math.ceil(len(train[1]) / batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, max(steps, 1))
        self.history = History()
        self._best = copy.deepcopy(module.state_dict())

    def batches(self) -> list[torch.Tensor]:
        """Return the places of the training photos in random batches, each photo once."""
        return torch.randperm(len(self.train[1]), generator=self.generator).split(self.batch_size)

    def step(self, places: torch.Tensor) -> tuple[float, int]:
        """Take one step on one batch; returns its summed loss in nats and how many photos were right."""
        inputs, labels = (part[places].to(self.device) for part in self.train)
        with mixed_precision(self.device):
            logits = self.module(inputs, labels)
            loss = functional.cross_entropy(logits, labels)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach()) * len(labels), int((logits.detach().argmax(1) == labels).sum())

    def train_epoch(self) -> None:
        """Go once through the training photos in random order."""
        start, losses, right, count = time.perf_counter(), 0.0, 0, max(len(self.train[1]), 1)
        for places in self.batches():
            loss, hits = self.step(places)
            self.schedule.step()
            losses, right = losses + loss, right + hits
        self.history.train_loss.append(losses / count)
        self.history.train_accuracy.append(right / count)
        self.history.learning_rate.append(self.schedule.get_last_lr()[0])
        self.history.seconds.append(time.perf_counter() - start)

    def validate(self) -> None:
        """Measure the module on the photos that are not trained on; remember it if it is the best so far."""
        loss, accuracy = measure(self.module, self.val)
        self.history.val_loss.append(loss)
        self.history.val_accuracy.append(accuracy)
        if self.history.best_epoch == len(self.history.val_loss) - 1:
            self._best = copy.deepcopy(self.module.state_dict())

    @property
    def finished(self) -> bool:
        """Whether `patience` epochs have passed without a better one."""
        return len(self.history.val_loss) - 1 - self.history.best_epoch >= self.patience

    def restore_best(self) -> None:
        """Put the module back to its best epoch."""
        self.module.load_state_dict(self._best)


@torch.no_grad()
def measure(module: nn.Module, photos: Photos) -> tuple[float, float]:
    """Return a module's mean cross-entropy in nats and its accuracy, 0 to 1; (nan, nan) without photos."""
    inputs, labels = (torch.as_tensor(part) for part in photos)
    if not len(labels):
        return math.nan, math.nan
    device, losses, right = next(module.parameters()).device, 0.0, 0
    for part, true in zip(inputs.split(512), labels.split(512), strict=True):
        logits, true = module(part.to(device)), true.to(device)
        losses += float(functional.cross_entropy(logits, true, reduction="sum"))
        right += int((logits.argmax(1) == true).sum())
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


def learning_rate_range(
    module: nn.Module,
    train: Photos,
    val: Photos,
    lowest: float = 1e-5,
    highest: float = 1.0,
    steps: int = 60,
    batch_size: int = 256,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Raise the learning rate with every batch and watch the loss (Smith, 2017, arXiv:1506.01186).

    The loss is that of photos which are not trained on, at most 1,000 of `val`: a head that starts at the
    centroids knows its training photos already, so their loss falls at rates that ruin everything else. The
    module itself is left as it is.

    Returns
    -------
    (ndarray (k,), ndarray (k,), float)
        Learning rates, evenly on a logarithmic scale; losses in nats, up to where they exceed twice the first
        one; and a suggestion: a third of the lowest rate that brings nine tenths of the largest fall. Where people are
        easy to tell apart, the loss goes on falling a little at any rate, and the lowest point would be at the end.
        Where no rate brings a fall of 1 %, it is a third of the highest one at which the loss rises by less than 10 %.
    """
    few = np.random.default_rng(0).permutation(len(val[1]))[:1000]
    watched = val[0][few], val[1][few]
    trainer = Trainer(copy.deepcopy(module), train, watched, batch_size=batch_size)
    first = measure(trainer.module, watched)[0]
    rates, losses = np.geomspace(lowest, highest, steps), []
    stream = (places for _ in range(steps) for places in trainer.batches())
    for rate, places in zip(rates, stream, strict=False):
        for group in trainer.optimiser.param_groups:
            group["lr"] = float(rate)
        trainer.step(places)
        losses.append(measure(trainer.module, watched)[0])
        if losses[-1] > 2 * first:
            break
    fallen = 1 - np.array(losses) / first
    enough, harm = fallen >= 0.9 * fallen.max(), fallen < -0.1
    best = enough.argmax() if fallen.max() >= 0.01 else max(harm.argmax() - 1, 0) if harm.any() else -1
    return rates[: len(losses)], np.array(losses), float(rates[best] / 3)
