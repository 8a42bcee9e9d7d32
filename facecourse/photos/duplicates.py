"""Photos that are the same picture twice, and photos that show somebody else than their folder says."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# Found by looking at LFW's closest pairs. Between photos of one person a false alarm costs nothing (both
# stay on the same side of a split), so it is caught early; between two people it accuses somebody's
# label, so it must be nearly the same.
SAME_PERSON = (12, 0.88)  # bits of 64 that may differ, correlation of the small grey copies
OTHER_PERSON = (8, 0.95)
BLOCK = 512


def near_pairs(
    hashes: Sequence[str], thumbnails: Sequence[str], sums: Sequence[str], persons: Sequence[str]
) -> np.ndarray:
    """Find all pairs of photos that show the same picture, also in another size, crop or quality: (pairs, 2) int64, i
    < j.

    First by perceptual hash (Zauner 2010; the discrete cosine transform of the grey picture), which costs one
    operation per pair, then, among those, by correlating the 32 x 32 grey copies; `hashes` and `thumbnails` are from
    `examine.examine`, `sums` the SHA-256.
    """
    bits = np.array([int(value, 16) for value in hashes], dtype=np.uint64)
    names = np.unique(np.asarray(persons, dtype=object).astype(str), return_inverse=True)[1]
    candidates = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(bits), BLOCK):
        distance = np.bitwise_count(bits[start : start + BLOCK, None] ^ bits[None, start:])
        rows, columns = np.nonzero(distance <= SAME_PERSON[0])
        rows, columns, away = rows + start, columns + start, distance[rows, columns]
        keep = (rows < columns) & ((names[rows] == names[columns]) | (away <= OTHER_PERSON[0]))
        candidates.append(np.column_stack([rows[keep], columns[keep]]))
    pairs = np.concatenate(candidates)
    grey = {i: _normalised(thumbnails[i]) for i in np.unique(pairs)}
    alike = [
        sums[i] == sums[j]
        or float(grey[i] @ grey[j]) >= (SAME_PERSON if names[i] == names[j] else OTHER_PERSON)[1]
        for i, j in pairs
    ]
    return pairs[np.array(alike, bool)]


def _normalised(thumbnail: str) -> np.ndarray:
    """Decode a grey copy to mean 0 and length 1."""
    pixels = np.frombuffer(base64.b64decode(thumbnail), np.uint8).astype(np.float32)
    pixels -= pixels.mean()
    return pixels / max(float(np.linalg.norm(pixels)), 1e-6)


def duplicate_groups(count: int, pairs: np.ndarray) -> np.ndarray:
    """Number the groups of photos that `pairs` connect, directly or through others: (count,) int, the same for a
    group.
    """
    if not len(pairs):
        return np.arange(count)
    links = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count))
    return connected_components(links, directed=False)[1]


@dataclass(frozen=True)
class WithinPerson:
    """How well n photos agree with their person's others, and how well with somebody else."""

    # (n,) cosine similarity to the mean of the person's other photos; nan without a face and for people with
    # fewer than three photos: between two, nobody can say which one is wrong.
    own: np.ndarray
    rival: np.ndarray  # (n,) to the most similar other person's mean; nan where `own` is not below `rare`
    who: list[str]  # that other person, or ""
    common: (
        float  # what 90 of 100 photos do not reach with a person that is not theirs; nan with one person only
    )
    rare: float  # what 99 of 100 do not reach

    def doubtful(self) -> np.ndarray:
        """Return the rows that probably show somebody else.

        They agree with their person no better than one stranger in a hundred does, and either agree better with
        somebody else or no better than one stranger in ten does. It is a question to the reader: the sample has no
        wrong name, and masks, sunglasses and night photos are listed all the same, 23 photos instead of 33 by the
        first condition alone.
        """
        return np.flatnonzero((self.own < self.rare) & ((self.own < self.rival) | (self.own < self.common)))


def within_person_similarity(embeddings: np.ndarray, persons: Sequence[str]) -> WithinPerson:
    """Compare each photo with the others of its person, and the odd ones with everybody else.

    `embeddings` (n, d) float32 has unit rows, nan where there is no face.
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
    return WithinPerson(own, rival, nearest, common, rare)


def _stranger_levels(vectors: np.ndarray, who: np.ndarray, means: np.ndarray) -> tuple[float, float]:
    """The 90th and 99th percentile of photos' similarity to other people's means, on at most 2,000 x 500."""
    if len(means) < 2:
        return float("nan"), float("nan")
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), 2000)).astype(int)
    columns = np.linspace(0, len(means) - 1, min(len(means), 500)).astype(int)
    scores = vectors[rows] @ means[columns].T
    common, rare = np.quantile(scores[who[rows][:, None] != columns[None]], (0.9, 0.99))
    return float(common), float(rare)
