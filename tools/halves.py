"""`python -m tools.halves FOLDER`: how good would the rule be with your people? FOLDER holds a folder of photos of each.

Again and again half of the people are enrolled, from three fifths of their photos, without training; the rest of theirs are
mated probes and everybody else's photos strangers'. Needs four people or more with three photos each. After `make run
PROFILE=lfw` all of them are enrolled too, with LFW's people as strangers, by the network of that profile: the shipped table
comes from most of these people, so this FPIR is no more than a check that the rule does what it says.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from facecourse.core.paths import outputs_for
from facecourse.detection.detector import detect_photos
from facecourse.embedding.backbones import default_backbone, default_views, find_backbone
from facecourse.embedding.embeddings import embed_faces, embed_manifest
from facecourse.embedding.photo_sets import centroids
from facecourse.metrics.impostors import shipped_table
from facecourse.metrics.uncertainty import share_of
from facecourse.photos.dataset import load_manifest
from facecourse.photos.files import scan
from facecourse.photos.splits import in_vault
from lambda_function.evidence import Evidence, left_out
from lambda_function.faces import select_face
from lambda_function.gallery import Gallery
from lambda_function.photos import open_photo
from lambda_function.pipeline import sha256_of

DRAWS = 60
LEAST = 3  # photos of a person: two to enrol, one to try


def enrol(names: np.ndarray, rows: np.ndarray, persons: np.ndarray, table: np.ndarray) -> Gallery:
    """Enrol `names`, sorted, from embeddings (n, d) of their photos, by the deployed rule."""
    labels, every = np.searchsorted(names, persons), np.ones(len(rows), bool)
    gallery = Gallery(list(names), centroids(rows, labels, len(names)))
    gallery.rest_on(Evidence(rows, labels, left_out(rows, labels), every, table))
    return gallery


def rightly(gallery: Gallery, rows: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Return which of the enrolled people's photos get their own name, (n,) bool."""
    return np.array([match.name for match in gallery.identify(rows, top=1)]) == persons


def named(gallery: Gallery, rows: np.ndarray) -> np.ndarray:
    """Return which of strangers' photos get a name, (n,) bool."""
    return gallery.scores(rows).max(1) >= gallery.threshold


def main(folder: str) -> None:
    """Print FNIR and FPIR: mean, and the middle 95 % of the draws; then of LFW's people, where they are."""
    photos = {sha256_of(file.path): file for file in scan(folder, "people", "")[0] if not file.problem}
    found = detect_photos([file.path for file in photos.values()], list(photos), skip=True)
    counts = Counter(photos[value].person for value in found)
    sums, faces = [value for value in found if counts[photos[value].person] >= LEAST], []
    files = [Path(photos[value].path) for value in sums]
    for path, value in zip(files, sums, strict=True):
        image = open_photo(path)
        place = select_face(found[value], image.shape[1], image.shape[0])
        faces.append(None if place is None else found[value][place])
    persons, order = np.array([photos[value].person for value in sums]), np.argsort(sums)
    names, train = np.unique(persons), np.zeros(len(files), bool)
    for name in names:  # by hash, which is as good as chance
        own = order[persons[order] == name]
        train[own[min(2 * max(1, len(own) // 5), len(own) - 2) :]] = True

    def embedded(profile: str):
        backbone = find_backbone(default_backbone(profile), default_views(profile))
        return embed_faces(files, sums, faces, backbone), shipped_table(backbone), backbone

    rows, table, _ = embedded("sample")
    seen, rates = np.isfinite(rows).all(1), []
    for draw in range(DRAWS):
        chosen = np.sort(np.random.default_rng(draw).permutation(names)[: len(names) // 2])
        inside = np.isin(persons, chosen)
        part, probes, others = (seen & side for side in (inside & train, inside & ~train, ~inside))
        gallery = enrol(chosen, rows[part], persons[part], table)
        right = rightly(gallery, rows[probes], persons[probes])
        rates.append((gallery.threshold, 1 - right.mean(), named(gallery, rows[others]).mean()))
    low, high = np.quantile(rates, [0.025, 0.975], axis=0)
    print(f"{len(names)} people, {seen.sum()} photos with a face, {DRAWS} halves")
    for name, mean, *band in zip(
        ("threshold", "FNIR", "FPIR"), np.mean(rates, axis=0), low, high, strict=True
    ):
        print(f"{name:9s} {mean:.4f} [{band[0]:.3f}, {band[1]:.3f}]")
    if not (outputs_for("lfw") / "manifest.parquet").exists():
        return
    rows, table, backbone = embedded("lfw")
    manifest = load_manifest("lfw")
    strangers = (manifest["source"] == "lfw") & ~manifest["person"].isin(names)
    manifest = manifest[strangers & ~manifest["person"].map(in_vault)]
    others = embed_manifest(manifest, backbone)
    found = np.isfinite(others).all(1)
    gallery = enrol(names, rows[seen & train], persons[seen & train], table)
    right = rightly(gallery, rows[seen & ~train], persons[seen & ~train])
    print(f"all {len(names)} enrolled, threshold {gallery.threshold:.3f}, LFW's people as strangers")
    print("FNIR", share_of(~right, persons[seen & ~train]))
    print("FPIR", share_of(named(gallery, others[found]), manifest["person"].to_numpy()[found]))


if __name__ == "__main__":
    main(sys.argv[1])
