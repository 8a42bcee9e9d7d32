"""Notebook 07's engine beside a plain loop: what it costs, and what a second worker brings; the large gallery's recall."""

import tempfile
import time
from pathlib import Path

import numpy as np

from facecourse.core.paths import DATA
from facecourse.core.sources import SourceError, lfw_photos
from facecourse.scale import galleries, shards
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
    return [*_engine_rows(), *_gallery_rows()]


def _engine_rows() -> list[dict]:
    """Work on photos of real LFW where it is, else on the rendered strangers, with a model of the benchmark's own."""
    speed = {}
    engines = {"plain": shards.plain_loop, "one": shards.with_ray(1), "two": shards.with_ray(2)}
    with tempfile.TemporaryDirectory() as work:
        bundle = build_sample_bundle(Path(work), "others")
        try:
            place = lfw_photos() if mirror() else DATA / "others"
        except SourceError:
            place = DATA / "others"
        planned = shards.plan(place, bundle, SHARD)[: PHOTOS // SHARD]
        for name, engine in engines.items():
            facts = shards.run_shards(planned, bundle, Path(work) / name, engine)
            speed[name] = shards.throughput(facts)
    peak = facts["peak_mb"].max()  # Ray's: the plain loop shares this process with everything else
    photos = sum(len(shard.photos) for shard in planned)
    return [
        _row(f"one worker beside a plain loop, {photos} photos", speed["one"], speed["plain"], "photos/s"),
        _row("two workers beside twice one worker", speed["two"], 2 * speed["one"], "photos/s"),
        _row("peak memory of a worker (limit 1000)", peak, 1000.0, "MB"),
    ]


def _gallery_rows() -> list[dict]:
    people = np.random.default_rng(0).standard_normal((2000, 128)).astype(np.float32)
    people = galleries.synthetic_people(people / np.linalg.norm(people, axis=1, keepdims=True), PEOPLE)
    probes = galleries.noisy_copies(people[:PROBES], 0.7, np.random.default_rng(1))
    index = galleries.build_index(people)
    start = time.perf_counter()
    exact = galleries.exact_search(people, probes)[1]
    slow = PROBES / (time.perf_counter() - start)
    start = time.perf_counter()
    found = index.search(probes, 1)[1][:, 0]
    fast = PROBES / (time.perf_counter() - start)
    return [
        _row(f"FAISS among {PEOPLE:,} people beside exact search", fast, slow, "probes/s"),
        _row("its recall@1 (asked)", float((found == exact).mean()), 0.999, "share"),
    ]


def _row(name: str, ours: float, reference: float, unit: str) -> dict:
    values = {"ours": float(ours), "reference": float(reference), "ratio": float(ours / reference)}
    return {"name": f"scale: {name}", **values, "unit": unit}
