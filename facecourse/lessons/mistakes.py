"""Mistakes as pictures: misnamed photos beside who they were taken for, and the pairs that are hardest."""

from pathlib import Path

import numpy as np
import pandas as pd

from facecourse.embedding.photo_sets import PhotoSet
from facecourse.lessons.faces_pictures import face_crop, show_pairs
from facecourse.metrics.verification import Pairs


def show_misnamed(
    manifest: pd.DataFrame,
    embeddings: np.ndarray,
    vectors: np.ndarray,
    photos: PhotoSet,
    wrong: np.ndarray,
    most: int = 12,
    title: str = "Misnamed photos, each beside whom it was taken for",
):
    """Draw misnamed photos, surest mistake first, each beside the other person's most similar photo.

    Parameters
    ----------
    manifest : DataFrame
    embeddings : ndarray of shape (len(manifest), d)
    vectors : ndarray of shape (c, d)
        The head that was wrong.
    photos : PhotoSet
    wrong : ndarray of int
        Positions in `photos`.
    most : int
    title : str

    Returns
    -------
    Figure or None
        None without mistakes.
    """
    scores = photos.embeddings[wrong] @ vectors.T
    order = np.argsort(-scores.max(1), kind="stable")[:most] if len(wrong) else []
    persons, found = manifest["person"].to_numpy(), np.isfinite(embeddings).all(1)
    pairs, texts = [], []
    for place in order:
        probe, guess = photos.rows[wrong[place]], int(scores[place].argmax())
        theirs = np.flatnonzero((persons == photos.names[guess]) & found)
        closest = theirs[np.argmax(embeddings[theirs] @ embeddings[probe])]
        pairs.append((face_crop(manifest.iloc[probe]), face_crop(manifest.iloc[closest])))
        own = scores[place, photos.labels[wrong[place]]]
        texts.append(
            f"{_photo(manifest, probe)}\nnot {_photo(manifest, closest)}\n"
            f"cosine {own:.2f} right, {scores[place, guess]:.2f} wrong"
        )
    return show_pairs(pairs, texts, title=title)


def worst_pairs(scores: np.ndarray, pairs: Pairs, same: bool, most: int = 8) -> np.ndarray:
    """Return the positions of the least similar pairs of one person, or the most similar of two."""
    asked = np.flatnonzero((pairs.same == same) & np.isfinite(scores))
    return asked[np.argsort(scores[asked] if same else -scores[asked], kind="stable")[:most]]


def show_worst_pairs(manifest: pd.DataFrame, scores: np.ndarray, pairs: Pairs, same: bool, most: int = 8):
    """Draw the hardest pairs of one kind.

    Parameters
    ----------
    manifest : DataFrame
    scores : ndarray of shape (n,)
        Cosine similarity of each pair.
    pairs : Pairs
    same : bool
        True: the same person and hardly alike. False: two people and much alike.
    most : int
    """
    chosen = worst_pairs(scores, pairs, same, most)
    crops = [
        (face_crop(manifest.iloc[pairs.left[i]]), face_crop(manifest.iloc[pairs.right[i]])) for i in chosen
    ]
    texts = [
        f"{_photo(manifest, pairs.left[i])}\n{_photo(manifest, pairs.right[i])}\ncosine {scores[i]:.2f}"
        for i in chosen
    ]
    title = "Same person, least similar" if same else "Different people, most similar"
    return show_pairs(crops, texts, title=title)


def _photo(manifest: pd.DataFrame, row: int) -> str:
    return Path(manifest["path"].iloc[row]).stem.replace("_", " ")
