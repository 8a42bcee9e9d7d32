"""Is it anyone we know? Scores of known people and of strangers, the threshold between them, and the confidence."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.core.files import write_atomically
from facecourse.core.paths import MissingInput, outputs_for, require
from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics.identification import predict


@dataclass(frozen=True)
class OpenSet:
    """Scores of people who are enrolled and of people who are not.

    Attributes
    ----------
    known : ndarray of shape (n,)
        Best score of each photo of a known person.
    right : ndarray of shape (n,), bool
        Whether the best person is the right one.
    strangers : ndarray of shape (m,)
        Best score of each photo of a stranger.
    """

    known: np.ndarray
    right: np.ndarray
    strangers: np.ndarray

    def rates(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return FAR and FRR at each threshold.

        FAR is the share of strangers' photos that are given a name. FRR is the share of known people's photos
        that are not given their own: called "unknown", or misnamed (as FNIR in ISO/IEC 19795-1).
        """
        thresholds = np.asarray(thresholds, np.float64)
        strangers, named = np.sort(self.strangers), np.sort(self.known[self.right])
        far = 1 - np.searchsorted(strangers, thresholds, "left") / max(len(strangers), 1)
        accepted = len(named) - np.searchsorted(named, thresholds, "left")
        return far, 1 - accepted / max(len(self.known), 1)

    def joined(self, other: "OpenSet") -> "OpenSet":
        """Return the photos of both, these first."""
        return OpenSet(
            np.concatenate([self.known, other.known]),
            np.concatenate([self.right, other.right]),
            np.concatenate([self.strangers, other.strangers]),
        )

    def threshold_at(self, far: float) -> float:
        """Return the lowest threshold at which at most `far` of the strangers' photos are given a name.

        It lies a little above the most similar stranger who is refused, and no higher than half-way to the next.

        Raises
        ------
        ValueError
            If `far` is not a share from 0 to 1, or there are no strangers.
        """
        if not 0 <= far <= 1:
            raise ValueError(f"FAR is a share from 0 to 1 (0.01 is one photo in a hundred), not {far}")
        ordered = np.sort(self.strangers)[::-1].astype(np.float64)
        allowed = int(np.floor(far * len(ordered) + 1e-9))
        if not len(ordered):
            raise ValueError("without strangers there is no threshold to choose")
        below = ordered[allowed] if allowed < len(ordered) else -1.0
        above = ordered[allowed - 1] if allowed else 1.0
        if above <= below:
            return float(np.nextafter(np.float32(below), np.float32(2)))
        return float(below + min((above - below) / 2, 0.005))


def open_set(vectors: np.ndarray, known: PhotoSet, strangers: PhotoSet, crowd: float = 0.0) -> OpenSet:
    """Score photos of known people and of strangers against the gallery.

    Parameters
    ----------
    vectors : ndarray of shape (people, d), float32
        One unit vector per enrolled person.
    known, strangers : PhotoSet
    crowd : float
        As in `predict`.
    """
    best, scores = predict(vectors, known, crowd)
    return OpenSet(scores, best == known.labels, predict(vectors, strangers, crowd)[1])


def crowds(
    vectors: np.ndarray, known: PhotoSet, strangers: PhotoSet, far: float, shares: tuple[float, ...]
) -> pd.DataFrame:
    """Measure what taking off a face's likeness to the crowd does, on photos that serve to choose.

    Parameters
    ----------
    vectors : ndarray of shape (people, d), float32
    known, strangers : PhotoSet
        Of val.
    far : float
        Share of the strangers' photos that may be named.
    shares : tuple of float
        Values of `Gallery.crowd` to try.

    Returns
    -------
    DataFrame
        By share: the threshold for `far`, and FRR there, 0 to 1.
    """
    rows = {}
    for share in shares:
        scores = open_set(vectors, known, strangers, share)
        threshold = scores.threshold_at(far)
        rows[share] = {"threshold": threshold, "FRR": float(scores.rates([threshold])[1][0])}
    return pd.DataFrame(rows).T.rename_axis("crowd")


