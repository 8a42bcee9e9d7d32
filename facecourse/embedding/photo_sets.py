"""Embeddings and labels of each side of a split."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class PhotoSet:
    """The n photos of one side of a split.

    `embeddings` (n, d) float32 has unit rows; `labels` (n,) int64 are positions in `names`, -1 for someone who is not
    enrolled (non-mated); `rows` (n,) int64 are rows of the manifest; `names` are the people who are trained on, the
    same list for every side.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    names: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> "PhotoSet":
        """Return some of the photos, by position or by a mask."""
        return PhotoSet(self.embeddings[index], self.labels[index], self.rows[index], self.names)


def photo_sets(manifest: pd.DataFrame, embeddings: np.ndarray, column: str) -> dict[str, PhotoSet]:
    """Sort the embeddings of a manifest, (len(manifest), d), by the sides of a split: "train", "val" and so on.

    `column` is "course_split" or "seed_split". Rows of nan, photos without a face, are left out. The people with a
    photo in "train" are known. Raises ValueError if there are too few people or photos to train and test.
    """
    usable = np.isfinite(embeddings).all(1)
    sides, persons = manifest[column].to_numpy(), manifest["person"].to_numpy()
    names = sorted(set(persons[(sides == "train") & usable]))
    number = {name: i for i, name in enumerate(names)}
    labels = np.array([number.get(person, -1) for person in persons], np.int64)
    sets = {}
    for side in ("train", "val", "test", "unknown_val", "unknown_test"):
        rows = np.flatnonzero((sides == side) & usable)
        sets[side] = PhotoSet(embeddings[rows], labels[rows], rows, names)
    tested = ("val",) if column == "seed_split" else ("val", "test")  # seed_split has no "test"
    if len(names) < 2 or not all(len(sets[side]) for side in tested):
        counts = Counter(persons[usable & np.isin(persons, names)])
        told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
        raise ValueError(
            "training and testing need two people or more with four usable photos each; usable are those of"
            f" {told}. Add photos, and run notebook 01 again"
        )
    return sets


def centroids(embeddings: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return every person's mean embedding, scaled to length 1: (classes, d) float32, 0 for a person without photos.

    `embeddings` (n, d) has unit rows; `labels` (n,) are 0 to classes - 1.
    """
    sums = np.zeros((classes, embeddings.shape[1]), np.float64)
    np.add.at(sums, labels, embeddings)
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def hold_out(labels: np.ndarray, at_least: int = 3, seed: int = 0) -> np.ndarray:
    """Mark a validation subset, (n,) bool: one photo by chance of each person with `at_least` photos."""
    chance = np.random.default_rng(seed).random(len(labels))
    marked = np.zeros(len(labels), bool)
    for label in np.flatnonzero(np.bincount(labels) >= at_least):
        own = np.flatnonzero(labels == label)
        marked[own[np.argmin(chance[own])]] = True
    return marked
