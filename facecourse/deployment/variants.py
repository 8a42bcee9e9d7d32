"""One backbone with 32-bit and with 8-bit numbers: what each weighs, how fast it is, what it costs in accuracy."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.embedding.galleries import load_gallery
from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics.identification import identify
from facecourse.metrics.open_set import open_set
from facecourse.photos.dataset import load_manifest
from lambda_function.gallery import Gallery

ALLOWED_LOSS = 1  # photos, on every figure: one either way is chance
MATED = 600  # probes: all of LFW's take longer than the rest
EVALUATED = ("val", "unknown_val")  # a choice is made by them, so test stays out of it
ERRORS = ("FPIR %", "FNIR %")  # lower is better; of everything else, higher


def compare_variants(profile: str, backbone: Backbone, runs: int = 15) -> pd.DataFrame:
    """Measure each precision with the profile's own gallery and threshold, which stay as they are.

    `backbone` is as the gallery was made with it: losses are counted against its precision, which comes first. The
    timing is repeated `runs` times. Returned are, by precision: MB (10**6 bytes); ms per face (median, one thread,
    all views); top-1 of at most MATED photos of val, and FPIR and FNIR at the threshold, all in per cent; photos lost,
    how many more are wrong on the worst of these figures; and answers changed, the photos whose name, or "unknown", is
    not that of the first row.
    """
    gallery, manifest = load_gallery(profile, decided=True), load_manifest(profile)
    order = [backbone.precision, *({"fp32", "int8"} - {backbone.precision})]
    variants = {precision: replace(backbone, precision=precision) for precision in order}
    found = manifest["faces"].to_numpy() > 0
    mated, non_mated = (np.flatnonzero(found & (manifest["course_split"] == side)) for side in EVALUATED)
    mated = np.random.default_rng(0).permutation(mated)[:MATED]
    probes = np.sort(np.concatenate([mated, non_mated]))
    rows, names = {}, {}
    for precision, variant in variants.items():
        embeddings = _embed(manifest, probes, variant)
        rows[precision] = _figures(manifest, embeddings, gallery)
        names[precision] = np.array([match.name for match in gallery.identify(embeddings[probes], top=1)])
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("precision")
    signs = [-1 if name in ERRORS else 1 for name in table.columns]
    photos = [len(non_mated) if name == "FPIR %" else len(mated) for name in table.columns]
    lost = (table.iloc[0] - table) * signs * photos / 100
    table["photos lost"] = lost.max(axis=1).clip(lower=0).round().astype(int)
    table["answers changed"] = [int((found != names[backbone.precision]).sum()) for found in names.values()]
    table.insert(0, "ms per face", milliseconds(variants, runs))
    table.insert(0, "MB", [variant.onnx().stat().st_size / 1e6 for variant in variants.values()])
    return table


def choose_variant(table: pd.DataFrame) -> str:
    """Return the fastest precision that loses at most ALLOWED_LOSS photos; of those within 10 %, the smallest."""
    fit = table[table["photos lost"] <= ALLOWED_LOSS]
    fast = fit[fit["ms per face"] <= 1.1 * fit["ms per face"].min()]
    return str(fast["MB"].idxmin())


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
