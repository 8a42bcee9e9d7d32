"""`python -m tools.halves FOLDER`: how good would the rule be with your people? FOLDER holds a folder of photos of each.

Again and again half of the people are enrolled, from three fifths of their photos, without training; the rest of theirs are
mated probes and everybody else's photos strangers'. Needs four people or more.
"""

import sys
from pathlib import Path

import numpy as np

from facecourse.detection.detector import detect_photos
from facecourse.embedding.backbones import default_backbone, default_views, find_backbone
from facecourse.embedding.embeddings import embed_faces
from facecourse.embedding.photo_sets import centroids
from facecourse.metrics.impostors import shipped_table
from facecourse.photos.files import scan
from lambda_function.evidence import Evidence, left_out
from lambda_function.faces import select_face
from lambda_function.gallery import Gallery
from lambda_function.photos import open_photo
from lambda_function.pipeline import sha256_of

DRAWS = 60


def main(folder: str) -> None:
    """Print FNIR and FPIR: mean, and the middle 95 % of the draws."""
    files = [Path(file.path) for file in scan(folder, "people", "")[0]]
    sums, faces = [sha256_of(path) for path in files], []
    for path, found in zip(files, detect_photos(files, sums).values(), strict=True):
        image = open_photo(path)
        place = select_face(found, image.shape[1], image.shape[0])
        faces.append(None if place is None else found[place])
    backbone = find_backbone(default_backbone("sample"), default_views("sample"))
    rows, persons = embed_faces(files, sums, faces, backbone), np.array([path.parent.name for path in files])
    seen = np.isfinite(rows).all(1)
    rows, persons, order = rows[seen], persons[seen], np.argsort(np.array(sums)[seen])
    names, table, rates = np.unique(persons), shipped_table(backbone), []
    train = np.zeros(len(rows), bool)
    for name in names:  # by hash, which is as good as chance
        own = order[persons[order] == name]
        train[own[2 * max(1, len(own) // 5) :]] = True
    for draw in range(DRAWS):
        chosen = np.sort(np.random.default_rng(draw).permutation(names)[: len(names) // 2])
        inside, labels = np.isin(persons, chosen), np.searchsorted(chosen, persons)
        part = inside & train
        gallery = Gallery(list(chosen), centroids(rows[part], labels[part], len(chosen)))
        again = left_out(rows[part], labels[part])
        gallery.rest_on(Evidence(rows[part], labels[part], again, np.ones(part.sum(), bool), table))
        scores = gallery.scores(rows[inside & ~train])
        right = (scores.argmax(1) == labels[inside & ~train]) & (scores.max(1) >= gallery.threshold)
        named = gallery.scores(rows[~inside]).max(1) >= gallery.threshold
        rates.append((gallery.threshold, 1 - right.mean(), named.mean()))
    low, high = np.quantile(rates, [0.025, 0.975], axis=0)
    print(f"{len(names)} people, {len(rows)} photos with a face, {DRAWS} halves")
    for name, mean, *band in zip(
        ("threshold", "FNIR", "FPIR"), np.mean(rates, axis=0), low, high, strict=True
    ):
        print(f"{name:9s} {mean:.4f} [{band[0]:.3f}, {band[1]:.3f}]")


if __name__ == "__main__":
    main(sys.argv[1])
