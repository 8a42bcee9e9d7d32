"""Are two photos of the same person? LFW's official protocol, ROC and TAR at a fixed FAR."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facecourse.core import paths
from facecourse.embedding import embeddings as recognition

FALLBACK_NOTE = "photos without a detected face: the crop where LFW's faces lie on average"


@dataclass(frozen=True)
class Pairs:
    """Pairs of photos to compare.

    Attributes
    ----------
    left, right : ndarray of shape (n,), int64
        Rows of the manifest.
    same : ndarray of shape (n,), bool
    folds : ndarray of shape (n,), int64
    """

    left: np.ndarray
    right: np.ndarray
    same: np.ndarray
    folds: np.ndarray

    def every(self, step: int) -> "Pairs":
        """Return each `step`-th pair: the same folds, the same share of pairs of one person, less to compute."""
        return Pairs(*(values[::step] for values in (self.left, self.right, self.same, self.folds)))


def read_pairs(path: Path) -> list[tuple[int, str, str, bool]]:
    """Read pairs.txt: (fold, photo, photo, same person), a photo as Name_0001.

    The first line holds the number of folds and of pairs per kind and fold; then, fold by fold, first the
    matched pairs (name, number, number), then the mismatched ones (name, number, name, number).

    Parameters
    ----------
    path : Path
        pairs.txt.

    Raises
    ------
    ValueError
        If a line has another form, or the number of lines is not the announced one.
    """
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    folds, each = (int(value) for value in lines[0])
    if len(lines) - 1 != folds * each * 2:
        raise ValueError(f"{path.name} announces {folds * each * 2} pairs and holds {len(lines) - 1}")
    pairs = []
    for i, parts in enumerate(lines[1:]):
        if len(parts) == 3:
            name, first, second = parts[0], int(parts[1]), int(parts[2])
            pairs.append((i // (2 * each), f"{name}_{first:04d}", f"{name}_{second:04d}", True))
        elif len(parts) == 4:
            left, right = f"{parts[0]}_{int(parts[1]):04d}", f"{parts[2]}_{int(parts[3]):04d}"
            pairs.append((i // (2 * each), left, right, False))
        else:
            raise ValueError(f"{path.name}, line {i + 2}: neither three nor four words")
    return pairs


def official_pairs(manifest: pd.DataFrame, path: Path) -> Pairs | None:
    """Find LFW's 6,000 pairs in a manifest; None where not all of their photos are there.

    Parameters
    ----------
    manifest : DataFrame
        From `load_manifest`.
    path : Path
        pairs.txt.
    """
    lfw = manifest[manifest["source"] == "lfw"]
    rows = dict(zip((Path(p).stem for p in lfw["path"]), lfw.index.map(manifest.index.get_loc), strict=True))
    pairs = read_pairs(path)
    if not all(left in rows and right in rows for _, left, right, _ in pairs):
        return None
    fold, left, right, same = zip(*((f, rows[a], rows[b], s) for f, a, b, s in pairs), strict=True)
    return Pairs(np.array(left), np.array(right), np.array(same), np.array(fold))


def fill_in(manifest: pd.DataFrame, embeddings: np.ndarray, backbone: str, views: int) -> np.ndarray:
    """Embed LFW's photos without a detected face by the place where LFW's faces lie on average.

    The protocol has no "no answer": every pair needs a score. LFW's photos are 250 x 250 pixels with the face
    in the middle, so the median box and landmarks of the others stand in.

    Parameters
    ----------
    manifest : DataFrame
        From `load_manifest`.
    embeddings : ndarray of shape (len(manifest), d), float32
        NaN where no face was found.
    backbone : str
    views : int
        From how many views the others were embedded.

    Returns
    -------
    ndarray of shape (len(manifest), d), float32
        `embeddings` with those rows filled; the others are untouched.
    """
    lfw = (manifest["source"] == "lfw").to_numpy()
    found = np.isfinite(embeddings).all(1)
    rows = np.flatnonzero(lfw & ~found & (manifest["width"] > 0).to_numpy())
    if not len(rows) or not (lfw & found).any():
        return embeddings
    known = manifest[lfw & found]
    face = recognition.face_of(
        np.median(np.stack(known["box"]), axis=0), np.median(np.stack(known["landmarks"]), axis=0)
    )
    part = manifest.iloc[rows]
    filled = embeddings.copy()
    filled[rows] = recognition.embed_faces(
        [paths.ROOT / path for path in part["path"]],
        part["sha256"].tolist(),
        [face] * len(rows),
        backbone,
        views=views,
        progress=False,
    )
    return filled


def similarities(embeddings: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the cosine similarity of each pair, (n,) float32, -1 to 1; nan where an embedding is missing."""
    return np.einsum("nd,nd->n", embeddings[pairs.left], embeddings[pairs.right])


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the threshold with the highest accuracy: "same" from there on.

    The middle between two neighbouring scores is taken, so that rounding cannot tip a pair over.
    """
    order = np.argsort(-scores, kind="stable")
    right = np.concatenate([[(~same).sum()], (~same).sum() + np.cumsum(np.where(same[order], 1, -1))])
    k = int(np.argmax(right))
    ordered = scores[order]
    upper = ordered[k - 1] if k else ordered[0] + 1.0
    lower = ordered[k] if k < len(ordered) else ordered[-1] - 1.0
    return float((upper + lower) / 2)


@dataclass(frozen=True)
class FoldResult:
    """LFW's figure.

    Attributes
    ----------
    accuracies : ndarray of shape (folds,)
    thresholds : ndarray of shape (folds,)
        Each chosen on the other folds.
    wrong : ndarray of shape (n,), bool
        Pairs decided wrongly in their own fold.
    """

    accuracies: np.ndarray
    thresholds: np.ndarray
    wrong: np.ndarray

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds, 0 to 1."""
        return float(self.accuracies.mean())

    @property
    def standard_error(self) -> float:
        """Standard deviation over the folds (with n - 1), divided by the root of their number."""
        return float(self.accuracies.std(ddof=1) / np.sqrt(len(self.accuracies)))


