"""Embedding to name: one unit vector per person, a threshold, and the right to say "unknown"."""

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

UNKNOWN = "unknown"
COHORT_SIZE = 20  # people next to the best one
FIELDS = ("labels", "vectors", "threshold", "calibration", "cohort_weight", "about")


@dataclass(frozen=True)
class Match:
    """What the gallery says about one probe.

    Attributes
    ----------
    name : str
        The best person's name, or "unknown" when the score is below the threshold.
    score : float
        Of the best person, see `Gallery.scores`.
    confidence : float
        Estimated probability, 0 to 1, that the probe is the best person and not a stranger.
    top : list of (str, float, float)
        Best people with score and confidence, best first, whatever the threshold.
    """

    name: str
    score: float
    confidence: float
    top: list[tuple[str, float, float]]


def cohort_mean(cosines: np.ndarray) -> np.ndarray:
    """Return each probe's mean similarity to its cohort, the people who come after the best one: (n, people) -> (n, 1).

    Some faces resemble many people. Their best score means less, so a part of this is taken off: the adaptive form
    of score normalisation, with the gallery itself as the cohort (Auckenthaler et al., 2000, Digital Signal
    Processing 10; Matejka et al., 2017, Interspeech). The mean is over the 2nd to 21st best, or as many as there
    are; 0 where nobody comes second.
    """
    count = min(COHORT_SIZE, cosines.shape[1] - 1)
    if count < 1:
        return np.zeros((len(cosines), 1), cosines.dtype)
    return np.partition(cosines, (-count - 1, -1), axis=1)[:, -count - 1 : -1].mean(axis=1, keepdims=True)


@dataclass
class Gallery:
    """The enrolled people, and what decides about a name: one file from training to the deployed function.

    Attributes
    ----------
    labels : list of str
        One name per row of `vectors`.
    vectors : ndarray of shape (people, d), float32
        Unit vectors: class weights of the trained head, or the mean embedding of an enrolled person.
    threshold : float
        Score from which on a name is given; nan until it is chosen.
    calibration : (float, float)
        Slope and offset of the logistic curve that turns a score into a confidence (Platt, 1999).
    cohort_weight : float
        How much of `cohort_mean` is taken off a probe's scores, 0 to 1.
    about : dict
        Where it comes from, as JSON takes it: kind of head, backbone, views, how the threshold was chosen.
    """

    labels: list[str]
    vectors: np.ndarray
    threshold: float = float("nan")
    calibration: tuple[float, float] = (20.0, -10.0)
    cohort_weight: float = 0.0
    about: dict = field(default_factory=dict)

    def __post_init__(self):
        self.labels = [str(label) for label in self.labels]
        self.vectors = np.asarray(self.vectors, dtype=np.float32)
        if self.vectors.ndim != 2 or len(self.labels) != len(self.vectors):
            raise ValueError(f"{len(self.labels)} labels do not fit vectors of shape {self.vectors.shape}")

    def save(self, path: str | Path) -> None:
        """Write every field as one .npz; a kill at any moment leaves the old file or the new one."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with open(partial, "wb") as file:
                np.savez(
                    file,
                    labels=np.array(self.labels, dtype=np.str_),
                    vectors=self.vectors,
                    threshold=np.float64(self.threshold),
                    calibration=np.array(self.calibration, np.float64),
                    cohort_weight=np.float64(self.cohort_weight),
                    about=np.array(json.dumps(self.about, sort_keys=True)),
                )
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> "Gallery":
        """Read what `save` wrote; nothing in the file is executed.

        Raises
        ------
        ValueError
            If the file is damaged or lacks a field.
        """
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as stored:
                labels, vectors, threshold, calibration, cohort_weight, about = (stored[f] for f in FIELDS)
            slope, offset = calibration.tolist()
            decision = float(threshold), (slope, offset), float(cohort_weight)
            return cls(labels.tolist(), vectors, *decision, json.loads(str(about)))
        except (KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path.name} is damaged or of an earlier version: {error}") from error

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the score of every probe, (n, d) unit rows, with every person: (n, people).

        It is their cosine similarity, less `cohort_weight` times the probe's `cohort_mean`.
        """
        cosines = np.asarray(embeddings, dtype=np.float32) @ self.vectors.T
        return (
            cosines - np.float32(self.cohort_weight) * cohort_mean(cosines) if self.cohort_weight else cosines
        )

    def confidence(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores into estimated probabilities, 0 to 1, of being that very person."""
        slope, offset = self.calibration
        return 1.0 / (1.0 + np.exp(-np.clip(slope * np.asarray(scores, np.float64) + offset, -60, 60)))

    def identify(self, embeddings: np.ndarray, top: int = 5, threshold: float | None = None) -> list[Match]:
        """Name every probe, (n, d) unit rows, or call it unknown.

        Parameters
        ----------
        embeddings : ndarray of shape (n, d), float32
        top : int
            How many of the best people to list.
        threshold : float, optional
            Used instead of the gallery's own.
        """
        limit = self.threshold if threshold is None else threshold
        if not self.labels:
            return [Match(UNKNOWN, -1.0, 0.0, []) for _ in range(len(embeddings))]
        return [self._match(row, top, limit) for row in self.scores(embeddings)]

    def _match(self, scores: np.ndarray, top: int, limit: float) -> Match:
        order = np.argsort(-scores, kind="stable")[:top]
        confidence = self.confidence(scores[order])
        best = [(self.labels[i], float(scores[i]), float(c)) for i, c in zip(order, confidence, strict=True)]
        name, score, sure = best[0]
        return Match(name if score >= limit else UNKNOWN, score, sure, best)

    def enrol(self, name: str, embeddings: np.ndarray) -> None:
        """Add a person, or replace one of the same name, from one or more embeddings, without training.

        Raises
        ------
        ValueError
            If the name is empty or "unknown", or there is no finite embedding of the right length.
        """
        embeddings = np.atleast_2d(np.asarray(embeddings, dtype=np.float32))
        if not name.strip() or name.strip().lower() == UNKNOWN:
            raise ValueError("a person needs a name, and it cannot be 'unknown'")
        wrong = not embeddings.size or embeddings.shape[1] != self.vectors.shape[1]
        if wrong or not np.isfinite(embeddings).all():
            raise ValueError(
                f"enrolment needs embeddings of {self.vectors.shape[1]} numbers, not {embeddings.shape}"
            )
        centre = embeddings.mean(0)
        self.remove(name)
        self.labels = [*self.labels, name]
        self.vectors = np.vstack([self.vectors, centre / max(float(np.linalg.norm(centre)), 1e-12)])

    def remove(self, name: str) -> bool:
        """Forget a person; return whether there was one of that name."""
        keep = [i for i, label in enumerate(self.labels) if label != name]
        found = len(keep) < len(self.labels)
        self.labels, self.vectors = [self.labels[i] for i in keep], self.vectors[keep]
        return found
