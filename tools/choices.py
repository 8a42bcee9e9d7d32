"""`python -m tools.choices`, after `make run PROFILE=lfw`: what the defaults are chosen by, compared on LFW's View 1.

View 1 is there to choose by: pairsDevTrain chooses, pairsDevTest, of other people, says whether it holds there too; fewer
pairs by the vault's people. Views, crop (aligned or along the box), margin, the rule for the photo's face, and the 8-bit
network's layers are changed one at a time. The threshold is where FMR is 1e-4 over all pairs of the list's photos; the
list's pairs of one person that reach it are compared with the default's, pair by pair. Then the rule of thresholds, on
galleries of people alike: impostors.ALIKE and evidence.TABLE_PEOPLE are such that the median gallery lets in 1 % of its
strangers.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from facecourse.core.paths import ROOT, THREADS
from facecourse.core.sources import fetch
from facecourse.detection.detector import detect_photos
from facecourse.embedding.backbones import Backbone, default_backbone, default_views, find_backbone
from facecourse.embedding.embeddings import embed_faces, embed_manifest, load_crops
from facecourse.embedding.photo_sets import centroids
from facecourse.embedding.quantisation import WHOLE_LAYERS, calibration_crops, quantise
from facecourse.metrics.impostors import shipped_table
from facecourse.metrics.uncertainty import mcnemar, share_of
from facecourse.metrics.verification import Pairs, similarities, view_one
from facecourse.photos.checks import rightly_named
from facecourse.photos.dataset import load_manifest
from facecourse.photos.examine import rounded
from facecourse.photos.splits import in_vault
from lambda_function.crops import alternate_crop
from lambda_function.evidence import Evidence, left_out
from lambda_function.faces import select_face
from lambda_function.gallery import Gallery
from lambda_function.pipeline import Embedder

FMR = 1e-4


@dataclass(frozen=True)
class Setting:
    """One thing to try: a backbone with its crop and views, the rule for the face, and the layers left in 32 bits."""

    backbone: Backbone
    rule: str = "size_and_centre"
    whole_layers: tuple[int, ...] = WHOLE_LAYERS

    def embed(self, photos: pd.DataFrame) -> np.ndarray:
        """Embed rows of a manifest: (n, d), nan without a face."""
        if self.whole_layers != WHOLE_LAYERS:
            return self._requantised(photos)
        if self.rule == "size_and_centre":
            return embed_manifest(photos, self.backbone)
        files, sums = [ROOT / path for path in photos["path"]], photos["sha256"].tolist()
        found, faces = detect_photos(files, sums), []
        for sha256, width, height in zip(sums, photos["width"], photos["height"], strict=True):
            place = select_face(found[sha256], width, height, self.rule)
            faces.append(None if place is None else rounded(found[sha256][place]))
        return embed_faces(files, sums, faces, self.backbone)

    def _requantised(self, photos: pd.DataFrame) -> np.ndarray:
        cut, whole = self.backbone.preprocessing, replace(self.backbone, precision="fp32").onnx()
        seen = np.flatnonzero(photos["faces"] > 0)
        with tempfile.TemporaryDirectory() as folder:
            made = quantise(
                whole, calibration_crops(cut), cut, Path(folder) / "tried.onnx", self.whole_layers
            )
            embedder = Embedder(made, cut, THREADS)
            rows = np.full((len(photos), embedder.dimension), np.nan, np.float32)
            for part in np.array_split(seen, max(1, len(seen) // 256)):
                rows[part] = embedder.embed(load_crops(photos.iloc[part], cut))
        return rows


def settings(name: str) -> dict[str, dict[str, Setting]]:
    """Return what is compared, by table and by name; the first of each table is the default."""
    views = {count: Setting(find_backbone(name, count)) for count in (4, 2, 1)}
    one = views[1].backbone
    own = one.preprocessing
    whole = replace(one, precision="fp32")
    return {
        "views": {f"{count}": setting for count, setting in views.items()},
        "one view, one thing changed": {
            "default": views[1],
            "cut along the box" if own.align else "aligned": Setting(
                replace(one, preprocessing=alternate_crop(own))
            ),
            **{
                f"margin {margin}": Setting(replace(one, preprocessing=replace(own, margin=margin)))
                for margin in (0, 8, 24, 32)
            },
            **{f"face: {rule}": Setting(one, rule) for rule in ("largest", "centre")},
            "8 bits in all layers": Setting(one, whole_layers=()),
            "32 bits in the first two layers": Setting(one, whole_layers=(0, 1)),
            "32 bits in all layers": Setting(whole),
        },
    }


def compare(tried: dict[str, Setting], manifest: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Return TAR at FMR for each setting, and its pairs against the first one's: who alone is right, and McNemar's p.

    A person's pairs fail together, so in the test each person has one vote.
    """
    used = np.unique(np.append(pairs.left, pairs.right))
    person, accepted, rows = manifest["person"].to_numpy(), {}, {}
    mated = person[pairs.left[pairs.same]]
    owner = np.unique(mated, return_inverse=True)[1]
    for label, setting in tried.items():
        part = setting.embed(manifest.iloc[used])
        embeddings = np.full((len(manifest), part.shape[1]), np.nan, np.float32)
        embeddings[used] = part
        seen = used[np.isfinite(part).all(1)]
        everyone = embeddings[seen] @ embeddings[seen].T
        different = everyone[person[seen][:, None] != person[seen]]
        accepted[label] = similarities(embeddings, pairs)[pairs.same] > np.quantile(different, 1 - FMR)
        first = next(iter(accepted.values()))
        votes = np.bincount(owner, weights=first.astype(int) - accepted[label])
        rows[label] = {
            "TAR at FMR 1e-4": str(share_of(accepted[label], mated)),
            "only the default": int((first & ~accepted[label]).sum()),
            "only this": int((accepted[label] & ~first).sum()),
            "p": round(mcnemar(votes > 0, votes < 0), 4),
        }
    return pd.DataFrame(rows).T


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
    """Print all tables."""
    manifest, name = load_manifest("lfw"), default_backbone("lfw")
    for part, purpose in (("Train", "chooses"), ("Test", "other people")):
        pairs = view_one(manifest, [fetch(f"pairsDev{part}.txt")])
        if pairs is None:
            raise SystemExit("View 1 needs all of LFW: make run PROFILE=lfw")
        for title, tried in settings(name).items():
            print(
                f"\npairsDev{part}, {purpose}: {len(pairs.same)} pairs, {pairs.same.sum()} of one person; {title}"
            )
            print(compare(tried, manifest, pairs).to_string())
    manifest = manifest[rightly_named(manifest) & ~manifest["person"].map(in_vault)]
    backbone = find_backbone(name, default_views("lfw"))
    embeddings = embed_manifest(manifest, backbone)
    found = np.isfinite(embeddings).all(1)
    alike = people_alike(embeddings[found], manifest["person"].to_numpy()[found], shipped_table(backbone))
    print(alike.round(4).to_string())


if __name__ == "__main__":
    main()
