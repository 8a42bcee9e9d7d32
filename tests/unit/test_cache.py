"""The cache of results by content, and files that are never half-written."""

import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from facecourse.core import paths
from facecourse.core.cache import ContentCache, cached, write_atomically
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_what_was_put_is_found_by_another_object():
    ContentCache("boxes").put_many({"a": b"1", "b": b"\0\xff"})
    assert ContentCache("boxes").get_many(["b", "a", "c", "a"]) == {"a": b"1", "b": b"\0\xff"}
    assert ContentCache("embeddings").get_many(["a"]) == {}
    ContentCache("boxes").put_many({"a": b"2"})
    assert ContentCache("boxes").get_many(["a"]) == {"a": b"2"}


def test_more_keys_than_sqlite_takes_at_once():
    store = ContentCache("many")
    results = {f"key {i}": str(i).encode() for i in range(2345)}
    store.put_many(results)
    assert store.get_many(results) == results


def test_a_batch_is_stored_whole_or_not_at_all():
    store = ContentCache("boxes")
    with pytest.raises(sqlite3.Error):
        store.put_many({"good": b"1", "bad": object()})
    assert store.get_many(["good"]) == {}


def test_only_what_is_missing_is_computed_once_and_in_order():
    store, asked = ContentCache("boxes"), []

    def compute(places):
        asked.append(places)
        return (None if keys[i] == "bad" else keys[i].encode() for i in places)

    keys = ["b", "", "a", "b", "bad"]
    assert cached(store, keys, compute) == [b"b", None, b"a", b"b", None]
    assert cached(store, ["a", "c", "b"], lambda places: [b"new" for _ in places]) == [b"a", b"new", b"b"]
    cached(store, keys, compute)
    assert asked == [[0, 2, 4], [4]]  # what could not be computed is tried again


def test_several_writers_at_once_lose_nothing():
    def write(start):
        for i in range(20):
            ContentCache("boxes").put_many({f"{start}-{i}": b"x"})

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(ContentCache("boxes").get_many(f"{n}-{i}" for n in range(4) for i in range(20))) == 80


def test_a_kill_in_the_middle_leaves_whole_batches(folder):
    program = (
        "import sys, pathlib; from facecourse.core import cache, paths\n"
        "paths.CACHE = pathlib.Path(sys.argv[1]); store = cache.ContentCache('boxes')\n"
        "for i in range(10**6):\n"
        "    store.put_many({f'{i}-{k}': bytes(2000) for k in range(50)})\n"
        "    print(i, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=ROOT, stdout=subprocess.PIPE)
    while (line := child.stdout.readline().strip()) != b"3":
        assert line, "the writer ended early"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    store = ContentCache("boxes")
    found = [len(store.get_many(f"{i}-{k}" for k in range(50))) for i in range(200)]
    assert found[:4] == [50] * 4 and set(found) == {0, 50}


def test_a_file_is_replaced_whole_and_left_alone_if_equal(tmp_path):
    path = tmp_path / "new folder" / "file.json"
    write_atomically(path, b"one")
    before = path.stat().st_mtime_ns
    write_atomically(path, b"one")
    assert path.stat().st_mtime_ns == before
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two" and [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_atomically(path, b"old")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file.json"]
