"""What a threshold rests on: photos whose person is known, taken for strangers one person at a time, and a table.

A stranger is given a name if the best of all enrolled people reaches the threshold, so people who look alike decide
where it has to be. Leaving one enrolled person out at a time turns the gallery's own photos into strangers of the
same family, team or country. A few people are too few to choose by; so a table made of thousands (data/README.md)
counts as much as TABLE_PEOPLE of them, and the threshold is never below what it says. Of twins and siblings who are
both enrolled, one is no stranger to the other: few strangers have a twin in the gallery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

PRIOR = 0.5  # of a face being someone enrolled: the confidence says what follows from it
TABLE_PEOPLE = 30  # the table's weight; chosen on LFW's people, with the share of them that is "alike"
TABLE_SIZE = 100  # people beyond whom a gallery's own photos say more than the table
# Kept, so that a decision in a gallery of thousands takes little more than their one matrix product
MOST_PHOTOS = 500
# Mean cosine from which on two people are taken for relatives: 1 pair in 20,000 alike reaches it
RELATED = 0.7
NEAREST = 24  # cosines of a photo: more than the best candidates and their cohort are (gallery.COHORT_SIZE)
CANDIDATES = 5  # per photo, for the calibration: the others' share is nothing
STEPS = np.linspace(0, 1, 1001)


@dataclass(frozen=True)
class Evidence:
    """Photos of known people, a table, and the rate that is aimed at.

    `table` has rows of a cosine, rising; the share of photos of two people who look alike that reach it (FMR); and the
    share of photos that do not reach it with their own person (FNMR). It is empty where the backbone has none.
    """

    photos: np.ndarray  # (n, d) float32: embeddings, unit rows
    # (n,) int64: row of the gallery, or a number below 0 for each person who is not enrolled
    owners: np.ndarray
    own: np.ndarray  # (n,) float32: cosine with the own person's vector made without this photo, or nan
    # (n,) bool: whether it counts as a stranger's once its own person is left out. Not after training: a trained head
    # has pushed its people's photos away from all other people.
    strangers: np.ndarray
    table: np.ndarray  # (k, 3) float64
    fpir: float = 0.01  # share of strangers' faces that may be given a name, 0 to 1

    def only(self, kept: np.ndarray | slice) -> Evidence:
        """Keep some of the photos only."""
        return replace(
            self, **{name: getattr(self, name)[kept] for name in ("photos", "owners", "own", "strangers")}
        )

    def without(self, row: int) -> Evidence:
        """Leave out the photos of the person in a row of the gallery; later rows move up."""
        rest = self.only(self.owners != row)
        return replace(rest, owners=rest.owners - (rest.owners > row))

    def joined(self, photos: np.ndarray, row: int) -> Evidence:
        """Add the photos that somebody is enrolled from, in a new row of the gallery."""
        return replace(
            self,
            photos=np.vstack([self.photos, photos]),
            owners=np.append(self.owners, np.full(len(photos), row)),
            own=np.append(self.own, left_out(photos, np.zeros(len(photos), int))),
            strangers=np.append(self.strangers, np.ones(len(photos), bool)),
        )

    def thinned(self) -> Evidence:
        """Keep at most MOST_PHOTOS photos: of each person the first, then the second, and so on."""
        if len(self.owners) <= MOST_PHOTOS:
            return self
        chance = np.random.default_rng(0).random(len(self.owners))
        order = np.lexsort([chance, self.owners])
        first = np.searchsorted(self.owners[order], self.owners[order], "left")
        turn = np.empty(len(order), int)
        turn[order] = np.arange(len(order)) - first
        return self.only(np.sort(np.lexsort([chance, turn])[:MOST_PHOTOS]))


def left_out(photos: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return each photo's cosine with the mean of its person's other photos: (n,) float32, nan without any.

    `photos` (n, d) are unit rows, `labels` (n,) whole numbers from 0.
    """
    sums = np.zeros((labels.max(initial=-1) + 1, photos.shape[1]))
    np.add.at(sums, labels, photos)
    others = sums[labels] - photos
    lengths = np.linalg.norm(others, axis=1)
    lengths[np.bincount(labels, minlength=len(sums))[labels] < 2] = np.nan
    return ((others * photos).sum(1) / lengths).astype(np.float32)


def decide(
    evidence: Evidence, people: int, cosines: np.ndarray, normalised, use_table: bool
) -> tuple[float, tuple[float, float], np.ndarray]:
    """Choose a gallery's threshold, its calibration (slope and offset) and its curve of score and FPIR, (k, 2).

    `cosines` (n, people) are those of the evidence's photos with everyone, and are overwritten; `normalised` turns the
    cosines with the most similar people, (n, k), into scores; `use_table` says that scores are cosines, which the table
    is for. The threshold is the lowest at which the estimated FPIR is at most `evidence.fpir`: the table's for so many
    people, or more if strangers made by leaving people out are named more often. Where no photo says enough, it lies
    above the most similar stranger.
    """
    table = evidence.table if use_table and len(evidence.table) else None
    others, unrelated = _others(cosines, evidence.owners)
    nobody = np.full((len(others), 1), -1, others.dtype)  # the own person, left out
    apart = normalised(np.hstack([nobody, unrelated])[evidence.strangers])
    best, share = apart.max(axis=1, initial=-1), _shares(evidence.owners[evidence.strangers])
    curve = np.stack([STEPS, _fpir(best, share, table, people)], axis=1)
    again = evidence.own == evidence.own  # not nan
    scores = normalised(np.hstack([evidence.own[:, None], others])[again])
    weight = _shares(evidence.owners[again])
    threshold = _threshold(curve, evidence.fpir, best)
    return threshold, _calibrate(scores, scores[:, 0], weight, apart, share, table, people), curve


