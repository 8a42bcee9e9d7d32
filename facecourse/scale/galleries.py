"""A gallery of millions behind the same enrol and identify: exact search while that is quick, an index beyond.

The index is FAISS's inverted file (Johnson, Douze and Jegou, 2021, Billion-scale similarity search with GPUs, IEEE
Transactions on Big Data): vectors are sorted into cells around k-means centres, and a probe looks into the few cells
nearest to it.
"""

import numpy as np
import pandas as pd

from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics.identification import predict
from facecourse.metrics.open_set import OpenSet
from lambda_function.gallery import CROWD, UNKNOWN, Gallery, Match, likeness_to_the_crowd

EXACT_UP_TO = 50_000  # people; below, one matrix product answers as quickly as an index
RECALL = 0.999  # share of probes whose best person the index must find, measured when it is built
SAMPLE = 1_000  # probes on which that is measured
TRAIN_PER_CELL = 40  # vectors that k-means sees per cell (FAISS asks for at least 39)


class LargeGallery(Gallery):
    """The enrolled people, however many; see `lambda_function.gallery.Gallery` for what it answers.

    `enrol` adds to the index and `remove` hides a row, so neither builds anything anew.

    Parameters
    ----------
    labels : list of str
        One name per row of `vectors`.
    vectors : ndarray of shape (people, d), float32
        Unit vectors.
    threshold, calibration, crowd
        As of `Gallery`.

    Raises
    ------
    ImportError
        If there are more than EXACT_UP_TO people and FAISS is not installed (requirements-scale.txt).
    """

    def __post_init__(self):
        super().__post_init__()
        self._index, self._gone = None, set()
        if len(self.labels) > EXACT_UP_TO:
            self._index = build_index(self.vectors)

    @property
    def indexed(self) -> bool:
        """Whether an index answers, and not exact search."""
        return self._index is not None

    def nearest(self, embeddings: np.ndarray, top: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """Find the most similar people.

        Parameters
        ----------
        embeddings : ndarray of shape (n, d), float32, unit rows
        top : int

        Returns
        -------
        (ndarray of shape (n, top), float32; ndarray of shape (n, top), int64)
            Cosine similarities, best first, and rows of the gallery; fewer columns when fewer people are enrolled.
        """
        embeddings = np.ascontiguousarray(embeddings, np.float32)
        if self._index is None:
            return exact_search(self.vectors, embeddings, top)
        scores, rows = self._index.search(embeddings, top + len(self._gone))
        if not self._gone:
            return scores, rows
        alive = ~np.isin(rows, list(self._gone)) & (rows >= 0)
        order = np.argsort(~alive, axis=1, kind="stable")[
            :, :top
        ]  # what is hidden goes to the end, then off it
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)

    def identify(self, embeddings: np.ndarray, top: int = 5, threshold: float | None = None) -> list[Match]:
        """Name every probe, or call it unknown: as `Gallery.identify`."""
        if self._index is None:
            return super().identify(embeddings, top, threshold)
        limit = self.threshold if threshold is None else threshold
        scores, rows = self.nearest(embeddings, max(top, CROWD + 1) if self.crowd else top)
        if self.crowd:
            scores = scores - np.float32(self.crowd) * likeness_to_the_crowd(scores)
        scores, rows = scores[:, :top], rows[:, :top]
        sure = self.confidence(scores)
        return [self._named(*found, limit) for found in zip(rows, scores, sure, strict=True)]

    def _named(self, rows: np.ndarray, scores: np.ndarray, sure: np.ndarray, limit: float) -> Match:
        best = [
            (self.labels[r], float(s), float(c)) for r, s, c in zip(rows, scores, sure, strict=True) if r >= 0
        ]
        if not best:
            return Match(UNKNOWN, -1.0, 0.0, [])
        name, score, confidence = best[0]
        return Match(name if score >= limit else UNKNOWN, score, confidence, best)

    def enrol(self, name: str, embeddings: np.ndarray) -> None:
        """Add a person, or replace one of the same name: as `Gallery.enrol`."""
        if self._index is None:
            super().enrol(name, embeddings)
            return
        one = Gallery([], np.zeros((0, self.vectors.shape[1]), np.float32))
        one.enrol(name, embeddings)  # checks the name and the numbers, and takes the mean
        self.remove(name)
        self.labels.append(name)
        self.vectors = np.vstack([self.vectors, one.vectors])
        self._index.add(one.vectors)

    def remove(self, name: str) -> bool:
        """Forget a person; return whether there was one of that name. Their vector is overwritten with zeros."""
        if self._index is None:
            return super().remove(name)
        rows = [r for r, label in enumerate(self.labels) if label == name and r not in self._gone]
        self._gone.update(rows)
        self.vectors[rows] = 0
        return bool(rows)


def exact_search(vectors: np.ndarray, embeddings: np.ndarray, top: int = 1, block: int = 256):
    """Compare every probe with everyone: (m, d), (n, d) -> similarities and rows, both (n, min(top, m)).

    Parameters
    ----------
    vectors : ndarray of shape (m, d), float32
        The enrolled people.
    embeddings : ndarray of shape (n, d), float32
        The probes.
    top : int
        How many of the best to return.
    block : int
        Probes compared at a time, which bounds the memory.
    """
    top = min(top, len(vectors))
    scores, rows = [np.zeros((0, top), np.float32)], [np.zeros((0, top), np.int64)]
    for start in range(0, len(embeddings), block):
        part = embeddings[start : start + block] @ vectors.T
        best = np.argpartition(-part, top - 1, axis=1)[:, :top] if top else np.zeros((len(part), 0), np.int64)
        values = np.take_along_axis(part, best, 1)
        order = np.argsort(-values, axis=1, kind="stable")
        scores.append(np.take_along_axis(values, order, 1))
        rows.append(np.take_along_axis(best, order, 1))
    return np.concatenate(scores), np.concatenate(rows)


