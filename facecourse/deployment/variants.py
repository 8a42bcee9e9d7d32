"""One backbone with 32-bit and with 8-bit numbers: what each weighs, how fast it is, what it costs in accuracy."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from facecourse.core.sources import lfw_pairs
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.embedding.galleries import load_gallery
from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics.identification import identify
from facecourse.metrics.open_set import open_set
from facecourse.metrics.verification import Pairs, official_pairs, similarities, ten_folds
from facecourse.photos.dataset import load_manifest
from lambda_function.gallery import Gallery

ALLOWED_LOSS = 0.1  # percentage points, on every figure
MATED, FOLDS = 600, 2  # mated probes, and folds of LFW's ten: all of them take longer than the rest
EVALUATED = ("test", "unknown_test")
ERRORS = ("FPIR %", "FNIR %")  # lower is better; of everything else, higher


def compare_variants(profile: str, backbone: Backbone, runs: int = 15) -> pd.DataFrame:
    """Measure each precision with the profile's own gallery and threshold, which stay as they are.

    `backbone` is as the gallery was made with it: losses are counted against its precision, which comes first. The
    timing is repeated `runs` times. Returned are, by precision: MB (10**6 bytes); ms per face (median, one thread,
    all views); top-1 of at most MATED test photos, FPIR and FNIR at the threshold, and on lfw the accuracy on two of
    its ten folds, from one view, all in per cent; points lost, the largest loss on any of these figures; and answers
    changed, the photos whose name, or "unknown", is not that of the first row.
    """
    gallery, manifest = load_gallery(profile, decided=True), load_manifest(profile)
    order = [backbone.precision, *({"fp32", "int8"} - {backbone.precision})]
    variants = {precision: replace(backbone, precision=precision) for precision in order}
    found = manifest["faces"].to_numpy() > 0
    mated, non_mated = (np.flatnonzero(found & (manifest["course_split"] == side)) for side in EVALUATED)
    mated = np.random.default_rng(0).permutation(mated)[:MATED]
    probes = np.sort(np.concatenate([mated, non_mated]))
    pairs = _some_folds(manifest, found) if profile == "lfw" else None
    rows, names = {}, {}
    for precision, variant in variants.items():
        embeddings = _embed(manifest, probes, variant)
        rows[precision] = _figures(manifest, embeddings, gallery)
        names[precision] = np.array([match.name for match in gallery.identify(embeddings[probes], top=1)])
        if pairs is not None:
            single = _embed(manifest, np.union1d(pairs.left, pairs.right), replace(variant, views=1))
            rows[precision]["LFW %"] = 100 * ten_folds(similarities(single, pairs), pairs).mean
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("precision")
    signs = [-1 if name in ERRORS else 1 for name in table.columns]
    table["points lost"] = ((table.iloc[0] - table) * signs).max(axis=1).clip(lower=0) + 0.0  # no -0
    table["answers changed"] = [int((found != names[backbone.precision]).sum()) for found in names.values()]
    table.insert(0, "ms per face", milliseconds(variants, runs))
    table.insert(0, "MB", [variant.onnx().stat().st_size / 1e6 for variant in variants.values()])
    return table


def choose_variant(table: pd.DataFrame) -> str:
    """Return the fastest precision that loses at most ALLOWED_LOSS points; of those within 10 %, the smallest."""
    fit = table[table["points lost"] <= ALLOWED_LOSS + 1e-9]
    fast = fit[fit["ms per face"] <= 1.1 * fit["ms per face"].min()]
    return str(fast["MB"].idxmin())


def _some_folds(manifest: pd.DataFrame, found: np.ndarray) -> Pairs | None:
    pairs = official_pairs(manifest, lfw_pairs())
    if pairs is None:
        return None
    kept = (pairs.folds < FOLDS) & found[pairs.left] & found[pairs.right]
    return Pairs(pairs.left[kept], pairs.right[kept], pairs.same[kept], pairs.folds[kept])


def _embed(manifest: pd.DataFrame, rows: np.ndarray, backbone: Backbone) -> np.ndarray:
    """Embed some rows of a manifest: (len(manifest), d), nan elsewhere."""
    part = embed_manifest(manifest.iloc[rows], backbone)
    embeddings = np.full((len(manifest), part.shape[1]), np.nan, np.float32)
    embeddings[rows] = part
    return embeddings


def _figures(manifest: pd.DataFrame, embeddings: np.ndarray, gallery: Gallery) -> dict[str, float]:
    number = {name: place for place, name in enumerate(gallery.labels)}
    labels = np.array([number.get(person, -1) for person in manifest["person"]], np.int64)
    usable, sides = np.isfinite(embeddings).all(1), manifest["course_split"].to_numpy()
    mated, non_mated = (
        PhotoSet(embeddings[rows], labels[rows], rows, gallery.labels)
        for rows in (np.flatnonzero(usable & (sides == side)) for side in EVALUATED)
    )
    scores = open_set(gallery.vectors, mated, non_mated, gallery.cohort_weight)
    fpir, fnir = (float(rate[0]) for rate in scores.rates(np.array([gallery.threshold])))
    top1 = identify(gallery.vectors, mated).top1
    return {"top-1 %": 100 * top1, "FPIR %": 100 * fpir, "FNIR %": 100 * fnir}


def milliseconds(variants: dict[str, Backbone], runs: int = 15) -> list[float]:
    """Time one face of all a network's views on one thread, in ms: the median.

    The variants run in turn: what else the machine does then hits all alike.
    """
    tools = [variant.embedder(threads=1) for variant in variants.values()]
    chance, crops = np.random.default_rng(0), []
    for variant in variants.values():
        size = variant.preprocessing.size
        crops.append(chance.integers(0, 256, (1, variant.views, size, size, 3), np.uint8))
    seconds = np.zeros((runs + 2, len(tools)))
    for run in seconds:
        for place, tool in enumerate(tools):
            start = time.perf_counter()
            tool.embed(crops[place])
            run[place] = time.perf_counter() - start
    return (1000 * np.median(seconds[2:], axis=0)).tolist()  # the first ones warm up
