"""Is it anyone who is enrolled? Open-set identification: the threshold between mated and non-mated, the confidence."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.embedding.photo_sets import PhotoSet, centroids
from facecourse.metrics.identification import predict
from facecourse.metrics.uncertainty import FEW_PASS, Share, drawn_anew, interval, share_of
from lambda_function.evidence import PRIOR, Evidence, left_out
from lambda_function.gallery import Gallery


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


def trained_on(gallery: Gallery) -> bool:
    """Return whether the gallery's head, or the network behind it, was trained on the people in it."""
    return gallery.about["kind"] != "nearest centroid" or bool(gallery.about.get("tuned"))


def evidence_for(
    gallery: Gallery, sets: dict[str, PhotoSet], persons: np.ndarray, table: np.ndarray, fpir: float
) -> Evidence:
    """Collect what a gallery's threshold may rest on, for `Gallery.rest_on`.

    Means of photos (nearest centroid): the training photos, each person left out in turn. What was trained has pushed
    its people's photos away from all others, so leaving one out would flatter: the strangers of val, and val's photos
    of known people. `persons` (len(manifest),) are the manifest's; `table` is from `shipped_table`.
    """
    if not trained_on(gallery):
        photos = sets["train"]
        known = np.ones(len(photos), bool)
        own = left_out(photos.embeddings, photos.labels)
        return Evidence(photos.embeddings, photos.labels, own, known, table, fpir)
    val, unknown = sets["val"], sets["unknown_val"]
    _, number = np.unique(persons[unknown.rows], return_inverse=True)
    return Evidence(
        np.vstack([val.embeddings, unknown.embeddings]),
        np.append(val.labels, -1 - number),
        np.append((val.embeddings * gallery.vectors[val.labels]).sum(1), np.full(len(unknown), np.nan)),
        np.append(np.zeros(len(val), bool), np.ones(len(unknown), bool)),
        table,
        fpir,
    )


def rates_with_intervals(
    scores: OpenSet, known: np.ndarray, non_mated: np.ndarray, threshold: float
) -> dict[str, Share]:
    """Return FPIR and FNIR at a threshold, with intervals over the people who `known` and `non_mated` name."""
    return {
        "FPIR": share_of(scores.non_mated >= threshold, non_mated),
        "FNIR": share_of(~(scores.right & (scores.known >= threshold)), known),
    }


def tpir_at_fpir(
    scores: OpenSet, known: np.ndarray, non_mated: np.ndarray, rates: tuple[float, ...] = (0.001, 0.01, 0.1)
) -> pd.DataFrame:
    """Return TPIR (1 - FNIR) at fixed FPIR, with an interval for which the people of both kinds are drawn anew.

    Where fewer than FEW_PASS strangers' photos may pass, there is none.
    """
    weights, rows = [], {}
    for seed, persons in enumerate((known, non_mated)):
        labels = np.unique(persons, return_inverse=True)[1]
        weights.append(drawn_anew(labels.max() + 1, 300, seed)[:, labels])
    draws = [[] for _ in rates]
    for mated, other in zip(*weights, strict=True):
        drawn = OpenSet(
            *(np.repeat(part, mated) for part in (scores.known, scores.right)),
            np.repeat(scores.non_mated, other),
        )
        for values, rate in zip(draws, rates, strict=True):
            values.append(1 - float(drawn.rates([drawn.threshold_at(rate)])[1][0]))
    for rate, values in zip(rates, draws, strict=True):
        threshold = scores.threshold_at(rate)
        low, high = np.quantile(values, [0.025, 0.975])
        value = 1 - float(scores.rates([threshold])[1][0])
        sure = (
            f"[{low:.1%}, {high:.1%}]" if rate * len(scores.non_mated) >= FEW_PASS else "(too few strangers)"
        )
        rows[f"{rate:.1%}"] = {
            "threshold": round(threshold, 3),
            "TPIR": f"{value:.2%} {sure}",
            "non-mated probes above": int((scores.non_mated >= threshold).sum()),
        }
    return pd.DataFrame(rows).T.rename_axis("FPIR")


@dataclass(frozen=True)
class Reliability:
    """How often a confidence comes true: `table` by what was said, and the Brier score with its interval over people."""

    table: pd.DataFrame
    brier: float
    interval: tuple[float, float]


