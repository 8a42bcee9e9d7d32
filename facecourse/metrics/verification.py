"""Are two photos of the same person? LFW's official protocol, and TAR at a fixed FMR."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facecourse.core.paths import ROOT
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import embed_faces, face_of
from facecourse.metrics.uncertainty import FEW_PASS, drawn_anew, interval
from facecourse.photos.splits import in_vault


@dataclass(frozen=True)
class Pairs:
    """Pairs of photos to compare: rows of the manifest, (n,) int64, whether they show one person, and their fold."""

    left: np.ndarray
    right: np.ndarray
    same: np.ndarray
    folds: np.ndarray


def read_pairs(path: Path) -> list[tuple[int, str, str, bool]]:
    """Read pairs.txt or a list of View 1: (fold, photo, photo, same person), a photo as Name_0001.

    The first line holds the number of folds, unless there is one only, and of pairs per kind and fold; then, fold by
    fold, first the matched pairs (name, number, number), then the mismatched ones (name, number, name, number). Raises
    ValueError if a line has another form, or the number of lines is not the announced one.
    """
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    *folds, per_kind = (int(value) for value in lines[0])
    announced = (folds or [1])[0] * per_kind * 2
    if len(lines) - 1 != announced:
        raise ValueError(f"{path.name} announces {announced} pairs and holds {len(lines) - 1}")
    pairs = []
    for i, parts in enumerate(lines[1:]):
        if len(parts) not in (3, 4):
            raise ValueError(f"{path.name}, line {i + 2}: neither three nor four words")
        same = len(parts) == 3
        first, second, number = parts[0], parts[0 if same else 2], parts[-1]
        left, right = f"{first}_{int(parts[1]):04d}", f"{second}_{int(number):04d}"
        pairs.append((i // (2 * per_kind), left, right, same))
    return pairs


def official_pairs(manifest: pd.DataFrame, path: Path) -> Pairs | None:
    """Find the 6,000 pairs of pairs.txt in a manifest; None where not all of their photos are there."""
    return _in_manifest(manifest, read_pairs(path))


def view_one(manifest: pd.DataFrame, paths: list[Path]) -> Pairs | None:
    """Find the pairs of LFW's View 1, which is there to choose by, without the vault's people; None as above."""
    pairs = [
        pair
        for path in paths
        for pair in read_pairs(path)
        if not any(in_vault(photo[:-5]) for photo in pair[1:3])
    ]
    return _in_manifest(manifest, pairs)


def _in_manifest(manifest: pd.DataFrame, pairs: list[tuple[int, str, str, bool]]) -> Pairs | None:
    lfw = manifest[manifest["source"] == "lfw"]
    rows = dict(zip((Path(p).stem for p in lfw["path"]), lfw.index.map(manifest.index.get_loc), strict=True))
    if not all(left in rows and right in rows for _, left, right, _ in pairs):
        return None
    fold, left, right, same = zip(*((f, rows[a], rows[b], s) for f, a, b, s in pairs), strict=True)
    return Pairs(np.array(left), np.array(right), np.array(same), np.array(fold))


def embed_undetected(manifest: pd.DataFrame, embeddings: np.ndarray, backbone: Backbone) -> np.ndarray:
    """Embed LFW's photos in which no face was found, by the median box and landmarks of the others.

    The protocol asks for a score of every pair, and LFW's photos, 250 x 250 pixels, have the face in the middle.
    Returns `embeddings` (len(manifest), d), nan where no face was found, with LFW's rows filled.
    """
    lfw = (manifest["source"] == "lfw").to_numpy()
    found = np.isfinite(embeddings).all(1)
    rows = np.flatnonzero(lfw & ~found & (manifest["width"] > 0).to_numpy())
    if not len(rows) or not (lfw & found).any():
        return embeddings
    known, part, filled = manifest[lfw & found], manifest.iloc[rows], embeddings.copy()
    face = face_of(*(np.median(np.stack(known[column]), axis=0) for column in ("box", "landmarks")))
    files, sums = [ROOT / path for path in part["path"]], part["sha256"].tolist()
    filled[rows] = embed_faces(files, sums, [face] * len(rows), backbone, progress=False)
    return filled


def similarities(embeddings: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the cosine similarity of each pair, (n,) float32, -1 to 1; nan where an embedding is missing."""
    found = np.empty(len(pairs.left), np.float32)
    for start in range(0, len(found), 100_000):  # both sides of 20 million pairs would be 20 GB
        left, right = pairs.left[start : start + 100_000], pairs.right[start : start + 100_000]
        np.einsum("nd,nd->n", embeddings[left], embeddings[right], out=found[start : start + 100_000])
    return found


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the threshold with the highest accuracy: "same" from there on.

    The middle between two neighbouring scores is taken, so that rounding cannot tip a pair over. Equal scores are accepted
    together.
    """
    order = np.argsort(-scores, kind="stable")
    right = np.concatenate([[(~same).sum()], (~same).sum() + np.cumsum(np.where(same[order], 1, -1))])
    ordered = scores[order]
    right[1:-1][ordered[:-1] == ordered[1:]] = -1  # no threshold lies between them
    k = int(np.argmax(right))
    upper = ordered[k - 1] if k else ordered[0] + 1.0
    lower = ordered[k] if k < len(ordered) else ordered[-1] - 1.0
    return float((upper + lower) / 2)


@dataclass(frozen=True)
class FoldResult:
    """Accuracy and threshold of each fold, (folds,), and the pairs decided wrongly in their own fold, (n,) bool."""

    accuracies: np.ndarray
    thresholds: np.ndarray
    wrong: np.ndarray

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds, 0 to 1."""
        return float(self.accuracies.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over the folds (with n - 1), which facenet and others print behind their mean."""
        return float(self.accuracies.std(ddof=1))

    @property
    def standard_error(self) -> float:
        """The standard deviation over the folds, divided by the root of their number."""
        return self.spread / np.sqrt(len(self.accuracies))


def ten_folds(scores: np.ndarray, pairs: Pairs) -> FoldResult:
    """Apply LFW's rule: each fold's threshold comes from the other nine (Huang et al., 2007, UMass 07-49).

    Pairs without a score (nan) count as wrong.
    """
    wrong = np.ones(len(scores), bool)
    accuracies, thresholds = [], []
    for fold in np.unique(pairs.folds):
        own = pairs.folds == fold
        others = ~own & np.isfinite(scores)
        threshold = best_threshold(scores[others], pairs.same[others])
        wrong[own] = ~np.isfinite(scores[own]) | ((scores[own] >= threshold) != pairs.same[own])
        accuracies.append((~wrong[own]).mean())
        thresholds.append(threshold)
    return FoldResult(np.array(accuracies), np.array(thresholds), wrong)


def tar_at_fmr(scores: np.ndarray, same: np.ndarray, fmr: float = 1e-3) -> float:
    """Return TAR (1 - FNMR), the share of one person's pairs accepted where at most `fmr` of two people's are.

    report.json calls it tar_at_far. Equal scores are accepted together; nan, a missing score, comes last. The result is
    nan without pairs of one person or of two.
    """
    from sklearn.metrics import roc_curve  # a second

    if same.all() or not same.any():
        return float("nan")
    rates, tar, _ = roc_curve(same, np.nan_to_num(scores, nan=-1.0), drop_intermediate=False)
    return float(tar[np.searchsorted(rates, fmr, "right") - 1])


def tar_interval(
    scores: np.ndarray, pairs: Pairs, persons: np.ndarray, fmr: float = 1e-3, draws: int = 500
) -> tuple[float, float]:
    """Return the 95 % interval of `tar_at_fmr`: people are drawn anew, and the threshold is chosen anew for each draw.

    `persons` (len(manifest),) names whom each row shows. A pair counts as often as both of its people are drawn together.
    Among few people the upper end says little: whoever is hardest to tell apart is often not drawn. Where fewer than
    FEW_PASS pairs of two people may be accepted, or there is none of one person, it is nan; where all or none of one
    person's are accepted, Wilson's over these people.
    """
    if fmr * (~pairs.same).sum() < FEW_PASS or not pairs.same.any():
        return float("nan"), float("nan")
    ordered = np.nan_to_num(scores, nan=-1.0)
    order = np.argsort(-ordered, kind="stable")
    ordered, same = ordered[order], pairs.same[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)  # of equal scores
    names, people = np.unique(persons[np.stack([pairs.left, pairs.right])[:, order]], return_inverse=True)
    left, right = people.reshape(2, -1)
    found = []
    for weights in drawn_anew(len(names), draws):
        times = weights[left] * np.where(same, 1, weights[right])
        false, true = (np.cumsum(np.where(kind, times, 0))[last] for kind in (~same, same))
        accepted = np.searchsorted(false, fmr * false[-1], "right")
        if true[-1]:
            found.append(true[accepted - 1] / true[-1] if accepted else 0.0)
    mated = len(np.unique(persons[pairs.left[pairs.same]]))
    return interval(tar_at_fmr(scores, pairs.same, fmr), np.array(found), mated)


def pairs_among(rows: np.ndarray, persons: np.ndarray) -> Pairs:
    """Pair every photo with every other one, for data without official pairs: rows of the manifest, all in one fold."""
    left, right = np.triu_indices(len(rows), 1)
    return Pairs(rows[left], rows[right], persons[left] == persons[right], np.zeros(len(left), np.int64))


def all_pairs(embeddings: np.ndarray, persons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare every photo with every other one: n (n - 1) / 2 cosine similarities, and whether it is one person."""
    pairs = pairs_among(np.arange(len(persons)), persons)
    return (embeddings @ embeddings.T)[pairs.left, pairs.right], pairs.same
