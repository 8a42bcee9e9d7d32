"""Photos that are the same picture twice, and photos that show somebody else than their folder says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from facecourse.photos.examine import thumbnails

# Found by looking at LFW's closest pairs. Between photos of one person a false alarm costs nothing (both
# stay on the same side of a split), so it is caught early; between two people it accuses somebody's
# label, so it must be nearly the same.
SAME_PERSON = (12, 0.88)  # bits of 64 that may differ, correlation of the small grey copies
OTHER_PERSON = (8, 0.95)
BLOCK = 512


def near_pairs(hashes: Sequence[str], sums: Sequence[str], persons: Sequence[str]) -> list[tuple[int, int]]:
    """Find all pairs of photos that show the same picture: also in another size, crop or quality.

    First by perceptual hash (Zauner 2010; the discrete cosine transform of the grey picture), which costs
    one operation per pair, then, among those, by correlating the 32 x 32 grey copies.

    Parameters
    ----------
    hashes : sequence of str
        Perceptual hashes, 16 hexadecimal digits.
    sums : sequence of str
        SHA-256 of the photos, to look up their grey copies.
    persons : sequence of str

    Returns
    -------
    list of (int, int)
        Pairs of positions i < j, in order.
    """
    bits = np.array([int(value, 16) for value in hashes], dtype=np.uint64)
    names = np.unique(np.asarray(persons, dtype=object).astype(str), return_inverse=True)[1]
    candidates = []
    for start in range(0, len(bits), BLOCK):
        distance = _differing_bits(bits[start : start + BLOCK, None] ^ bits[None, start:])
        rows, columns = np.nonzero(distance <= SAME_PERSON[0])
        rows, columns, away = rows + start, columns + start, distance[rows, columns]
        keep = (rows < columns) & ((names[rows] == names[columns]) | (away <= OTHER_PERSON[0]))
        candidates.append(np.column_stack([rows[keep], columns[keep]]))
    pairs = np.concatenate(candidates) if candidates else np.zeros((0, 2), int)
    small = thumbnails({sums[i] for i in np.unique(pairs)})
    return [
        (int(i), int(j))
        for i, j in pairs
        if sums[i] == sums[j] or _alike(small, sums[i], sums[j], names[i] == names[j])
    ]


def _differing_bits(values: np.ndarray) -> np.ndarray:
    """Count the ones of each 64-bit number."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(values)
    parts = values[..., None].view(np.uint8)  # numpy before 2.0
    return np.unpackbits(parts, axis=-1).sum(-1, dtype=np.uint8)


def _alike(small: dict[str, np.ndarray], a: str, b: str, same_person: bool) -> bool:
    if a not in small or b not in small:
        return False
    return float(small[a] @ small[b]) >= (SAME_PERSON if same_person else OTHER_PERSON)[1]


def groups(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Number the groups of photos that are connected by `pairs`, directly or through others.

    Returns
    -------
    ndarray of shape (count,), int
        Photos with the same number belong together.
    """
    if not len(pairs):
        return np.arange(count)
    ends = np.asarray(pairs)
    links = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    return connected_components(links, directed=False)[1]


@dataclass(frozen=True)
class Agreement:
    """How well photos agree with their person's others, and how well with somebody else.

    Attributes
    ----------
    own : ndarray of shape (n,)
        Cosine similarity of each photo to the mean of its person's other photos; nan without a face and for
        people with fewer than three photos: between two, nobody can say which one is wrong.
    rival : ndarray of shape (n,)
        Similarity to the most similar other person's mean; nan where `own` is not below `rare`.
    who : list of str, n
        That other person, or "".
    common, rare : float
        Similarities that 90 and 99 of 100 photos do not reach with a person that is not theirs; nan if there
        is only one person.
    """

    own: np.ndarray
    rival: np.ndarray
    who: list[str]
    common: float
    rare: float

    def doubtful(self) -> np.ndarray:
        """Return the rows that probably show somebody else.

        They agree with their person no better than one stranger in a hundred does, and either agree better
        with somebody else or no better than one stranger in ten does. The first alone accuses sunglasses
        and side views: on the sample 17 photos instead of 3.
        """
        return np.flatnonzero((self.own < self.rare) & ((self.own < self.rival) | (self.own < self.common)))


def agreement(embeddings: np.ndarray, persons: Sequence[str]) -> Agreement:
    """Compare each photo with the others of its person, and the odd ones with everybody else.

    Parameters
    ----------
    embeddings : ndarray of shape (n, d), float32
        Unit rows; nan where there is no face.
    persons : sequence of str, n
    """
    names = np.asarray(persons, dtype=object).astype(str)
    good = np.flatnonzero(np.isfinite(embeddings).all(1))
    labels, who = np.unique(names[good], return_inverse=True)
    vectors = embeddings[good].astype(np.float64)
    sums = np.zeros((len(labels), vectors.shape[1]))
    np.add.at(sums, who, vectors)
    others = sums[who] - vectors
    own, rival = np.full(len(names), np.nan), np.full(len(names), np.nan)
    own[good] = (others * vectors).sum(1) / np.maximum(np.linalg.norm(others, axis=1), 1e-9)
    own[good[np.bincount(who, minlength=len(labels))[who] < 3]] = np.nan
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    common, rare = _stranger_levels(vectors, who, means)
    nearest = [""] * len(names)
    for place in np.flatnonzero(own[good] < rare):
        scores = means @ vectors[place]
        scores[who[place]] = -1.0
        best = int(scores.argmax())
        rival[good[place]], nearest[good[place]] = scores[best], str(labels[best])
    return Agreement(own, rival, nearest, common, rare)


def _stranger_levels(vectors: np.ndarray, who: np.ndarray, means: np.ndarray) -> tuple[float, float]:
    """The 90th and 99th percentile of photos' similarity to other people's means, on at most 2,000 x 500."""
    if len(means) < 2:
        return float("nan"), float("nan")
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), 2000)).astype(int)
    columns = np.linspace(0, len(means) - 1, min(len(means), 500)).astype(int)
    scores = vectors[rows] @ means[columns].T
    common, rare = np.quantile(scores[who[rows][:, None] != columns[None]], (0.9, 0.99))
    return float(common), float(rare)
