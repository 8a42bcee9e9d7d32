"""Who is taken for whom among thousands: every photo against every other one, and people who look alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.core.paths import DATA
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.photo_sets import centroids
from facecourse.metrics.uncertainty import drawn_anew, interval
from lambda_function.evidence import left_out

ALIKE = (
    0.3  # share of LFW's people who count as alike, the nearest ones: what ten groups of them need on average
)
TABLE = DATA / "false_matches.csv"
BINS = np.linspace(-1, 1, 2001)  # of a cosine, for histograms
MATED_PHOTOS = 6  # of each person: five to be known by


@dataclass(frozen=True)
class AllPairs:
    """Histograms over BINS of the cosines of each person's photos: (people, bins) float32, mated and non-mated."""

    mated: np.ndarray
    non_mated: np.ndarray

    def rates(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return FMR and FNMR at each of BINS[:-1], with people weighted by `weights`, (people,) or (draws, people).

        A pair of two people belongs to both, so its weight is the mean of theirs.
        """
        weights = np.ones(len(self.mated), np.float32) if weights is None else weights.astype(np.float32)
        mated, other = ((weights @ counts).astype(np.float64) for counts in (self.mated, self.non_mated))
        fmr = other[..., ::-1].cumsum(-1)[..., ::-1] / np.maximum(other.sum(-1, keepdims=True), 1)
        return fmr, (mated.cumsum(-1) - mated) / np.maximum(mated.sum(-1, keepdims=True), 1)

    def draws(self, count: int = 200, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return `rates` of `count` bootstrap samples of the people.

        The weight of a pair of two people is a product; its linear part, times two, is what counts (Hajek's projection).
        """
        plain, (fmr, fnmr) = self.rates()[0], self.rates(drawn_anew(len(self.mated), count, seed))
        return list(zip(np.clip(plain + 2 * (fmr - plain), 0, 1), fnmr, strict=True))

    def fnmr_at(self, fmrs: Sequence[float], draws: int = 200) -> np.ndarray:
        """Return FNMR at the lowest cosine at which FMR is at most each of `fmrs`, (1 + draws, k): as it is, then drawn."""
        curves, wanted = (self.rates(), *self.draws(draws)), np.asarray(fmrs)[:, None]
        # Above all cosines nobody is accepted.
        rows = [np.append(fnmr, 1)[np.argmax(np.append(fmr, 0) <= wanted, axis=1)] for fmr, fnmr in curves]
        return np.array(rows)


def compare_all(embeddings: np.ndarray, persons: np.ndarray, block: int = 1000) -> AllPairs:
    """Compare every photo, (n, d) unit rows, with every other one: one matrix product, in blocks."""
    names, labels = np.unique(persons, return_inverse=True)
    bins = len(BINS) - 1
    mated, everything = np.zeros((2, len(names), bins), np.int64)
    order = np.argsort(labels, kind="stable")
    rows, owners = embeddings[order], labels[order]
    ends = np.searchsorted(owners, np.arange(len(names)), "right")
    for start in range(0, len(rows), block):
        part = rows[start : start + block] @ rows.T
        place = np.clip(((part + 1) * (bins / 2)).astype(np.int32), 0, bins - 1)
        mine = owners[start : start + block]
        first = mine[0]
        flat = (mine - first)[:, None] * bins + place
        counts = np.bincount(flat.ravel(), minlength=(mine[-1] - first + 1) * bins).reshape(-1, bins)
        everything[first : mine[-1] + 1] += counts
        for i, owner in enumerate(mine):
            begin = ends[owner - 1] if owner else 0
            own = np.delete(place[i, begin : ends[owner]], start + i - begin)
            np.add.at(mated[owner], own, 1)
            everything[owner, place[i, start + i]] -= 1
    return AllPairs(mated.astype(np.float32), (everything - mated).astype(np.float32))


def compare_networks(
    networks: dict[str, np.ndarray],
    persons: np.ndarray,
    fmrs: tuple[float, ...] = (1e-2, 1e-3),
    draws: int = 500,
) -> pd.DataFrame:
    """Return TAR of two networks, {label: embeddings (n, d)}, over all pairs of the same photos, and their difference.

    Behind each stands its 95 % interval: people are drawn anew, the same for both, and thresholds chosen for each draw.
    """
    found = {
        label: 1 - compare_all(embeddings, persons).fnmr_at(fmrs, draws)
        for label, embeddings in networks.items()
    }
    people = len(np.unique(persons))
    first, second = found.values()
    found["the first less the second"] = first - second
    table = {}
    for label, tars in found.items():
        if label in networks:
            ends = [interval(tar, drawn, people) for tar, *drawn in tars.T]
        else:
            ends = np.quantile(tars[1:], [0.025, 0.975], axis=0).T
        table[label] = [
            f"{tar:.3f} [{low:.3f}, {high:.3f}]" for tar, (low, high) in zip(tars[0], ends, strict=True)
        ]
    return pd.DataFrame.from_dict(
        table, orient="index", columns=[f"TAR at FMR {wanted:g}" for wanted in fmrs]
    )


def table_of_matches(embeddings: np.ndarray, persons: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Make the table that thresholds start from: cosine, FMR, FMR among people alike, FNMR.

    FMR is over all pairs of photos of two people. People alike are each person's nearest ALIKE of all people, found
    on half of everybody's photos and measured on the other half, so that chance does not count as likeness: a photo
    against a person's mean. FNMR is of a photo against the mean of up to five others. Every person counts the same but
    in the first.
    """
    chance = np.random.default_rng(seed)
    names, labels = np.unique(persons, return_inverse=True)
    # Photos of each person in an order of chance: their turn is 0, 1, 2, ...
    order = np.lexsort([chance.random(len(labels)), labels])
    turn = np.empty(len(order), int)
    turn[order] = np.arange(len(order)) - np.searchsorted(labels[order], labels[order], "left")
    several = np.flatnonzero(np.bincount(labels) >= 2)
    among = np.isin(labels, several)
    number = np.searchsorted(several, labels)
    halves = [among & (turn % 2 == side) for side in (0, 1)]
    means = [centroids(embeddings[half], number[half], len(several)) for half in halves]
    grid = np.round(np.arange(0.1, 1.0001, 0.01), 2)
    alike = np.zeros((2, len(grid)))
    for side, half in enumerate(halves):
        likeness = means[1 - side] @ means[1 - side].T
        np.fill_diagonal(likeness, -2)
        nearest = np.argsort(-likeness, axis=1)[:, : max(1, round(ALIKE * (len(several) - 1)))]
        rows = np.flatnonzero(half)
        scores = np.take_along_axis(embeddings[rows] @ means[side].T, nearest[number[rows]], axis=1)
        weight = 1 / np.bincount(number[rows])[number[rows]] / len(several)
        alike[side] = [weight @ (scores >= cosine).mean(1) for cosine in grid]
    few = turn < MATED_PHOTOS
    own = left_out(embeddings[few], labels[few])
    weight = 1 / np.bincount(labels[few])[labels[few]]
    known = np.isfinite(own)
    own, weight = own[known], weight[known] / weight[known].sum()
    fmr, _ = compare_all(embeddings, persons).rates()
    return pd.DataFrame(
        {
            "cosine": grid,
            "fmr": np.interp(grid, BINS[:-1], fmr),
            "fmr_alike": alike.mean(0),
            "fnmr": [weight @ (own < cosine) for cosine in grid],
        }
    )


def shipped_table(backbone: Backbone) -> np.ndarray:
    """Return cosine, FMR among people alike and FNMR, (k, 3), as measured for a backbone with so many views.

    8 bits or 32 make no difference to it that could be measured. Empty, (0, 3), where there is none.
    """
    table = pd.read_csv(TABLE)
    part = table[(table["backbone"] == backbone.name) & (table["views"] == backbone.views)]
    return part[["cosine", "fmr_alike", "fnmr"]].to_numpy()
