"""Faces of millions of photos: the pipeline of lambda_function/, unchanged, run by Ray Data shard by shard.

Ray schedules, retries and balances; this file only says what one shard of work is. It is an optional extra:
`pip install -r requirements-scale.txt`.
"""

import hashlib
import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from facecourse.core.paths import ROOT
from facecourse.photos.files import printable
from facecourse.scale.inputs import list_photos, read_photos
from lambda_function.photos import PhotoError, open_photo
from lambda_function.pipeline import Recogniser, check_bundle

SHARD = 500  # photos: about half a minute of one core, which is what a crash can cost
COORDINATES = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [("path", pa.string()), ("sha256", pa.string()), ("box", COORDINATES), ("landmarks", COORDINATES)]
    + [("score", pa.float32()), ("embedding", pa.list_(pa.float16())), ("problem", pa.string())]
)
FACTS = ["file", "photos", "faces", "seconds", "worker", "peak_mb"]


@dataclass(frozen=True)
class Shard:
    """A piece of work with one output file.

    `photos` are named as `list_photos` does. `file` holds a hash of these names and of the model, so that a file that is
    there is the answer to this very question.
    """

    photos: tuple[str, ...]
    file: str


def plan(place: str | os.PathLike, bundle: str | os.PathLike, size: int = SHARD) -> list[Shard]:
    """Cut the photos of a place (see `list_photos`) into shards: the same for the same photos, model and size.

    Raises InputError if there is nothing at `place`, BundleError if the model is missing or damaged.
    """
    photos = list_photos(place)
    version = check_bundle(Path(bundle))["version"]
    shards = []
    for number, start in enumerate(range(0, len(photos), size)):
        part = tuple(photos[start : start + size])
        digest = hashlib.sha256(os.fsencode("\0".join((version, *part)))).hexdigest()[:12]
        shards.append(Shard(part, f"part-{number:06d}-{digest}.parquet"))
    return shards


class FaceWorker:
    """Turns shards into Parquet files in `output`; every process of the engine holds one."""

    def __init__(self, bundle: str, output: str):
        self.recogniser = Recogniser.load(bundle, threads=1)
        self.output = Path(output)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list]:
        """Work on the shards of a batch and return their facts by column: what Ray Data calls."""
        shards = zip(batch["photos"], batch["file"], strict=True)
        facts = [self.work(Shard(tuple(photos), str(file))) for photos, file in shards]
        return {name: [fact[name] for fact in facts] for name in FACTS}

    def work(self, shard: Shard) -> dict:
        """Write the file of one shard, whole or not at all.

        Returns file, photos, faces, seconds, worker (process id) and peak_mb, the most memory in 10^6 bytes that the
        process has held so far.
        """
        start = time.perf_counter()
        rows = [self.row_of(name, data) for name, data in read_photos(shard.photos)]
        partial = self.output / f".{shard.file}.{os.getpid()}.tmp"
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partial, compression="zstd")
        partial.replace(self.output / shard.file)  # two workers on one shard write the same file
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes, Linux KiB
        return {
            "file": shard.file,
            "photos": len(rows),
            "faces": sum(row["box"] is not None for row in rows),
            "seconds": time.perf_counter() - start,
            "worker": os.getpid(),
            "peak_mb": peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6,
        }

    def row_of(self, name: str, data: bytes | None) -> dict:
        """Find and embed the main face of a photo; one with a problem is a row that says so."""
        row = dict.fromkeys(SCHEMA.names) | {"path": printable(name), "sha256": "", "problem": ""}
        if data is None:
            return row | {"problem": "unreadable"}
        row["sha256"] = hashlib.sha256(data).hexdigest()
        try:
            look = self.recogniser.look(open_photo(data))
        except PhotoError as error:
            return row | {"problem": error.code}
        if (chosen := look.main()) is None:
            return row | {"problem": "no_face"}
        face = look.faces[chosen]
        embedding = self.recogniser.embed(look.image, [face])[0].astype(np.float16)
        found = {"box": face.box, "landmarks": face.landmarks.ravel(), "score": face.score}
        return row | found | {"embedding": embedding}


def plain_loop(shards: list[Shard], bundle: str, output: str) -> Iterator[dict]:
    """Run the shards one after the other in this process: what the engine is compared with."""
    worker = FaceWorker(bundle, output)
    yield from (worker.work(shard) for shard in shards)


def with_ray(workers: int) -> Callable[[list[Shard], str, str], Iterator[dict]]:
    """Return an engine: Ray Data with a pool of `workers` processes of one thread each.

    Works in a running Ray cluster too (RAY_ADDRESS), where bundle and output lie on storage that all machines share.
    Raises ImportError if Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError("Ray is an optional extra: pip install -r requirements-scale.txt") from error

    def engine(shards: list[Shard], bundle: str, output: str) -> Iterator[dict]:
        elsewhere = os.environ.get("RAY_ADDRESS")
        if ray.is_initialized() and not elsewhere and ray.cluster_resources().get("CPU", 0) < workers:
            ray.shutdown()  # started for fewer workers: the others would wait for a core for ever
        if not ray.is_initialized():
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            ray.init(
                num_cpus=None if elsewhere else workers,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
            )
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [{"photos": list(shard.photos), "file": shard.file} for shard in shards]
        # One row, one block, one task: Ray starts a shard when a worker is free, and again when its worker dies.
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            FaceWorker,
            fn_constructor_args=(str(bundle), str(output)),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
            num_cpus=1,
        )
        yield from dataset.iter_rows()

    return engine


def kill_worker() -> int | None:
    """Kill one of the face workers that Ray has started for this process (SIGKILL), to see what a crash does.

    Returns its process id; None if none is alive.
    """
    import psutil

    for process in psutil.Process().children(recursive=True):
        try:
            if "FaceWorker" in " ".join(process.cmdline()):
                process.kill()
                return process.pid
        except psutil.NoSuchProcess:  # it has ended meanwhile
            continue
    return None


def throughput(facts: pd.DataFrame) -> float:
    """Return photos per second of a run without its start-up: all photos over the busiest worker's seconds."""
    return float(facts.photos.sum() / facts.groupby("worker").seconds.sum().max())


def run_shards(
    shards: list[Shard], bundle: str | os.PathLike, output: str | os.PathLike, engine=plain_loop
) -> pd.DataFrame:
    """Work off all shards whose file is not there yet, with a progress bar; `engine` is one, or what `with_ray` returns.

    Returns one row of facts per shard worked on in this run, see `FaceWorker.work`.
    """
    output = Path(output).resolve()
    output.mkdir(parents=True, exist_ok=True)
    todo = [shard for shard in shards if not (output / shard.file).exists()]
    facts = []
    total, left = (sum(len(shard.photos) for shard in part) for part in (shards, todo))
    with tqdm(total=total, initial=total - left, unit="photo", desc="shards") as bar:
        for fact in engine(todo, str(Path(bundle).resolve()), str(output)) if todo else ():
            facts.append(fact)
            bar.update(fact["photos"])
    return pd.DataFrame(facts, columns=FACTS)


def read_table(shards: list[Shard], output: str | os.PathLike) -> pd.DataFrame:
    """Return the rows of all shards: path, sha256, box, landmarks, score, embedding (float16), problem.

    Raises FileNotFoundError if a shard has not been worked on.
    """
    parts = [pq.read_table(Path(output) / shard.file) for shard in shards]
    return pa.concat_tables(parts or [SCHEMA.empty_table()]).to_pandas()
