"""Embedding to name: one unit vector per person, a threshold, and the right to say "unknown"."""

import io
import json
import os
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .evidence import Evidence, decide

UNKNOWN = "unknown"
COHORT_SIZE = 20  # people next to the best one
# Enrolled people from whom on they are a cohort; of fewer, it would be all who are like the probe
COHORT_LEAST = 100
FIELDS = ("labels", "vectors", "threshold", "calibration", "cohort_weight", "about", "curve")
EVIDENCE = ("photos", "owners", "own", "strangers", "table", "fpir")


@dataclass(frozen=True)
class Match:
    """What the gallery says about one probe."""

    name: str  # of the best person, or "unknown" if the score is below the threshold
    score: float  # of the best person, see `Gallery.scores`
    confidence: float  # 0 to 1: that it is this person, if a face is as often somebody enrolled as not
    # Share of strangers' faces, 0 to 1, that reach this score with somebody here; nan if not known
    fpir: float
    # The best people, whatever the threshold: name, score, probability. Those of all people and of nobody sum to 1.
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

    With `evidence`, `enrol` and `remove` choose the threshold, the calibration and the curve anew: in milliseconds, or
    tens of them in a gallery of thousands.
    """

    labels: list[str]  # one per row of `vectors`
    vectors: np.ndarray  # (people, d) float32, unit rows: weights of a trained head, or means of embeddings
    threshold: float = float("nan")  # score from which on a name is given
    calibration: tuple[float, float] = (20.0, -10.0)  # slope and offset, see `confidence`
    # Share of `cohort_mean` that is taken off, from COHORT_LEAST people on; 0 to 1
    cohort_weight: float = 0.0
    about: dict = field(
        default_factory=dict
    )  # as JSON takes it: kind of head, backbone, views, rule of the threshold
    # (k, 2) float64: scores, rising, and which share of strangers' faces reaches each; empty until it is known
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    evidence: Evidence | None = None  # what the threshold rests on

    def __post_init__(self):
        self.labels = [str(label) for label in self.labels]
        self.vectors = np.asarray(self.vectors, dtype=np.float32)
        if self.vectors.ndim != 2 or len(self.labels) != len(self.vectors):
            raise ValueError(f"{len(self.labels)} labels do not fit vectors of shape {self.vectors.shape}")

    def packed(self) -> bytes:
        """Return every field as one .npz."""
        evidence = {name: getattr(self.evidence, name) for name in EVIDENCE} if self.evidence else {}
        file = io.BytesIO()
        np.savez(
            file,
            labels=np.array(self.labels, dtype=np.str_),
            vectors=self.vectors,
            threshold=np.float64(self.threshold),
            calibration=np.array(self.calibration, np.float64),
            cohort_weight=np.float64(self.cohort_weight),
            about=np.array(json.dumps(self.about, sort_keys=True)),
            curve=self.curve,
            **evidence,
        )
        return file.getvalue()

    def save(self, path: str | Path) -> None:
        """Write `packed`; a kill at any moment leaves the old file or the new one."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            partial.write_bytes(self.packed())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, file: str | Path | BinaryIO) -> "Gallery":
        """Read what `packed` gave; nothing in it is executed. ValueError if it is damaged or lacks a field."""
        try:
            with np.load(file, allow_pickle=False) as stored:
                labels, vectors, threshold, calibration, cohort_weight, about, curve = (
                    stored[f] for f in FIELDS
                )
                evidence = {name: stored[name] for name in EVIDENCE if "photos" in stored}
            slope, offset = calibration.tolist()
            decision = float(threshold), (slope, offset), float(cohort_weight)
            if evidence:
                evidence = Evidence(**{**evidence, "fpir": float(evidence["fpir"])})
            return cls(labels.tolist(), vectors, *decision, json.loads(str(about)), curve, evidence or None)
        except (KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"the gallery is damaged or of an earlier version: {error}") from error

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the score of every probe, (n, d) unit rows, with every person: (n, people).

        It is their cosine similarity, less `cohort_weight` times the probe's `cohort_mean`. That is one number for all
        people, so it never changes who is the best.
        """
        return self._normalised(np.asarray(embeddings, dtype=np.float32) @ self.vectors.T)

    def _normalised(self, cosines: np.ndarray) -> np.ndarray:
        return (
            cosines - np.float32(self.cohort_weight) * cohort_mean(cosines) if self._has_cohort else cosines
        )

    @property
    def _has_cohort(self) -> bool:
        return bool(self.cohort_weight) and len(self.labels) >= COHORT_LEAST

    def confidence(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores into the probability, 0 to 1, of being that person and not nobody who is enrolled.

        A score's log-likelihood ratio is l = slope s + offset, and the probability 1 / (1 + exp(-l)): it holds if a face
        is as often somebody enrolled as not. Where that is otherwise, multiply confidence / (1 - confidence) by the odds.
        Beside other candidates a person has exp(l) / (1 + sum of everyone's exp(l)), which `identify` returns.
        """
        odds = self._odds(scores)
        return odds / (1 + odds)

    def _odds(self, scores: np.ndarray) -> np.ndarray:
        slope, offset = self.calibration
        return np.exp(np.clip(slope * np.asarray(scores, np.float64) + offset, -60, 60))

    def fpir(self, scores: np.ndarray) -> np.ndarray:
        """Return which share of strangers' faces reaches each of `scores` with somebody here, 0 to 1; nan if not known."""
        if not len(self.curve):
            return np.full(np.shape(scores), np.nan)
        return np.interp(scores, *self.curve.T)

    def identify(self, embeddings: np.ndarray, top: int = 5, threshold: float | None = None) -> list[Match]:
        """Name every probe, (n, d) float32 unit rows, or call it unknown; list the `top` best people.

        `threshold` is used instead of the gallery's own.
        """
        limit = self.threshold if threshold is None else threshold
        if not self.labels:
            return [Match(UNKNOWN, -1.0, 0.0, 1.0, []) for _ in range(len(embeddings))]
        return [self._match(row, top, limit) for row in self.scores(embeddings)]

    def _match(self, scores: np.ndarray, top: int, limit: float) -> Match:
        order, odds = np.argsort(-scores, kind="stable")[:top], self._odds(scores)
        share = 1 / (1 + odds.sum())
        best = [(self.labels[i], float(scores[i]), float(odds[i] * share)) for i in order]
        name, score, sure = best[0]
        return Match(name if score >= limit else UNKNOWN, score, sure, float(self.fpir(score)), best)

    def rest_on(self, evidence: Evidence) -> None:
        """Choose the threshold, the calibration and the curve by `evidence`, now and whenever people come and go."""
        self.evidence = evidence.thinned()
        self._decide()

    def _decide(self) -> None:
        if self.evidence is None:
            return
        cosines = self.evidence.photos @ self.vectors.T
        self.threshold, self.calibration, self.curve = decide(
            self.evidence, len(self.labels), cosines, self._normalised, not self._has_cohort
        )

    def enrol(self, name: str, embeddings: np.ndarray) -> None:
        """Add a person, or replace one of the same name, from one or more embeddings, without training.

        ValueError if the name is empty or "unknown", or there is no finite embedding of the right length.
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
        self._take_out(name)
        if self.evidence:
            self.evidence = self.evidence.joined(embeddings, len(self.labels))
        self.labels = [*self.labels, name]
        self.vectors = np.vstack([self.vectors, centre / max(float(np.linalg.norm(centre)), 1e-12)])
        self._decide()

    def remove(self, name: str) -> bool:
        """Forget a person, and the photos of them that the threshold rests on; return whether there was one."""
        found = self._take_out(name)
        if found:
            self._decide()
        return found

    def _take_out(self, name: str) -> bool:
        if name not in self.labels:
            return False
        row = self.labels.index(name)
        self.labels = self.labels[:row] + self.labels[row + 1 :]
        self.vectors = np.delete(self.vectors, row, axis=0)
        if self.evidence:
            self.evidence = self.evidence.without(row)
        return True

    def emptied(self) -> "Gallery":
        """Return the gallery without anybody, enrolled or stranger; whoever is enrolled then, the table is still there."""
        nothing = slice(0)
        evidence = self.evidence and self.evidence.only(nothing)
        empty = replace(
            self, labels=[], vectors=self.vectors[nothing], about=dict(self.about), evidence=evidence
        )
        empty._decide()
        return empty
