"""Photos as numbers: the embeddings and labels of each side of a split."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class PhotoSet:
    """The photos of one side of a split.

    Attributes
    ----------
    embeddings : ndarray of shape (n, d), float32, unit rows
    labels : ndarray of shape (n,), int64
        Index into `names`, or -1 for a stranger.
    rows : ndarray of shape (n,), int64
        Rows of the manifest.
    names : list of str
        The people who are trained on, in order; the same list for every side.
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
    """Sort embeddings by the sides of a split.

    Parameters
    ----------
    manifest : DataFrame
    embeddings : ndarray of shape (len(manifest), d)
        Rows of nan (photos without a face) are left out.
    column : str
        "course_split" or "seed_split".

    Returns
    -------
    dict of str to PhotoSet
        "train", "val" and so on. The known people are those with a photo in "train".
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
    return sets


def centroids(embeddings: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return every person's mean embedding, scaled to length 1: (classes, d) float32.

    Parameters
    ----------
    embeddings : ndarray of shape (n, d), float32, unit rows
    labels : ndarray of shape (n,), int64
        Person 0 ... classes-1 of each row.
    classes : int
    """
    sums = np.zeros((classes, embeddings.shape[1]), np.float64)
    np.add.at(sums, labels, embeddings)
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def hold_out(labels: np.ndarray, at_least: int = 3, seed: int = 0) -> np.ndarray:
    """Mark one photo of each person with `at_least` photos: the slice on which training is watched.

    Parameters
    ----------
    labels : ndarray of shape (n,), int64
    at_least : int
        People with fewer photos keep all of them.
    seed : int

    Returns
    -------
    ndarray of shape (n,), bool
    """
    chance = np.random.default_rng(seed).random(len(labels))
    marked = np.zeros(len(labels), bool)
    for label in np.flatnonzero(np.bincount(labels) >= at_least):
        own = np.flatnonzero(labels == label)
        marked[own[np.argmin(chance[own])]] = True
    return marked
