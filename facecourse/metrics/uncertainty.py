"""How sure a figure is: people are drawn anew, not photos, and answers to the same questions are compared in pairs."""

from dataclasses import dataclass

import numpy as np

FEW = 5  # people: where fewer have a hit, or a miss, drawing them anew says too little
# Non-mated ones: where a rate lets fewer pass, draws can hardly raise the threshold, only lower it. With three, 95 % hold.
FEW_PASS = 3


@dataclass(frozen=True)
class Share:
    """A share of photos, 0 to 1, with its 95 % confidence interval over people; nan without photos."""

    value: float
    low: float
    high: float
    hits: int
    photos: int
    people: int

    def __str__(self) -> str:
        counted = f"{self.hits} of {self.photos} photos of {self.people} people"
        return f"{self.value:.2%} [{self.low:.1%}, {self.high:.1%}], {counted}"


def drawn_anew(people: int, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Return how often each of so many people is in each of `draws` bootstrap samples of them: (draws, people) int64."""
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=draws)


def share_of(hits: np.ndarray, persons: np.ndarray, draws: int = 2000, seed: int = 0) -> Share:
    """Return the share of photos that are hits, (n,) bool, with an interval by bootstrap over `persons`, (n,).

    One person's photos fail together, so an interval over photos would be too narrow. Where fewer than FEW people have
    a hit, or a miss, it is Wilson's over the people.
    """
    hits = np.asarray(hits, bool)
    names, labels = np.unique(np.asarray(persons), return_inverse=True)
    photos = np.bincount(labels, minlength=len(names))
    of_person = np.bincount(labels, weights=hits, minlength=len(names))
    if not len(names):
        return Share(*[float("nan")] * 3, 0, 0, 0)
    value = float(hits.mean())
    if min((of_person > 0).sum(), (of_person < photos).sum()) < FEW:
        low, high = wilson(value * len(names), len(names))
    else:
        weights = drawn_anew(len(names), draws, seed)
        low, high = np.quantile((weights @ of_person) / (weights @ photos), [0.025, 0.975])
    return Share(value, float(low), float(high), int(hits.sum()), len(hits), len(names))


def wilson(hits: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of `hits` out of `count` independent trials (Wilson, 1927, JASA 22)."""
    z, p = 1.959964, hits / count
    middle, half = p + z * z / (2 * count), z * np.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, float((middle - half) / scale)), min(1.0, float((middle + half) / scale))


def interval(value: float, drawn: np.ndarray, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share from its values in draws of people, nan left out.

    At 0 and at 1 draws would say that there is no doubt: there it is Wilson's over `count`.
    """
    if value in (0, 1):
        return wilson(value * count, count)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Return the p-value of two systems' answers to the same questions, (n,) bool each: right or not.

    Only questions that one alone answers count: are as many the first's as the second's (McNemar, 1947, exact)?
    """
    from scipy.stats import binomtest  # half a second

    first, second = np.asarray(first, bool), np.asarray(second, bool)
    alone = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(alone[0], sum(alone)).pvalue) if sum(alone) else 1.0


def compare_shares(hits: tuple[int, int], counts: tuple[int, int]) -> tuple[float, float, float]:
    """Compare two shares of different photos: low and high of their difference, first less second, and the p-value.

    The interval is Newcombe's (1998, Statistics in Medicine 17, method 10), the p-value Fisher's. Both take photos for
    independent.
    """
    from scipy.stats import fisher_exact  # half a second

    (a, b), (m, n) = hits, counts
    (low_a, high_a), (low_b, high_b), difference = wilson(a, m), wilson(b, n), a / m - b / n
    low = difference - np.hypot(a / m - low_a, high_b - b / n)
    high = difference + np.hypot(high_a - a / m, b / n - low_b)
    return float(low), float(high), float(fisher_exact([[a, m - a], [b, n - b]]).pvalue)
