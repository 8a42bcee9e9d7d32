"""Is it anyone who is enrolled? Open-set identification: the threshold between mated and non-mated, the confidence."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics.identification import predict


@dataclass(frozen=True)
class OpenSet:
    """Best scores of probes whose person is enrolled (mated), and of probes whose person is not (non-mated).

    `known` (n,) are the scores of the mated probes and `right` (n,) bool says whether their best person is the right
    one; `non_mated` (m,) are the scores of strangers' photos.
    """

    known: np.ndarray
    right: np.ndarray
    non_mated: np.ndarray

    def rates(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return FPIR and FNIR at each threshold, shares from 0 to 1 (ISO/IEC 19795-1).

        FPIR, the false-positive identification rate, is the share of non-mated probes that are given a name. FNIR, the
        false-negative identification rate, is the share of mated probes that are not given their own: they are called
        "unknown" or misnamed.
        """
        thresholds = np.asarray(thresholds, np.float64)
        non_mated, named = np.sort(self.non_mated), np.sort(self.known[self.right])
        fpir = 1 - np.searchsorted(non_mated, thresholds, "left") / max(len(non_mated), 1)
        accepted = len(named) - np.searchsorted(named, thresholds, "left")
        return fpir, 1 - accepted / max(len(self.known), 1)

    def joined(self, other: "OpenSet") -> "OpenSet":
        """Return the probes of both, these first."""
        return OpenSet(
            np.concatenate([self.known, other.known]),
            np.concatenate([self.right, other.right]),
            np.concatenate([self.non_mated, other.non_mated]),
        )

    def threshold_at(self, fpir: float) -> float:
        """Return the lowest threshold at which at most `fpir` of the non-mated probes are given a name.

        It lies a little above the most similar stranger who is refused, and no higher than half-way to the next. Raises
        ValueError if `fpir` is not a share from 0 to 1, or there are no non-mated probes.
        """
        if not 0 <= fpir <= 1:
            raise ValueError(f"FPIR is a share from 0 to 1 (0.01 is one photo in a hundred), not {fpir}")
        ordered = np.sort(self.non_mated)[::-1].astype(np.float64)
        allowed = int(np.floor(fpir * len(ordered) + 1e-9))
        if not len(ordered):
            raise ValueError("without photos of strangers there is no threshold to choose")
        below = ordered[allowed] if allowed < len(ordered) else -1.0
        above = ordered[allowed - 1] if allowed else 1.0
        if above <= below:
            return float(np.nextafter(np.float32(below), np.float32(2)))
        return float(below + min((above - below) / 2, 0.005))


def open_set(
    vectors: np.ndarray, known: PhotoSet, non_mated: PhotoSet, cohort_weight: float = 0.0
) -> OpenSet:
    """Score photos of enrolled people and of strangers; `vectors` and `cohort_weight` as in `predict`."""
    best, scores = predict(vectors, known, cohort_weight)
    return OpenSet(scores, best == known.labels, predict(vectors, non_mated, cohort_weight)[1])


def compare_cohort_weights(
    vectors: np.ndarray, known: PhotoSet, non_mated: PhotoSet, fpir: float, weights: tuple[float, ...]
) -> pd.DataFrame:
    """Return, by cohort weight, the threshold for `fpir` and the FNIR there, on photos that serve to choose."""
    rows = {}
    for weight in weights:
        scores = open_set(vectors, known, non_mated, weight)
        threshold = scores.threshold_at(fpir)
        rows[weight] = {"threshold": threshold, "FNIR": float(scores.rates([threshold])[1][0])}
    return pd.DataFrame(rows).T.rename_axis("cohort weight")


def cross_validated_rates(
    scores: OpenSet, known: np.ndarray, non_mated: np.ndarray, fpir: float, folds: int = 10, seed: int = 0
) -> tuple[float, float, np.ndarray]:
    """Measure each fold of the people with the threshold that the other folds give for `fpir`.

    One stranger's look-alike in the gallery moves a rate by much where strangers are few; so all of them count.
    `known` and `non_mated` name the person of each score, so that a person's photos share a fold. Returns FPIR and FNIR
    over all photos, 0 to 1, and the thresholds (folds,).
    """
    fold_of = []
    for persons in (known, non_mated):
        names, place = np.unique(np.asarray(persons, str), return_inverse=True)
        fold_of.append((np.random.default_rng(seed).permutation(len(names)) % folds)[place])
    named, accepted, thresholds = 0, 0, np.zeros(folds)
    for fold in range(folds):
        mine, theirs = fold_of[0] == fold, fold_of[1] == fold
        thresholds[fold] = OpenSet(scores.known, scores.right, scores.non_mated[~theirs]).threshold_at(fpir)
        named += int((scores.non_mated[theirs] >= thresholds[fold]).sum())
        accepted += int((scores.right[mine] & (scores.known[mine] >= thresholds[fold])).sum())
    return named / max(len(non_mated), 1), 1 - accepted / max(len(known), 1), thresholds


def calibrate(scores: OpenSet) -> tuple[float, float]:
    """Fit the logistic curve from score s to confidence, 1 / (1 + exp(-(slope s + offset))) (Platt, 1999).

    Returns slope and offset. The confidence is the probability that the best person is the right one, if a stranger is
    as likely as someone enrolled. Notebook 04 fits it on val, which the head, the cohort weight and the threshold were
    chosen on too, so it is a little too sure.
    """
    from sklearn.linear_model import LogisticRegression  # two seconds that only this function needs

    values = np.concatenate([scores.known, scores.non_mated])
    good = np.concatenate([scores.right, np.zeros(len(scores.non_mated), bool)])
    centre, spread = values.mean(), max(values.std(), 1e-6)
    model = LogisticRegression(class_weight="balanced", C=10.0).fit(
        ((values - centre) / spread)[:, None], good
    )
    slope = max(float(model.coef_[0, 0]) / spread, 1e-3)
    return slope, float(model.intercept_[0]) - slope * float(centre)
