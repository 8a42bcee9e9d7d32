"""`python -m tools.vault`, once per release, after `make run PROFILE=lfw`: LFW's people whom nothing was chosen by.

One in ten of LFW's people (photos.splits.in_vault). Half of those with two photos or more are enrolled, by half of their
photos and without training; everybody else's photos are strangers. The threshold is by the gallery's own rule. What is
found goes into docs/figures.json and the model card. If anything is chosen after that, raise photos.splits.SALT.
"""

import numpy as np

from facecourse.embedding.backbones import default_backbone, default_views, find_backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.embedding.photo_sets import PhotoSet, centroids
from facecourse.metrics.identification import identify
from facecourse.metrics.impostors import shipped_table
from facecourse.metrics.open_set import evidence_for, open_set, rates_with_intervals
from facecourse.photos.dataset import load_manifest
from lambda_function.gallery import Gallery
from tools import figures

DRAWS = 20  # galleries: half of the people with several photos, chosen by chance
FPIR = 0.01


def main() -> None:
    """Print top-1, FPIR and FNIR of the vault."""
    manifest = load_manifest("lfw")
    manifest = manifest[manifest["course_split"] == "vault"]
    backbone = find_backbone(default_backbone("lfw"), default_views("lfw"))
    embeddings, persons = embed_manifest(manifest, backbone), manifest["person"].to_numpy()
    found = np.isfinite(embeddings).all(1)
    embeddings, persons = embeddings[found], persons[found]
    several = np.unique(persons)[np.unique(persons, return_counts=True)[1] >= 2]
    turn = manifest[found].groupby("person").cumcount().to_numpy()
    rates, first = [], {}
    for draw in range(DRAWS):
        enrolled = np.sort(np.random.default_rng(draw).permutation(several)[: len(several) // 2])
        labels = np.where(np.isin(persons, enrolled), np.searchsorted(enrolled, persons), -1)

        def part(rows: np.ndarray, labels=labels, names=enrolled) -> PhotoSet:
            return PhotoSet(embeddings[rows], labels[rows], rows, list(names))

        train, probes = (part(np.flatnonzero((labels >= 0) & (turn % 2 == side))) for side in (0, 1))
        strangers = part(np.flatnonzero(labels < 0))
        vectors = centroids(train.embeddings, train.labels, len(enrolled))
        gallery = Gallery(list(enrolled), vectors, about={"kind": "nearest centroid"})
        gallery.rest_on(evidence_for(gallery, {"train": train}, persons, shipped_table(backbone), FPIR))
        scores = open_set(vectors, probes, strangers)
        rates.append([float(rate[0]) for rate in scores.rates([gallery.threshold])])
        if not draw:
            told = persons[probes.rows], persons[strangers.rows], gallery.threshold
            first = {"People enrolled": str(len(enrolled)), "Threshold": f"{gallery.threshold:.3f}"}
            first["Top-1"] = identify(vectors, probes).as_row()["top-1"]
            first |= {name: str(share) for name, share in rates_with_intervals(scores, *told).items()}
    low, high = np.quantile(rates, [0.05, 0.95], axis=0)
    for name, mean, *band in zip(("FPIR", "FNIR"), np.mean(rates, axis=0), low, high, strict=True):
        first[f"{name}, mean of {DRAWS} galleries"] = (
            f"{mean:.2%}, nine of ten from {band[0]:.2%} to {band[1]:.2%}"
        )
    print(*(f"{name}: {value}" for name, value in first.items()), sep="\n")
    figures.put("vault", first)


if __name__ == "__main__":
    main()
