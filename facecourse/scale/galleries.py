"""A gallery of millions: exact search, an index that is quicker, and what its size does to a threshold.

The index is FAISS's inverted file (Johnson, Douze and Jegou, 2021, Billion-scale similarity search with GPUs, IEEE
Transactions on Big Data): vectors are sorted into cells around k-means centres, and a probe looks into the few cells
nearest to it.
"""

from math import erfc

import numpy as np
import pandas as pd

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
    """Make up vectors to time a search with, (count, d) float32 unit rows, with the mean and spread of `real`, (n, d).

    They are drawn from a Gaussian whose covariance is shrunk (Ledoit and Wolf, 2004, Journal of Multivariate Analysis
    88), since few people spread in as few directions as they are. They are nobody's, and say nothing about how often
    people look alike.
    """
    from sklearn.covariance import ledoit_wolf  # a second

    chance, middle = np.random.default_rng(seed), real.mean(0).astype(np.float32)
    spread = np.linalg.cholesky(ledoit_wolf(real)[0]).astype(np.float32)
    made = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, 100_000):
        part = chance.standard_normal((min(100_000, count - start), real.shape[1]), np.float32)
        part = part @ spread.T + middle
        made[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return made


SIZES = (10, 30, 100, 300, 1_000, 2_000, 3_000, 4_000, 5_000)


def rates_by_size(
    embeddings: np.ndarray,
    persons: np.ndarray,
    sizes: tuple[int, ...] = SIZES,
    draws: int = 20,
    fpir: float = 0.01,
    at: int = 100,
) -> pd.DataFrame:
    """Measure what more and more enrolled people do to a threshold, on real people alone.

    `embeddings` (n, d) are unit rows, nan where there is no face; `persons` (n,) says whose. Each draw enrols people at
    random, one photo each, and takes a second photo of theirs as mated and a photo of every other person, at most 2,000,
    as non-mated probes. The threshold is a cosine: the mean over the draws of the one that gives `fpir` with `at` people
    (or the largest size below). Sizes that leave fewer than 30 strangers are left out.

    Columns: people, FPIR and FNIR (ISO/IEC 19795-1; mean over draws), each with low and high (5 and 95 % of the draws),
    "FPIR, Gaussian": for independent cosines with the mean and spread of all non-mated ones.
    """
    usable = np.isfinite(embeddings).all(1)
    embeddings, persons = embeddings[usable], persons[usable]
    chance = np.random.default_rng(0)
    order = chance.permutation(len(persons))
    names, first = np.unique(persons[order], return_index=True)
    first = order[first]
    again = np.full(len(names), -1)
    for row in order:
        place = np.searchsorted(names, persons[row])
        if row != first[place]:
            again[place] = row
    sizes = [size for size in sizes if size <= len(names) - 30]
    if not sizes:
        raise ValueError(f"{len(names)} people are too few: ten are enrolled, thirty more are strangers")
    one = embeddings[first]
    cosines = one[:2000] @ one[:2000].T
    apart = cosines[np.triu_indices(len(cosines), 1)].astype(np.float64)
    found = {}
    for size in sizes:
        for draw in range(draws):
            shuffled = chance.permutation(len(names))
            enrolled, others = shuffled[:size], shuffled[size : size + 2000]
            mated = np.flatnonzero(again[enrolled] >= 0)[:2000]
            best, own = exact_search(one[enrolled], embeddings[again[enrolled[mated]]])
            found[size, draw] = OpenSet(best, own == mated, exact_search(one[enrolled], one[others])[0])
    chosen = max(size for size in sizes if size <= max(at, sizes[0]))
    threshold = float(np.mean([found[chosen, draw].threshold_at(fpir) for draw in range(draws)]))
    tail = 0.5 * erfc((threshold - apart.mean()) / (apart.std() * np.sqrt(2)))
    rows = []
    for size in sizes:
        rates = np.array([found[size, draw].rates([threshold]) for draw in range(draws)])[:, :, 0]
        low, high = np.quantile(rates, [0.05, 0.95], axis=0)
        columns = [value for k in (0, 1) for value in (rates[:, k].mean(), low[k], high[k])]
        rows.append((size, *columns, 1 - (1 - tail) ** size))
    columns = ["people", "FPIR", "FPIR low", "FPIR high", "FNIR", "FNIR low", "FNIR high", "FPIR, Gaussian"]
    return pd.DataFrame(rows, columns=columns)
