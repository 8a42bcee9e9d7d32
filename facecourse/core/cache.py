"""Results kept by the content of the photo they belong to, so that nothing is computed twice."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from facecourse.core import paths


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old or the new one; leave it alone if it would not change."""
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class ContentCache:
    """A table key -> bytes on disk: every `put_many` is one SQLite transaction, so a kill leaves whole batches.

    `namespace`, the name of the file in data/cache/, must tell apart all that changes the result: network, settings,
    version.
    """

    def __init__(self, namespace: str):
        paths.CACHE.mkdir(parents=True, exist_ok=True)
        self.path = paths.CACHE / f"{namespace}.sqlite"
        with self._connect() as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
            )

    def _connect(self) -> closing:
        return closing(sqlite3.connect(self.path, timeout=60))

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the stored values of those `keys` that are known."""
        keys = list(dict.fromkeys(keys))
        found: dict[str, bytes] = {}
        with self._connect() as connection:
            for start in range(0, len(keys), 500):  # SQLite limits the number of parameters
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, value FROM results WHERE key IN ({marks})"
                found.update(connection.execute(query, part))
        return found

    def put_many(self, results: dict[str, bytes]) -> None:
        """Store `results`, all or none of them, on disk before returning."""
        with self._connect() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", results.items())


def cached(
    store: ContentCache, keys: Sequence[str], compute: Callable[[list[int]], Iterable[bytes | None]]
) -> list[bytes | None]:
    """Return one value per key; those that `store` lacks are computed, and stored before this returns.

    `compute` gets the places in `keys` of what is missing and yields their values in that order; None is not kept. A
    key that occurs twice is computed once; "" stands for nothing: its value is None.
    """
    known = store.get_many(key for key in keys if key)
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    missing = [i for i, key in enumerate(keys) if key and key not in known and first[key] == i]
    if missing:
        fresh = {keys[i]: value for i, value in zip(missing, compute(missing), strict=True)}
        store.put_many({key: value for key, value in fresh.items() if value is not None})
        known |= fresh
    return [known.get(key) for key in keys]


def batches(count: int, size: int) -> list[range]:
    """Cut range(count) into ranges of `size`, the last one perhaps shorter."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