def in_turns(
    scores: OpenSet, known: np.ndarray, strangers: np.ndarray, far: float, folds: int = 10, seed: int = 0
) -> tuple[float, float, np.ndarray]:
    """Choose a threshold on nine tenths of the people and measure it on the last tenth, each in turn.

    One stranger's twin among the known moves a rate by much where strangers are few; in turns all of them count.

    Parameters
    ----------
    scores : OpenSet
    known, strangers : ndarray of str
        Who is on each of its photos, so that a person's photos stay together.
    far : float
        For which the thresholds are chosen.
    folds : int
    seed : int
        Of the parting into folds.

    Returns
    -------
    (float, float, ndarray of shape (folds,))
        FAR and FRR over all photos, 0 to 1, and the thresholds.
    """
    turn_of_known, turn_of_strangers = (_turns(people, folds, seed) for people in (known, strangers))
    named, accepted, thresholds = 0, 0, np.zeros(folds)
    for turn in range(folds):
        mine, theirs = turn_of_known == turn, turn_of_strangers == turn
        thresholds[turn] = OpenSet(scores.known, scores.right, scores.strangers[~theirs]).threshold_at(far)
        named += int((scores.strangers[theirs] >= thresholds[turn]).sum())
        accepted += int((scores.right[mine] & (scores.known[mine] >= thresholds[turn])).sum())
    return named / max(len(strangers), 1), 1 - accepted / max(len(known), 1), thresholds


def _turns(people: np.ndarray, folds: int, seed: int) -> np.ndarray:
    names, place = np.unique(np.asarray(people, str), return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % folds)[place]


def calibrate(scores: OpenSet) -> tuple[float, float]:
    """Fit the curve from score to confidence (Platt, 1999).

    Parameters
    ----------
    scores : OpenSet
        From `open_set`, of photos that nothing was chosen on.

    Returns
    -------
    (float, float)
        Slope and offset of 1 / (1 + exp(-(slope s + offset))): the probability that the best person is the
        right one, if a stranger is as likely as someone known.
    """
    from sklearn.linear_model import LogisticRegression  # two seconds that only this function needs

    values = np.concatenate([scores.known, scores.strangers])
    good = np.concatenate([scores.right, np.zeros(len(scores.strangers), bool)])
    centre, spread = values.mean(), max(values.std(), 1e-6)
    model = LogisticRegression(class_weight="balanced", C=10.0).fit(
        ((values - centre) / spread)[:, None], good
    )
    slope = max(float(model.coef_[0, 0]) / spread, 1e-3)
    return slope, float(model.intercept_[0]) - slope * float(centre)


def save_decision(
    profile: str, threshold: float, calibration: tuple[float, float], protocol: str, crowd: float = 0.0
) -> None:
    """Write outputs/<profile>/decision.json: from which score on a name is given, and how sure it is.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".
    threshold : float
        A score.
    calibration : (float, float)
        From `calibrate`.
    protocol : str
        In words, how both were chosen.
    crowd : float
        Of the gallery, see `lambda_function.gallery.Gallery`.
    """
    path = outputs_for(profile) / "decision.json"
    content = {
        "threshold": threshold,
        "crowd": crowd,
        "calibration": list(calibration),
        "protocol": protocol,
    }
    write_atomically(path, (json.dumps(content, indent=2, default=float) + "\n").encode())


def load_decision(profile: str) -> dict:
    """Return threshold, crowd, calibration and protocol.

    Raises
    ------
    facecourse.core.paths.MissingInput
        If notebook 04 has not been run with this profile, or not since the course was brought up to date.
    """
    path = require(outputs_for(profile) / "decision.json", "04_evaluate")
    decision = json.loads(path.read_text())
    if "crowd" not in decision:
        raise MissingInput(f"{path.name} is of an earlier version: run notebooks/04_evaluate.ipynb once more")
    return decision
