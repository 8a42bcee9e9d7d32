"""Choosing a head without looking at the photos that it is scored on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.embedding.photo_sets import PhotoSet, centroids, hold_out
from facecourse.heads.training import CosineHead, History, Trainer, fit

KINDS = ("softmax", "cosface", "arcface")


@dataclass(frozen=True)
class Selection:
    """The head that did best on a slice of the training photos, trained again on all of them.

    Attributes
    ----------
    kind : str
        "nearest centroid", "softmax", "cosface" or "arcface".
    epochs : int
        How many were best on the slice; 0 for the centroids.
    vectors : ndarray of shape (c, d), float32, unit rows
    table : DataFrame
        One row per kind: top-1 on the slice, loss in nats, epochs.
    """

    kind: str
    epochs: int
    vectors: np.ndarray
    table: pd.DataFrame


def select_head(
    train: PhotoSet, learning_rate: float = 0.003, epochs: int = 20, seed: int = 0, kinds=KINDS
) -> Selection:
    """Choose kind and epochs on one held-out photo per person, then train on everything.

    The lowest loss decides: on a slice of a few hundred photos top-1 moves in steps of a photo, so its best is luck.

    Parameters
    ----------
    train : PhotoSet
        Nothing else is looked at: every other photo can still serve as a fair test.
    learning_rate, epochs, seed
        As in `Trainer`.
    kinds : sequence of str
        Heads to try besides the centroids.
    """
    watched = hold_out(train.labels, at_least=3, seed=seed)
    inner, slice_ = train.take(~watched), train.take(watched)
    classes = len(train.names)
    start = centroids(inner.embeddings, inner.labels, classes)
    untrained = _trainer(CosineHead(start, "softmax"), inner, slice_, learning_rate, epochs, seed)
    untrained.validate()
    rows = {"nearest centroid": _row(untrained.history, 0)}
    for kind in kinds:
        trainer = fit(_trainer(CosineHead(start, kind), inner, slice_, learning_rate, epochs, seed))
        rows[kind] = _row(trainer.history, trainer.history.best_epoch + 1)
    table = pd.DataFrame(rows).T.astype({"epochs": int})
    kind = str(table["loss"].idxmin())
    count = int(table.loc[kind, "epochs"])
    vectors = centroids(train.embeddings, train.labels, classes)
    if count:
        head = CosineHead(vectors, kind)
        trainer = _trainer(head, train, train.take(slice(0)), learning_rate, epochs, seed)
        for _ in range(count):
            trainer.train_epoch()
        vectors = head.vectors()
    return Selection(kind, count, vectors, table)


def _row(history: History, epochs: int) -> dict[str, float]:
    best = history.best_epoch
    return {
        "top-1 on the slice": history.val_accuracy[best],
        "loss": history.val_loss[best],
        "epochs": epochs,
    }


def _trainer(head, photos: PhotoSet, watched: PhotoSet, learning_rate, epochs, seed) -> Trainer:
    sides = ((side.embeddings, side.labels) for side in (photos, watched))
    return Trainer(head, *sides, learning_rate, epochs, seed=seed)
