"""`python -m tools.choices`, after `make run PROFILE=lfw`: crops and views compared on LFW's View 1.

View 1 is there to choose by: 3,200 pairs, fewer by the vault's people. TAR at FMR 0.01 is compared with that of the default
pair by pair. Then the rule of thresholds, on galleries of people alike: impostors.ALIKE and evidence.TABLE_PEOPLE are such
that the median gallery lets in 1 % of its strangers.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from facecourse.core.sources import fetch
from facecourse.embedding.backbones import default_backbone, default_views, find_backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.embedding.photo_sets import centroids
from facecourse.metrics.impostors import shipped_table
from facecourse.metrics.uncertainty import mcnemar, share_of
from facecourse.metrics.verification import similarities, view_one
from facecourse.photos.checks import doubled_people, wrongly_named
from facecourse.photos.dataset import load_manifest
from facecourse.photos.splits import in_vault
from lambda_function.crops import Preprocessing, alternate_crop
from lambda_function.evidence import Evidence, left_out
from lambda_function.gallery import Gallery

FMR = 0.01


def settings(name: str) -> dict[str, tuple[Preprocessing, int]]:
    """Return what is compared: preprocessing and views by name, the default first."""
    own = find_backbone(name).preprocessing
    other = alternate_crop(own)
    return {
        "default, 4 views": (own, 4),
        "default, 2 views": (own, 2),
        "default, 1 view": (own, 1),
        "the other crop, 2 views": (other, 2),
        "the other crop, 1 view": (other, 1),
        **{f"margin {margin}, 1 view": (replace(own, margin=margin), 1) for margin in (0, 8, 24, 32)},
    }


def people_alike(embeddings: np.ndarray, persons: np.ndarray, table: np.ndarray) -> pd.DataFrame:
    """Measure the rule on galleries from ten groups of people alike, formed by k-means, strangers from the same group.

    People with four photos or more are enrolled by up to five of them, and up to five others are probes. Rows are the
    people enrolled; columns the threshold, FPIR (mean, median, and mean of the worst group) and FNIR over six galleries
    of each group.
    """
    chance = np.random.default_rng(0)
    names, labels, counts = np.unique(persons, return_inverse=True, return_counts=True)
    group = KMeans(10, n_init=3, random_state=0).fit_predict(centroids(embeddings, labels, len(names)))
    order = np.lexsort([chance.random(len(labels)), labels])
    turn = np.empty(len(order), int)
    turn[order] = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
    rows = {}
    for size in (3, 5, 10, 20, 40):
        found = []
        for draw in range(60):
            own = np.flatnonzero((group == draw % 10) & (counts >= 4))
            if len(own) < size:
                continue
            chosen = np.sort(chance.permutation(own)[:size])
            place = np.where(np.isin(labels, chosen), np.searchsorted(chosen, labels), -1)
            known, half = (place >= 0) & (turn < 10), np.minimum(counts, 10)[labels] // 2
            train, probe = np.flatnonzero(known & (turn < half)), np.flatnonzero(known & (turn >= half))
            gallery = Gallery(list(names[chosen]), centroids(embeddings[train], place[train], size))
            again = left_out(embeddings[train], place[train])
            every = np.ones(len(train), bool)
            gallery.rest_on(Evidence(embeddings[train], place[train], again, every, table))
            others = np.flatnonzero((group[labels] == draw % 10) & (place < 0))
            weight = 1 / counts[labels[others]]
            named = gallery.scores(embeddings[others]).max(1) >= gallery.threshold
            scores = gallery.scores(embeddings[probe])
            right = (scores.argmax(1) == place[probe]) & (scores.max(1) >= gallery.threshold)
            found.append((draw % 10, gallery.threshold, weight @ named / weight.sum(), 1 - right.mean()))
        of, threshold, fpir, fnir = np.array(found).T
        worst = max(fpir[of == number].mean() for number in set(of))
        rows[size] = (threshold.mean(), fpir.mean(), np.median(fpir), worst, fnir.mean())
    columns = ["threshold", "FPIR, mean", "median", "worst group", "FNIR"]
    return pd.DataFrame(rows, index=columns).T.rename_axis("people")


def main() -> None:
    """Print both tables."""
    manifest, name = load_manifest("lfw"), default_backbone("lfw")
    pairs = view_one(manifest, [fetch(f"pairsDev{part}.txt") for part in ("Train", "Test")])
    if pairs is None:
        raise SystemExit("View 1 needs all of LFW: make run PROFILE=lfw")
    used = np.unique(np.append(pairs.left, pairs.right))
    person, accepted, rows = manifest["person"].to_numpy(), {}, {}
    for label, (preprocessing, views) in settings(name).items():
        backbone = replace(find_backbone(name, views), preprocessing=preprocessing)
        part = embed_manifest(manifest.iloc[used], backbone)
        embeddings = np.full((len(manifest), part.shape[1]), np.nan, np.float32)
        embeddings[used] = part
        scores = similarities(embeddings, pairs)
        different = np.sort(scores[~pairs.same & np.isfinite(scores)])[::-1]
        accepted[label] = scores[pairs.same] > different[int(FMR * len(different))]
        first = next(iter(accepted.values()))
        rows[label] = {
            "TAR at FMR 0.01": str(share_of(accepted[label], person[pairs.left[pairs.same]])),
            "only the default": int((first & ~accepted[label]).sum()),
            "only this": int((accepted[label] & ~first).sum()),
            "p": round(mcnemar(first, accepted[label]), 4),
        }
    print(f"{len(pairs.same)} pairs, {pairs.same.sum()} of one person")
    print(pd.DataFrame(rows).T.to_string())
    clean = (
        (manifest["source"] == "lfw") & (wrongly_named(manifest) == "") & ~manifest["person"].map(in_vault)
    )
    manifest = manifest[clean & ~manifest["person"].isin(doubled_people(manifest["person"]))]
    backbone = find_backbone(name, default_views("lfw"))
    embeddings = embed_manifest(manifest, backbone)
    found = np.isfinite(embeddings).all(1)
    alike = people_alike(embeddings[found], manifest["person"].to_numpy()[found], shipped_table(backbone))
    print(alike.round(4).to_string())


if __name__ == "__main__":
    main()
