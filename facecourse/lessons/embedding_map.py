"""Embeddings laid out on paper: neighbours stay neighbours."""

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors


def map_of_embeddings(
    manifest: pd.DataFrame, embeddings: np.ndarray, photos: int = 600, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Lay embeddings out in two dimensions by t-SNE (van der Maaten and Hinton, 2008, JMLR 9).

    Parameters
    ----------
    manifest : DataFrame
    embeddings : ndarray of shape (len(manifest), d)
    photos : int
        At most so many: the reader's people first, then whole other people by chance.
    seed : int

    Returns
    -------
    (ndarray of shape (n, 2), ndarray of str)
        Places, and whose photo lies there.
    """
    chance = np.random.default_rng(seed)
    found = np.isfinite(embeddings).all(1)
    persons, own = manifest["person"].to_numpy(), (manifest["source"] == "people").to_numpy()
    others = sorted(set(persons[found]) - set(persons[own]))
    order = {name: place for place, name in enumerate(chance.permutation(others))}
    rank = np.array([order.get(name, -1) for name in persons])
    rows = np.flatnonzero(found)
    rows = rows[np.argsort(rank[rows], kind="stable")][:photos]
    perplexity = min(20.0, (len(rows) - 1) / 4)
    points = TSNE(2, perplexity=perplexity, init="pca", metric="cosine", random_state=seed, n_jobs=1)
    return points.fit_transform(embeddings[rows]), persons[rows].astype(str)


def neighbours_agree(points: np.ndarray, persons: np.ndarray) -> float:
    """Return the share of places whose nearest neighbour is the same person's, of people with two or more.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Places on the map.
    persons : ndarray of shape (n,)
        Who is at each place.
    """
    several = np.isin(
        persons, [name for name, n in zip(*np.unique(persons, return_counts=True), strict=True) if n > 1]
    )
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points, return_distance=False)[:, 1]
    return float((persons[nearest] == persons)[several].mean())
