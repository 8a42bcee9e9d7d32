"""Which of the people we know is it? Identification, confidence intervals, fewer photos, new people."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.embedding.photo_sets import PhotoSet, centroids
from lambda_function.gallery import Gallery


def predict(vectors: np.ndarray, photos: PhotoSet, crowd: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the best person (n,) int64 and the score with them (n,) float32 of each photo.

    Parameters
    ----------
    vectors : ndarray of shape (people, d), float32
        One unit vector per enrolled person.
    photos : PhotoSet
    crowd : float
        0 for the cosine similarity; else see `lambda_function.gallery.Gallery.scores`.
    """
    gallery = Gallery([""] * len(vectors), vectors, crowd=crowd)
    best, scores = [], []
    for start in range(0, len(photos), 2048):  # all of LFW against all of its people would be 300 MB
        part = gallery.scores(photos.embeddings[start : start + 2048])
        best.append(part.argmax(1))
        scores.append(part.max(1))
    if not best:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    return np.concatenate(best), np.concatenate(scores)


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share, 0 to 1 (Wilson, 1927); (nan, nan) without photos.

    Parameters
    ----------
    right : int
        How many had it.
    count : int
        Of how many.
    z : float
        Quantile of the normal distribution: 1.96 for 95 %.
    """
    if not count:
        return float("nan"), float("nan")
    share, extra = right / count, z * z / count
    middle = share + extra / 2
    half = z * np.sqrt(share * (1 - share) / count + extra / (4 * count))
    return float(max(0.0, (middle - half) / (1 + extra))), float(min(1.0, (middle + half) / (1 + extra)))


@dataclass(frozen=True)
class Identification:
    """Top-1 figures of a head on a set of photos.

    Attributes
    ----------
    top1 : float
        Share of photos given the right name, 0 to 1.
    interval : (float, float)
        Its 95 % confidence interval.
    macro : float
        The mean over people of each person's own share: a person with one photo counts like one with 500.
    macro_interval : (float, float)
        95 %, by drawing people with replacement (bootstrap).
    photos : int
    wrong : ndarray of int64
        Positions of the misnamed photos.
    """

    top1: float
    interval: tuple[float, float]
    macro: float
    macro_interval: tuple[float, float]
    photos: int
    wrong: np.ndarray


def identify(vectors: np.ndarray, photos: PhotoSet) -> Identification:
    """Name known people's photos by their most similar vector and count what is right.

    Parameters
    ----------
    vectors : ndarray of shape (c, d), unit rows in the order of `photos.names`
    photos : PhotoSet
        Strangers in it are left out.
    """
    known = np.flatnonzero(photos.labels >= 0)
    part = photos.take(known)
    right = predict(vectors, part)[0] == part.labels
    if not len(part):
        nothing = (float("nan"), float("nan"))
        return Identification(float("nan"), nothing, float("nan"), nothing, 0, known)
    persons = pd.Series(right).groupby(part.labels).mean().to_numpy()
    draws = np.random.default_rng(0).integers(len(persons), size=(1000, len(persons)))
    low, high = np.quantile(persons[draws].mean(1), [0.025, 0.975])
    return Identification(
        float(right.mean()),
        wilson(int(right.sum()), len(right)),
        float(persons.mean()),
        (float(low), float(high)),
        len(right),
        known[~right],
    )


def in_words(result: Identification) -> dict[str, str | int]:
    """Return an Identification as one row of a table: shares with their 95 % confidence interval.

    Parameters
    ----------
    result : Identification
        From `identify`.
    """
    return {
        "photos": result.photos,
        "wrong": len(result.wrong),
        "top-1": _share(result.top1, result.interval),
        "mean over people": _share(result.macro, result.macro_interval),
    }


def own_people(manifest: pd.DataFrame, photos: PhotoSet) -> PhotoSet:
    """Return the photos of the reader's people: of everyone who has a photo in PEOPLE.

    Parameters
    ----------
    manifest : DataFrame
        From `load_manifest`.
    photos : PhotoSet
    """
    own = set(manifest.loc[manifest["source"] == "people", "person"])
    return photos.take(manifest["person"].iloc[photos.rows].isin(own).to_numpy())


def compare_heads(
    manifest: pd.DataFrame,
    heads: dict[str, np.ndarray],
    seconds: dict[str, float],
    val: PhotoSet,
    test: PhotoSet,
) -> pd.DataFrame:
    """Put heads side by side, by name: top-1 on val, on test, on the reader's people and per person.

    Parameters
    ----------
    manifest : DataFrame
    heads : dict of str to ndarray (c, d)
    seconds : dict of str to float
        Training time.
    val, test : PhotoSet

    Returns
    -------
    DataFrame
        Shares as text with their 95 % confidence interval; "val top-1" alone, since it serves to choose.
    """
    own, rows = own_people(manifest, test), {}
    for name, vectors in heads.items():
        result, of_own = identify(vectors, test), identify(vectors, own)
        rows[name] = {
            "val top-1": round(identify(vectors, val).top1, 4),
            "test top-1": _share(result.top1, result.interval),
            "own people": _share(of_own.top1, of_own.interval),
            "mean over people": _share(result.macro, result.macro_interval),
            "seconds": round(seconds[name], 1),
        }
    return pd.DataFrame(rows).T


def _share(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.4f} [{interval[0]:.3f}, {interval[1]:.3f}]"


# ---- fewer photos, new people --------------------------------------------------------------------------


def accuracy_by_photos(
    train: PhotoSet, test: PhotoSet, counts: tuple[int, ...] = (1, 2, 5, 10, 20), draws: int = 5
) -> pd.DataFrame:
    """Measure how top-1 grows with the number of training photos per person.

    For each count k, only people with at least k training photos are enrolled with k of them, the same people
    for every smaller count in `people`; everyone else stays enrolled with all photos, so the task does not
    get easier. Mean of `draws` random choices.

    Parameters
    ----------
    train, test : PhotoSet
    counts : tuple of int
        Numbers of training photos to try.
    draws : int
        How many random choices of them.

    Returns
    -------
    DataFrame
        photos (k), people (how many have k), top1 and its standard deviation over the draws.
    """
    have = np.bincount(train.labels, minlength=len(train.names))
    full = centroids(train.embeddings, train.labels, len(train.names))
    enough = max([k for k in counts if (have >= k).sum() >= 2], default=counts[0])
    people = np.flatnonzero(have >= enough)
    asked = test.take(np.isin(test.labels, people))
    rows = []
    for k in [k for k in counts if k <= enough]:
        values = [_with_few(train, asked, full, people, k, seed) for seed in range(draws)]
        rows.append({"photos": k, "people": len(people), "top1": np.mean(values), "spread": np.std(values)})
    return pd.DataFrame(rows)


def _with_few(train, asked, full, people, k, seed) -> float:
    chance = np.random.default_rng(seed)
    vectors = full.copy()
    for person in people:
        own = chance.choice(np.flatnonzero(train.labels == person), k, replace=False)
        vectors[person] = centroids(train.embeddings[own], np.zeros(k, np.int64), 1)[0]
    return identify(vectors, asked).top1


def enrolment(
    names: list[str], vectors: np.ndarray, train: PhotoSet, test: PhotoSet, people: list[str], photos: int
) -> tuple[float, float]:
    """Take people out of a trained gallery, add them back from a few photos, and compare.

    Parameters
    ----------
    names, vectors
        The trained head.
    train, test : PhotoSet
    people : list of str
        Who is removed and enrolled again.
    photos : int
        How many training photos each is enrolled with (fewer where there are fewer).

    Returns
    -------
    (float, float)
        Top-1 on these people's test photos after enrolment, and with the trained vectors.
    """
    gallery = Gallery(list(names), vectors.copy())
    number = {name: i for i, name in enumerate(names)}
    for person in people:
        gallery.remove(person)
    for person in people:
        own = np.flatnonzero(train.labels == number[person])[:photos]
        gallery.enrol(person, train.embeddings[own])
    asked = test.take(np.isin(test.labels, [number[person] for person in people]))
    best = gallery.scores(asked.embeddings).argmax(1)
    right = [gallery.labels[i] == names[label] for i, label in zip(best, asked.labels, strict=True)]
    return float(np.mean(right)) if right else float("nan"), identify(vectors, asked).top1
