"""Notebook 07's engine beside a plain loop: what it costs, and what a second worker brings; the large gallery's recall."""

import tempfile
import time
from pathlib import Path

import numpy as np

from facecourse.core.paths import DATA
from facecourse.core.sources import SourceError, lfw_photos
from facecourse.scale import galleries, shards
from lambda_function.gallery import Gallery
from tests.conftest import mirror
from tests.sample_bundle import build_sample_bundle

PHOTOS, SHARD, PEOPLE, PROBES = 960, 60, 100_000, 500


def rows() -> list[dict]:
    """Return the rows {name, ours, reference, ratio, unit}; none where Ray or FAISS, optional extras, are not installed."""
    try:
        import faiss  # noqa: F401
        import ray  # noqa: F401
    except ImportError:
        return []
    with tempfile.TemporaryDirectory() as work:
        bundle = build_sample_bundle(Path(work), "others")
        return [*_engine_rows(bundle, Path(work)), *_gallery_rows(Gallery.load(bundle / "gallery.npz"))]


def _engine_rows(bundle: Path, work: Path) -> list[dict]:
    """Work on photos of real LFW where it is, else on the rendered strangers."""
    try:
        place = lfw_photos() if mirror() else DATA / "others"
    except SourceError:
        place = DATA / "others"
    planned = shards.plan(place, bundle, SHARD)[: PHOTOS // SHARD]
    engines, speed = {"plain": shards.plain_loop, "one": shards.with_ray(1), "two": shards.with_ray(2)}, {}
    for name, engine in engines.items():
        facts = shards.run_shards(planned, bundle, work / name, engine)
        speed[name] = shards.throughput(facts)
    peak = facts["peak_mb"].max()  # Ray's: the plain loop shares this process with everything else
    photos = sum(len(shard.photos) for shard in planned)
    return [
        _row(f"one worker beside a plain loop, {photos} photos", speed["one"], speed["plain"], "photos/s"),
        _row("two workers beside twice one worker", speed["two"], 2 * speed["one"], "photos/s"),
        _row("peak memory of a worker (limit 1000)", peak, 1000.0, "MB"),
    ]


def _gallery_rows(gallery: Gallery) -> list[dict]:
    people = galleries.synthetic_people(gallery.vectors, PEOPLE)
    probes = galleries.noisy_copies(people[:PROBES], 0.7, np.random.default_rng(1))
    index = galleries.build_index(people)
    found = index.search(probes, 1)[1][:, 0] == galleries.exact_search(people, probes)[1]
    seconds = np.zeros((len(probes), 2))
    for turn, probe in enumerate(probes):
        start = time.perf_counter()
        galleries.exact_search(people, probe[None])
        middle = time.perf_counter()
        index.search(probe[None], 1)
        seconds[turn] = middle - start, time.perf_counter() - middle
    slow, fast = 1 / np.median(seconds, axis=0)
    return [
        _row(f"FAISS among {PEOPLE:,} people beside exact search", fast, slow, "faces/s"),
        _row("its recall@1 (asked)", found.mean(), 0.999, "share"),
    ]


def _row(name: str, ours: float, reference: float, unit: str) -> dict:
    values = {"ours": float(ours), "reference": float(reference), "ratio": float(ours / reference)}
    return {"name": f"scale: {name}", **values, "unit": unit}