def _others(cosines: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each photo's cosines with all but its own person, and with all but its relatives too: two (n, k).

    Whoever is left out has -1. Relatives are so by all photos of a person together. In galleries of more than TABLE_SIZE
    people they cannot be told from those who are alike by chance, so none is left out; and there of the others the most
    similar NEAREST are kept, which is all that scores are made of.
    """
    rows = np.flatnonzero(owners >= 0)
    cosines[rows, owners[rows]] = -1
    if cosines.shape[1] > TABLE_SIZE:
        cosines.partition(-NEAREST, axis=1)
        return cosines[:, -NEAREST:], cosines[:, -NEAREST:]
    names, place, counts = np.unique(owners, return_inverse=True, return_counts=True)
    sums = np.zeros((len(names), cosines.shape[1]))
    np.add.at(sums, place, cosines)
    related = (sums >= RELATED * counts[:, None]) & (names >= 0)[:, None]
    return cosines, np.where(related[place], -1, cosines)


def _shares(owners: np.ndarray) -> np.ndarray:
    """Weigh photos so that each person counts as one."""
    _, place, counts = np.unique(owners, return_inverse=True, return_counts=True)
    return 1 / counts[place] if len(owners) else np.zeros(0)


def _table_fpir(table: np.ndarray | None, people: int) -> np.ndarray:
    """Return the FPIR that the table gives a gallery of so many people, at each of STEPS."""
    if table is None or not people:
        return np.zeros(len(STEPS))
    fmr = np.exp(np.interp(STEPS, table[:, 0], np.log(table[:, 1])))
    return 1 - (1 - fmr) ** min(people, TABLE_SIZE)


def _fpir(best: np.ndarray, share: np.ndarray, table: np.ndarray | None, people: int) -> np.ndarray:
    """Estimate which share of strangers' faces reaches each of STEPS; without a table, one stranger more is named."""
    order = np.argsort(best)
    above = np.append(np.cumsum(share[order][::-1])[::-1], 0)[np.searchsorted(best[order], STEPS)]
    if table is None:
        return (above + 1) / (share.sum() + 1)
    expected = _table_fpir(table, people)
    return np.maximum(expected, (above + TABLE_PEOPLE * expected) / (share.sum() + TABLE_PEOPLE))


def _threshold(curve: np.ndarray, fpir: float, best: np.ndarray) -> float:
    kept = np.flatnonzero(curve[:, 1] <= fpir)
    return float(curve[kept[0], 0]) if len(kept) else min(float(best.max(initial=0)) + 0.005, 1.0)


def _calibrate(scores, own, weight, apart, share, table, people: int) -> tuple[float, float]:
    """Fit slope a and offset b of the log-likelihood ratio a s + b (Brummer and du Preez, 2006, Computer Speech 20).

    The probability of candidate j is exp(a s_j + b) / (1 + sum over all k of exp(a s_k + b)), at PRIOR: the 1 stands
    for nobody of them. Both kinds of photos weigh the same, people within a kind too, and the table as TABLE_PEOPLE.
    """

    def highest(part):
        count = min(CANDIDATES, part.shape[1])
        return np.pad(
            -np.partition(-part, count - 1, axis=1)[:, :count],
            [(0, 0), (0, CANDIDATES - count)],
            constant_values=-9,
        )

    found, other = highest(scores), highest(apart)
    found[:, -1] = np.where(own < found.min(1), own, found[:, -1])
    if table is not None and people:
        middle = (STEPS[1:] + STEPS[:-1]) / 2
        none = np.diff(-_table_fpir(table, people)).clip(0)
        same = np.diff(np.interp(STEPS, table[:, 0], table[:, 2])).clip(0)
        made = np.pad(middle[:, None], [(0, 0), (0, CANDIDATES - 1)], constant_values=-9)
        found, other = np.vstack([found, made]), np.vstack([other, made])
        own = np.append(own, middle)
        weight = np.append(weight, TABLE_PEOPLE * same / same.sum())
        share = np.append(share, TABLE_PEOPLE * none / none.sum())
    if not weight.sum() or not share.sum():
        return 20.0, -10.0
    values = np.vstack([found, other])
    target = np.append(own, np.zeros(len(other)))
    right = np.append(np.ones(len(own)), np.zeros(len(other)))
    weights = np.append(weight / weight.sum() * PRIOR, share / share.sum() * (1 - PRIOR))

    def at(a, b):
        """Log-likelihood, gradient and curvature; a small part of it holds the slope near what faces have."""
        logits = np.clip(a * values + b, -60, 60)
        odds = np.exp(logits)
        total = 1 + odds.sum(1)
        likelihood = weights @ (right * (a * target + b) - np.log(total)) - 1e-7 * (a - 20) ** 2
        some, mean = odds.sum(1) / total, (odds * values).sum(1) / total
        square = (odds * values**2).sum(1) / total
        gradient = [weights @ (right * target - mean) - 2e-7 * (a - 20), weights @ (right - some)]
        ab = weights @ (mean - some * mean)
        return (
            likelihood,
            np.array(gradient),
            np.array(
                [
                    [weights @ (square - mean**2) + 2e-7, ab],
                    [ab, weights @ (some - some**2) + 1e-9],
                ]
            ),
        )

    ab = np.array([20.0, -10.0])
    for _ in range(50):
        before, gradient, curvature = at(*ab)
        step = np.linalg.solve(curvature, gradient)
        while np.abs(step).max() > 1e-6 and at(*(ab + step))[0] < before:
            step /= 2
        ab = ab + step
        if np.abs(step).max() < 1e-6:
            break
    return max(float(ab[0]), 1e-3), float(ab[1])
