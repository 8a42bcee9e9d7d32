"""Which of the enrolled people is it? Closed-set identification, fewer photos per person, new people."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandas as pd

from facecourse.core.paths import missing_input, outputs_for
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.embedding.photo_sets import PhotoSet, centroids, photo_sets
from facecourse.metrics.uncertainty import FEW, drawn_anew, share_of, wilson
from facecourse.photos.dataset import load_manifest
from lambda_function.gallery import Gallery


def predict(
    vectors: np.ndarray, photos: PhotoSet, cohort_weight: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return each photo's best person, (n,) int64 rows of `vectors`, and the score with them, (n,) float32.

    `vectors` (people, d) float32 holds one unit vector per enrolled person. The score is the cosine similarity, less
    `cohort_weight` times the mean over the cohort: see `lambda_function.gallery.Gallery.scores`.
    """
    gallery = Gallery([""] * len(vectors), vectors, cohort_weight=cohort_weight)
    best, scores = np.zeros(len(photos), np.int64), np.zeros(len(photos), np.float32)
    for start in range(0, len(photos), 2048):  # all of LFW against all of its people would be 300 MB
        rows = slice(start, start + 2048)
        part = gallery.scores(photos.embeddings[rows])
        best[rows], scores[rows] = part.argmax(1), part.max(1)
    return best, scores


@dataclass(frozen=True)
class Identification:
    """Rank-1 identification of photos of enrolled people: shares, 0 to 1, with 95 % intervals over people.

    `top1` counts photos. `macro` is the mean over people of each person's own share, so that someone with one photo
    counts like someone with 500. `wrong` (int64) are the positions of the misnamed photos. All shares are nan where
    there are no photos.
    """

    top1: float
    interval: tuple[float, float]
    macro: float
    macro_interval: tuple[float, float]
    photos: int
    people: int
    wrong: np.ndarray

    def as_row(self) -> dict[str, str | int]:
        """Return the figures as a row of a table."""
        return {
            "photos": self.photos,
            "people": self.people,
            "wrong": len(self.wrong),
            "top-1": _share(self.top1, self.interval),
            "mean over people": _share(self.macro, self.macro_interval),
        }


