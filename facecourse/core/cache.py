"""Results kept by the content of the photo they belong to, so that nothing is computed twice."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing

from facecourse.core.paths import CACHE


class ContentCache:
    """A table key -> bytes on disk, safe against a kill at any moment.

    Parameters
    ----------
    namespace : str
        Name of the file under data/cache/. It must tell apart everything that changes the result:
        network, settings, version.

    Notes
    -----
    Every `put_many` is one SQLite transaction: after a crash the table holds whole batches, never part of one.
    """

    def __init__(self, namespace: str):
        CACHE.mkdir(parents=True, exist_ok=True)
        self.path = CACHE / f"{namespace}.sqlite"
        with closing(self._connect()) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
            )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the stored values of those `keys` that are known."""
        keys = list(dict.fromkeys(keys))
        found: dict[str, bytes] = {}
        with closing(self._connect()) as connection:
            for start in range(0, len(keys), 500):  # SQLite limits the number of parameters
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                found.update(
                    connection.execute(f"SELECT key, value FROM results WHERE key IN ({marks})", part)
                )
        return found

    def put_many(self, results: dict[str, bytes]) -> None:
        """Store `results`, all or none of them, on disk before returning."""
        with closing(self._connect()) as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", results.items())
