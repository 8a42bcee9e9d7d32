"""Notebook 03's training on several processes: every one takes its share of each batch (torchrun, DDP).

python -m torch.distributed.run --nproc-per-node 2 -m facecourse.scale.distributed task.npz history.json
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from facecourse.core.paths import ROOT
from facecourse.embedding.photo_sets import centroids
from facecourse.heads.training import CosineHead, History, Trainer, batches, fit, seed_everything


class DistributedTrainer(Trainer):
    """A `Trainer` of which one runs in each process; together they take the same steps as one alone.

    All processes draw the same random batches. Each computes the loss on every n-th photo of a batch; DDP averages
    the gradients (Li et al., 2020, PyTorch Distributed, VLDB), weighted here so that a batch that does not divide
    evenly counts right too.
    """

    def __init__(self, *parts, **settings):
        super().__init__(*parts, **settings)
        self.model = DistributedDataParallel(self.head)

    def train_epoch(self) -> None:
        """Go once through the training photos; every process ends up with the same head and history."""
        rank, world = dist.get_rank(), dist.get_world_size()
        start, totals = time.perf_counter(), torch.zeros(2, dtype=torch.float64)
        for embeddings, labels in batches(*self.train, self.batch_size, self.generator):
            own = slice(rank, None, world)
            logits = self.model(embeddings[own], labels[own])
            total = functional.cross_entropy(logits, labels[own], reduction="sum")
            self.optimiser.zero_grad()
            (total * world / len(labels)).backward()
            self.optimiser.step()
            self.schedule.step()
            totals[0] += float(total.detach())
            totals[1] += int((logits.detach().argmax(1) == labels[own]).sum())
        dist.all_reduce(totals)
        loss, right = (totals / max(len(self.train[1]), 1)).tolist()
        self.history.train_loss.append(loss)
        self.history.train_accuracy.append(right)
        self.history.learning_rate.append(self.schedule.get_last_lr()[0])
        self.history.seconds.append(time.perf_counter() - start)


def trainer_for(kind: type[Trainer], task: Path) -> Trainer:
    """Return a trainer of a stored task, at the same start in every process.

    Parameters
    ----------
    kind : Trainer or DistributedTrainer
    task : path
        npz with train (n, d), train_labels, val, val_labels, learning_rate, epochs, batch_size.
    """
    seed_everything(0)
    with np.load(task, allow_pickle=False) as stored:
        part = {name: stored[name] for name in stored.files}
    vectors = centroids(part["train"], part["train_labels"], int(part["train_labels"].max()) + 1)
    return kind(
        CosineHead(vectors, "cosface"),
        (part["train"], part["train_labels"]),
        (part["val"], part["val_labels"]),
        float(part["learning_rate"]),
        int(part["epochs"]),
        patience=int(part["epochs"]),
        batch_size=int(part["batch_size"]),
    )


def train_with(processes: int, task: Path, timeout: float = 600) -> dict:
    """Train a stored task under torchrun on this machine.

    Parameters
    ----------
    processes : int
    task : Path
        The stored task.
    timeout : float
        Seconds until it is given up.

    Returns
    -------
    dict
        The history's lists, as `facecourse.heads.training.History` names them.

    Raises
    ------
    RuntimeError
        If a process fails; the message ends with what it said.
    """
    written = task.with_suffix(f".{processes}.json")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "facecourse.scale.distributed", str(task.resolve()), str(written.resolve())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"training on {processes} processes failed:\n{done.stderr[-3000:]}")
    return json.loads(written.read_text())


def main(task: str, written: str) -> None:
    """Run one of the processes; the first one writes the history."""
    dist.init_process_group("gloo")
    history = _history_of(Path(task))
    if dist.get_rank() == 0:
        Path(written).write_text(json.dumps(vars(history)))
    dist.barrier()  # nobody leaves while another is still being answered
    dist.destroy_process_group()


def _history_of(task: Path) -> History:
    """Train, and let go of the model: it holds on to the process group, which could then not be taken down."""
    torch.set_num_threads(1)
    trainer = trainer_for(DistributedTrainer, task)
    torch.set_num_threads(1)  # two processes on two cores: more threads would only wait for each other
    fit(trainer)
    return trainer.history


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(
        0
    )  # gloo's threads can abort a process that is done while Python takes itself apart (pytorch #190489)
