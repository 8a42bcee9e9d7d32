"""A gallery of millions: exact search, an index that is quicker, and what its size does to a threshold.

The index is FAISS's inverted file (Johnson, Douze and Jegou, 2021, Billion-scale similarity search with GPUs, IEEE
Transactions on Big Data): vectors are sorted into cells around k-means centres, and a probe looks into the few cells
nearest to it.
"""

import numpy as np
import pandas as pd

from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics.identification import predict
from facecourse.metrics.open_set import OpenSet

RECALL = 0.999  # share of probes whose best person the index must find, measured when it is built
SAMPLE = 1_000  # probes on which that is measured
PROBE = 0.7  # their cosine to their own person: notebook 04's threshold would call less alike ones unknown
TRAIN_PER_CELL = 40  # vectors that k-means sees per cell (FAISS asks for at least 39)


def exact_search(
    vectors: np.ndarray, probes: np.ndarray, block: int = 10_000
) -> tuple[np.ndarray, np.ndarray]:
    """Compare every probe, (n, d), with everyone, (m, d): highest similarity (n,) float32, and whose (n,) rows.

    Without anyone the similarity is -1 and the row -1. `block` people at a time bound the memory.
    """
    best, rows = np.full(len(probes), -1, np.float32), np.full(len(probes), -1)
    for start in range(0, len(vectors), block):
        part = probes @ vectors[start : start + block].T
        nearest = part.argmax(1)
        scores = part[np.arange(len(part)), nearest]
        rows = np.where(scores > best, start + nearest, rows)
        best = np.maximum(best, scores)
    return best, rows


def build_index(vectors: np.ndarray, recall: float = RECALL, seed: int = 0):
    """Build an inverted file over unit vectors, (n, d) float32, and open as many cells as the wanted recall needs.

    `recall` is the share of noisy copies of enrolled vectors (cosine PROBE to the original) whose nearest vector must be
    the one that exact search finds. Returns a faiss.IndexIVF, which keeps vectors as 16-bit numbers: 2 d bytes each.
    Raises ImportError if FAISS is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ImportError("FAISS is an optional extra: pip install -r requirements-scale.txt") from error
    count, size = vectors.shape
    # FAISS's guideline: between 4 and 16 square roots of n.
    cells = int(2 ** np.floor(np.log2(4 * np.sqrt(count))))
    index = faiss.index_factory(size, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
    chance = np.random.default_rng(seed)
    index.train(vectors[chance.permutation(count)[: TRAIN_PER_CELL * cells]])
    for start in range(0, count, 100_000):
        index.add(vectors[start : start + 100_000])
    probes = noisy_copies(vectors[chance.permutation(count)[:SAMPLE]], PROBE, chance)
    wanted = exact_search(vectors, probes)[1]
    index.nprobe = 1
    # Where the open cells are empty FAISS gives row -1, which is nobody's.
    while index.nprobe < cells and (index.search(probes, 1)[1][:, 0] == wanted).mean() < recall:
        index.nprobe = min(2 * index.nprobe, cells)
    return index


def noisy_copies(vectors: np.ndarray, cosine: float, chance: np.random.Generator) -> np.ndarray:
    """Return unit vectors at a given cosine (-1 to 1) from unit `vectors` (n, d) float32, in random directions."""
    noise = chance.standard_normal(vectors.shape).astype(np.float32)
    noise -= (noise * vectors).sum(1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return cosine * vectors + np.sqrt(np.float32(1 - cosine**2)) * noise


def synthetic_people(real: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Make up people's vectors, (count, d) float32 unit rows, with the mean and spread of `real` ones, (n, d) unit rows.

    They are drawn from a Gaussian, in place of millions of strangers; real faces have look-alikes (relatives, twins)
    that it lacks.
    """
    chance = np.random.default_rng(seed)
    spread = np.linalg.cholesky(np.cov(real.T) + 1e-9 * np.eye(real.shape[1])).astype(np.float32)
    made = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, 100_000):
        part = chance.standard_normal((min(100_000, count - start), real.shape[1]), np.float32)
        part = part @ spread.T + real.mean(0).astype(np.float32)
        made[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return made


def rates_by_size(
    vectors: np.ndarray,
    extra: np.ndarray,
    known: PhotoSet,
    non_mated: PhotoSet,
    threshold: float,
    sizes: list[int],
    fpir: float = 0.01,
) -> pd.DataFrame:
    """Measure what more and more enrolled people do to a threshold.

    `vectors` (c, d) is the real gallery, in the order of `known.names`; `extra` (m, d) are further people, none of
    them in `known` or `non_mated`; `threshold` is a cosine similarity, chosen for the real gallery alone; `sizes` are
    people in the gallery, from c to c + m, rising.

    Returned are people, FPIR and FNIR (ISO/IEC 19795-1) at the old threshold, the new threshold for `fpir`, and FNIR
    there. The new threshold is chosen on the strangers it is reported for: where they are few it is optimistic.
    """
    number, own = predict(vectors, known)
    rivals, strangers = np.full(len(known), -1, np.float32), predict(vectors, non_mated)[1]
    rows, before = [], 0
    for size in sizes:
        part = extra[before : max(size - len(vectors), 0)]
        before += len(part)
        rivals = np.maximum(rivals, exact_search(part, known.embeddings)[0])
        strangers = np.maximum(strangers, exact_search(part, non_mated.embeddings)[0])
        scores = OpenSet(np.maximum(own, rivals), (number == known.labels) & (own >= rivals), strangers)
        new = scores.threshold_at(fpir)
        (old_fpir, _), (old_fnir, new_fnir) = scores.rates(np.array([threshold, new]))
        rows.append((size, old_fpir, old_fnir, new, new_fnir))
    columns = ["people", "FPIR, old threshold", "FNIR, old threshold", "new threshold", "FNIR, new threshold"]
    return pd.DataFrame(rows, columns=columns)