def _share(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.4f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def identify(vectors: np.ndarray, photos: PhotoSet) -> Identification:
    """Name photos by their most similar vector, (people, d) in the order of `photos.names`, and count what is right.

    Photos of people who are not enrolled (label -1) are left out.
    """
    known = np.flatnonzero(photos.labels >= 0)
    part = photos.take(known)
    right = predict(vectors, part)[0] == part.labels
    share = share_of(right, part.labels)
    persons = pd.Series(right).groupby(part.labels).mean().to_numpy()
    if not len(part):
        return Identification(*[share.value, (share.low, share.high)] * 2, 0, 0, known)
    few = min((persons > 0).sum(), (persons < 1).sum()) < FEW  # as in `share_of`
    if few or persons.min() == persons.max():  # all alike: drawing them anew would say that there is no doubt
        low, high = wilson(persons.sum(), len(persons))
    else:
        low, high = np.quantile(drawn_anew(len(persons)) @ persons / len(persons), [0.025, 0.975])
    return Identification(
        share.value,
        (share.low, share.high),
        float(persons.mean()),
        (float(low), float(high)),
        len(right),
        share.people,
        known[~right],
    )


def ranks(vectors: np.ndarray, photos: PhotoSet) -> np.ndarray:
    """Return the rank of each photo's own person among all enrolled, 1 for the best, (n,) int64: the CMC's stuff.

    Photos of people who are not enrolled (label -1) are left out.
    """
    part, found = photos.take(photos.labels >= 0), []
    for start in range(0, len(part), 2048):
        rows = part.take(np.arange(start, min(start + 2048, len(part))))
        cosines = rows.embeddings @ vectors.T
        own = np.take_along_axis(cosines, rows.labels[:, None], axis=1)
        found.append((cosines > own).sum(1) + 1)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def own_people(manifest: pd.DataFrame, photos: PhotoSet) -> PhotoSet:
    """Return all photos of the reader's people, who are those with at least one photo in PEOPLE."""
    own = set(manifest.loc[manifest["source"] == "people", "person"])
    return photos.take(manifest["person"].iloc[photos.rows].isin(own).to_numpy())


def counted(manifest: pd.DataFrame, photos: PhotoSet) -> PhotoSet:
    """Return the photos that figures count: of a manifest with LFW only LFW's, since data/people are counted apart."""
    lfw = manifest["source"].eq("lfw").to_numpy()
    return photos.take(lfw[photos.rows]) if lfw.any() else photos


def load_sides(
    profile: str, gallery: Gallery, backbone: Backbone
) -> tuple[pd.DataFrame, np.ndarray, dict[str, PhotoSet], PhotoSet]:
    """Return what notebook 04 measures: the manifest, its embeddings (nan without a face), the sides of `course_split`.

    All sides but "train" are `counted`. Last are the test photos of the reader's people. Raises core.paths.MissingInput if
    a notebook has not been run, or the gallery was made from another manifest.
    """
    manifest = load_manifest(profile)
    embeddings = embed_manifest(manifest, backbone)
    sets = photo_sets(manifest, embeddings, "course_split")
    if gallery.labels != sets["train"].names:
        raise missing_input(
            "the gallery belongs to another manifest", outputs_for(profile) / "gallery.npz", "03_finetune"
        )
    sides = {side: own if side == "train" else counted(manifest, own) for side, own in sets.items()}
    return manifest, embeddings, sides, own_people(manifest, sets["test"])


def compare_heads(
    manifest: pd.DataFrame,
    heads: dict[str, np.ndarray],
    seconds: dict[str, float],
    val: PhotoSet,
    test: PhotoSet,
) -> pd.DataFrame:
    """Put heads side by side: their vectors (people, d) and seconds of training, by name.

    "val top-1" is a number and serves to choose; "test top-1", "own people" and "mean over people" (of test) are text,
    with their 95 % confidence intervals.
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


def accuracy_by_photos(
    train: PhotoSet, test: PhotoSet, counts: tuple[int, ...] = (1, 2, 5, 10, 20), draws: int = 5
) -> pd.DataFrame:
    """Measure how top-1 grows with the number of training photos per person.

    The people with as many training photos as the largest count that two of them reach are enrolled with 1, 2, ... of
    them; everyone else stays enrolled with all photos, so that the task does not get easier. Columns: photos,
    people and probes (how many), top1 on test and spread, mean and standard deviation over `draws` random choices.
    """
    have = np.bincount(train.labels, minlength=len(train.names))
    full = centroids(train.embeddings, train.labels, len(train.names))
    enough = max([k for k in counts if (have >= k).sum() >= 2], default=counts[0])
    people = np.flatnonzero(have >= enough)
    probes = test.take(np.isin(test.labels, people))
    rows = []
    for k in [k for k in counts if k <= enough]:
        values = []
        for seed in range(draws):
            chance, vectors = np.random.default_rng(seed), full.copy()
            for person in people:
                own = chance.choice(np.flatnonzero(train.labels == person), k, replace=False)
                vectors[person] = centroids(train.embeddings[own], np.zeros(k, np.int64), 1)[0]
            values.append(identify(vectors, probes).top1)
        told = {"photos": k, "people": len(people), "probes": len(probes)}
        rows.append(told | {"top1": np.mean(values), "spread": np.std(values)})
    return pd.DataFrame(rows)


def compare_enrolment(
    gallery: Gallery, train: PhotoSet, test: PhotoSet, people: list[str], photos: int
) -> tuple[float, float]:
    """Return top-1 on people's test photos when they are enrolled anew without training, and with the trained gallery.

    Each is enrolled with the first `photos` training photos, or all where there are fewer. `gallery` stays as it is.
    """
    enrolled = deepcopy(gallery)
    for person in people:
        own = train.labels == train.names.index(person)
        enrolled.enrol(person, train.embeddings[own][:photos])
    probes = test.take(np.isin(test.labels, [test.names.index(person) for person in people]))
    right = [
        [match.top[0][0] == test.names[label] for match, label in zip(matches, probes.labels, strict=True)]
        for matches in (one.identify(probes.embeddings, top=1) for one in (enrolled, gallery))
    ]
    return float(np.mean(right[0])), float(np.mean(right[1]))