def ten_folds(scores: np.ndarray, pairs: Pairs) -> FoldResult:
    """Apply LFW's rule: each fold's threshold comes from the other nine (Huang et al., 2007, UMass 07-49).

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Pairs without a score (nan) count as wrong.
    pairs : Pairs
    """
    wrong = np.ones(len(scores), bool)
    folds = np.unique(pairs.folds)
    accuracies, thresholds = [], []
    for fold in folds:
        own = pairs.folds == fold
        others = ~own & np.isfinite(scores)
        threshold = best_threshold(scores[others], pairs.same[others])
        decided = np.isfinite(scores[own]) & ((scores[own] >= threshold) == pairs.same[own])
        wrong[own] = ~decided
        accuracies.append(decided.mean())
        thresholds.append(threshold)
    return FoldResult(np.array(accuracies), np.array(thresholds), wrong)


def roc(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return FAR, TAR and threshold at every distinct score, from the strictest threshold to the laxest.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Cosine similarities of pairs.
    same : ndarray of shape (n,), bool
        Whether a pair shows one person.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], same[order]
    last = np.flatnonzero(np.diff(ordered, append=-np.inf))
    tar = np.cumsum(hits)[last] / max(hits.sum(), 1)
    far = np.cumsum(~hits)[last] / max((~hits).sum(), 1)
    return far, tar, ordered[last]


def tar_at_far(scores: np.ndarray, same: np.ndarray, far: float = 1e-3) -> float:
    """Return the share of same-person pairs accepted where at most `far` of the others are.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Cosine similarities of pairs.
    same : ndarray of shape (n,), bool
        Whether a pair shows one person.
    far : float
        A share, 0 to 1.
    """
    fars, tars, _ = roc(scores, same)
    below = tars[fars <= far]
    return float(below[-1]) if len(below) else 0.0


def pairs_among(rows: np.ndarray, persons: np.ndarray) -> Pairs:
    """Pair every photo with every other one, for data without official pairs; all in one fold.

    Parameters
    ----------
    rows : ndarray of shape (n,), int64
        Rows of the manifest.
    persons : ndarray of shape (n,)
        Whose photo each is.
    """
    left, right = np.triu_indices(len(rows), 1)
    return Pairs(rows[left], rows[right], persons[left] == persons[right], np.zeros(len(left), np.int64))


def all_pairs(embeddings: np.ndarray, persons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare every photo with every other one.

    Parameters
    ----------
    embeddings : ndarray of shape (n, d), float32, unit rows
    persons : ndarray of shape (n,)
        Who is on each photo.

    Returns
    -------
    (ndarray (n (n - 1) / 2,) float32, ndarray of bool)
        Cosine similarities, and whether it is the same person.
    """
    upper = np.triu_indices(len(embeddings), 1)
    return (embeddings @ embeddings.T)[upper], (persons[:, None] == persons[None, :])[upper]