def build_index(vectors: np.ndarray, recall: float = RECALL, seed: int = 0):
    """Build an inverted file over unit vectors and open as many cells as the wanted recall needs.

    Parameters
    ----------
    vectors : ndarray of shape (n, d), float32, unit rows
    recall : float
        Share of noisy copies of enrolled vectors (cosine 0.6 to the original, as far as two photos of one person are
        apart at worst) whose nearest vector must be the one that exact search finds.
    seed : int

    Returns
    -------
    faiss.IndexIVF
        Vectors are kept as 16-bit numbers: 2 d bytes each.
    """
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            f"more than {EXACT_UP_TO:,} people need FAISS, an optional extra: pip install -r requirements-scale.txt"
        ) from error
    count, size = vectors.shape
    cells = int(
        2 ** np.floor(np.log2(4 * np.sqrt(count)))
    )  # FAISS's guideline: between 4 and 16 square roots of n
    index = faiss.index_factory(size, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
    chance = np.random.default_rng(seed)
    index.train(vectors[chance.permutation(count)[: TRAIN_PER_CELL * cells]])
    for start in range(0, count, 100_000):
        index.add(vectors[start : start + 100_000])
    probes = noisy_copies(vectors[chance.permutation(count)[:SAMPLE]], 0.6, chance)
    wanted = exact_search(vectors, probes)[1]
    index.nprobe = 1
    while index.nprobe < cells and (index.search(probes, 1)[1] == wanted).mean() < recall:
        index.nprobe = min(2 * index.nprobe, cells)
    return index


def noisy_copies(vectors: np.ndarray, cosine: float, chance: np.random.Generator) -> np.ndarray:
    """Return unit vectors at a given cosine from `vectors` (n, d), in random directions.

    Parameters
    ----------
    vectors : ndarray of shape (n, d), float32, unit rows
    cosine : float
        Similarity of each copy to its original, -1 to 1.
    chance : numpy Generator
    """
    noise = chance.standard_normal(vectors.shape).astype(np.float32)
    noise -= (noise * vectors).sum(1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return cosine * vectors + np.sqrt(np.float32(1 - cosine**2)) * noise


def synthetic_people(real: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Make up people's vectors with the mean and spread of real ones: a Gaussian fitted to them, scaled to length 1.

    They stand in for millions of strangers; real faces have look-alikes (relatives, twins) that a Gaussian lacks.

    Parameters
    ----------
    real : ndarray of shape (n, d), unit rows
    count : int
    seed : int

    Returns
    -------
    ndarray of shape (count, d), float32, unit rows
    """
    chance = np.random.default_rng(seed)
    spread = np.linalg.cholesky(np.cov(real.T) + 1e-9 * np.eye(real.shape[1])).astype(np.float32)
    made = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, 100_000):
        part = chance.standard_normal((min(100_000, count - start), real.shape[1]), np.float32)
        part = part @ spread.T + real.mean(0).astype(np.float32)
        made[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return made


def best_scores(vectors: np.ndarray, probes: np.ndarray, block: int = 100_000) -> np.ndarray:
    """Return each probe's highest similarity to any of many vectors: (m, d), (n, d) -> (n,) float32."""
    best = np.full(len(probes), -1, np.float32)
    for start in range(0, len(vectors), block):
        np.maximum(best, (probes @ vectors[start : start + block].T).max(1, initial=-1), out=best)
    return best


def far_by_size(
    vectors: np.ndarray,
    extra: np.ndarray,
    known: PhotoSet,
    strangers: PhotoSet,
    threshold: float,
    sizes: list[int],
    far: float = 0.01,
) -> pd.DataFrame:
    """Measure what more and more enrolled people do to a threshold.

    Parameters
    ----------
    vectors : ndarray of shape (c, d)
        The real gallery, in the order of `known.names`.
    extra : ndarray of shape (m, d)
        Further people; none of them is in `known` or `strangers`.
    known, strangers : PhotoSet
        Probes of enrolled and of other people.
    threshold : float
        Cosine similarity, chosen for the real gallery alone.
    sizes : list of int
        People in the gallery, from c to c + m.
    far : float
        For which a new threshold is chosen.

    Returns
    -------
    DataFrame
        people, FAR and FRR at the old threshold, the new threshold for `far`, and FRR there; FRR counts a known person who
        is refused or misnamed (ISO/IEC 19795-1). The new threshold is chosen on the strangers it is reported for: at
        small numbers of strangers it is optimistic.
    """
    number, own = predict(vectors, known)
    outside = predict(vectors, strangers)[1]
    rows, before = [], 0
    rivals, others = np.full(len(known), -1, np.float32), np.full(len(strangers), -1, np.float32)
    for size in sizes:
        part = extra[before : max(size - len(vectors), 0)]
        before += len(part)
        rivals = np.maximum(rivals, best_scores(part, known.embeddings))
        others = np.maximum(others, best_scores(part, strangers.embeddings))
        right = (number == known.labels) & (own >= rivals)
        scores = OpenSet(np.maximum(own, rivals), right, np.maximum(outside, others))
        new = scores.threshold_at(far)
        (old_far, _), (old_frr, new_frr) = scores.rates(np.array([threshold, new]))
        rows.append((size, old_far, old_frr, new, new_frr))
    columns = ["people", "FAR, old threshold", "FRR, old threshold", "new threshold", "FRR, new threshold"]
    return pd.DataFrame(rows, columns=columns)