def reliability(
    confidence: np.ndarray, right: np.ndarray, mated: np.ndarray, persons: np.ndarray, bins: int = 8
) -> Reliability:
    """Compare confidences, (n,), with whether the best person was `right`, (n,) bool.

    `mated` (n,) bool are the photos of enrolled people. They weigh as much as the others together, as PRIOR has it. The
    table's columns are said, found, low and high (95 %, over people) and photos; the Brier score is the mean of
    (confidence - right) squared: 0 is best, and who always says a half has 0.25.
    """
    names, labels = np.unique(persons, return_inverse=True)
    weight = np.where(mated, PRIOR / max(mated.sum(), 1), (1 - PRIOR) / max((~mated).sum(), 1))
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    # Each kind by itself, so that both go on weighing the same.
    has_mated = np.bincount(labels, weights=mated) > 0
    drawn = np.zeros((500, len(names)))
    for seed, kind in enumerate((has_mated, ~has_mated)):
        drawn[:, kind] = drawn_anew(kind.sum(), 500, seed) if kind.any() else 0

    def of_people(values: np.ndarray) -> np.ndarray:
        return np.bincount(labels, weights=values, minlength=len(names))

    rows = []
    for b in np.unique(place):
        own = place == b
        total, hits = of_people(weight * own), of_people(weight * own * right)
        share = hits.sum() / total.sum()
        with np.errstate(invalid="ignore"):
            low, high = interval(share, (drawn @ hits) / (drawn @ total), int((total > 0).sum()))
        said = (weight * confidence)[own].sum() / weight[own].sum()
        rows.append((said, share, low, high, int(own.sum())))
    loss, whole = of_people(weight * (confidence - right) ** 2), of_people(weight)
    low, high = np.quantile((drawn @ loss) / (drawn @ whole), [0.025, 0.975])
    table = pd.DataFrame(rows, columns=["said", "found", "low", "high", "photos"])
    return Reliability(table, float(loss.sum()), (float(low), float(high)))


def cohort_by_size(
    train: PhotoSet,
    sizes: tuple[int, ...] = (50, 100, 300, 1000),
    weights: tuple[float, ...] = (0.0, 0.3, 0.5, 0.7),
    fpir: float = 0.01,
    draws: int = 3,
) -> pd.DataFrame:
    """Measure what the cohort does in galleries of several sizes, on training people alone: FNIR at `fpir`.

    A third of the people, one photo each, are strangers. Galleries are drawn from the rest; where a person has three
    photos, one is a probe. Rows are people enrolled, columns the cohort weights; sizes that are not there are left out.
    """
    chance = np.random.default_rng(0)
    counts = np.bincount(train.labels, minlength=len(train.names))
    order = chance.permutation(np.flatnonzero(counts))
    strangers, pool = order[: len(order) // 3], order[len(order) // 3 :]
    first = np.unique(train.labels, return_index=True)[1]
    others = train.embeddings[first[np.isin(train.labels[first], strangers)]]
    rows = {}
    for size in [size for size in sizes if size <= len(pool)]:
        rates = np.zeros((draws, len(weights)))
        for draw in range(draws):
            several = pool[counts[pool] >= 3]
            enrolled = np.append(chance.permutation(several), chance.permutation(pool[counts[pool] < 3]))[
                :size
            ]
            place = np.full(len(train.names), -1)
            place[enrolled] = np.arange(size)
            probes = first[np.isin(train.labels[first], enrolled) & (counts[train.labels[first]] >= 3)]
            kept = place[train.labels] >= 0
            kept[probes] = False
            vectors = centroids(train.embeddings[kept], place[train.labels[kept]], size)
            for k, weight in enumerate(weights):
                gallery = Gallery([""] * size, vectors, cohort_weight=weight)
                scores = gallery.scores(train.embeddings[probes])
                found = OpenSet(
                    scores.max(1),
                    scores.argmax(1) == place[train.labels[probes]],
                    gallery.scores(others).max(1),
                )
                rates[draw, k] = found.rates([found.threshold_at(fpir)])[1][0]
        rows[size] = rates.mean(0)
    return pd.DataFrame(rows, index=list(weights)).T.rename_axis("people")


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
