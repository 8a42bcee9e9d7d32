"""Shards under Ray: the same rows as a plain loop, after a bad photo, a killed worker and an interruption too."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from facecourse.core.paths import DATA
from facecourse.scale import shards as scale
from facecourse.scale.inputs import InputError, list_photos, read_photos
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser
from tests.scale import same_rows


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Forty photos of twenty people, none of them hard, and three files with which something is wrong."""
    folder = tmp_path_factory.mktemp("photos") / "others"
    truth = json.loads((DATA / "photos.json").read_text())
    plain = [
        DATA / name for name, known in truth.items() if name[:6] == "others" and known["condition"] == "plain"
    ]
    two = sorted(
        path.parent
        for path in plain
        if path.stem.endswith("2") and path.with_stem(path.stem[:-1] + "1") in plain
    )
    for person in two[:20]:
        shutil.copytree(person, folder / person.name)
    (folder / "Alva_Abrentis" / "empty.jpg").write_bytes(b"")
    (folder / "Alva_Abrentis" / "words.jpg").write_text("this is not a picture")
    (folder / "Alva_Abrentis" / "notes.txt").write_text("no photo")
    whole = next((folder / "Cerys_Farrowin").iterdir()).read_bytes()
    (folder / "Cerys_Farrowin" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(scope="module")
def plain(photos, tmp_path_factory, bundle):
    shards = scale.plan(photos, bundle, 9)
    output = tmp_path_factory.mktemp("plain")
    scale.run_shards(shards, bundle, output)
    return shards, scale.read_table(shards, output)


@pytest.fixture(scope="module")
def ray_engine():
    ray = pytest.importorskip("ray", reason="Ray is an optional extra: pip install -r requirements-scale.txt")
    yield scale.with_ray(2)
    ray.shutdown()


def test_every_photo_is_a_row_and_a_bad_one_says_why(plain):
    table = plain[1].set_index(plain[1].path.str.split("/").str[-1])
    assert len(table) == 43
    bad = table.problem[table.problem != ""]
    assert bad.to_dict() == {"empty.jpg": "empty", "words.jpg": "not_an_image", "half.jpg": "damaged"}


def test_a_file_may_have_any_name(tmp_path, bundle):
    names = {"a::b.jpg": b"a::b.jpg", "not\\xffunicode.jpg": b"not\xffunicode.jpg"}
    if sys.platform == "darwin":  # macOS has no such names
        names.popitem()
    for name in names.values():
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(b"words")
    shards = scale.plan(tmp_path, bundle)
    scale.run_shards(shards, bundle, tmp_path)
    table = scale.read_table(shards, tmp_path)
    assert table.path.str.rpartition("/")[2].tolist() == list(names)
    assert (table.problem == "not_an_image").all()


def test_a_row_is_what_the_recogniser_sees(plain, bundle):
    row = plain[1][plain[1].problem == ""].iloc[7]
    look = Recogniser.load(bundle).look(open_photo(row.path))
    face = look.faces[look.main()]
    assert np.allclose(row.box, face.box) and np.allclose(row.landmarks, face.landmarks.ravel())
    assert row.embedding.dtype == np.float16
    assert row.embedding.astype(np.float32) @ look.embeddings[look.main()] > 0.999


def test_people_are_told_apart_by_the_rows(plain):
    table = plain[1][plain[1].problem == ""]
    person = table.path.str.split("/").str[-2].to_numpy()
    rows = np.stack(table.embedding.tolist()).astype(np.float32)
    nearest = (rows @ rows.T - 2 * np.eye(len(rows))).argmax(1)
    two = np.array([(person == name).sum() == 2 for name in person])
    assert two.sum() >= 36 and (person[nearest] == person)[two].mean() >= 0.9


def test_an_archive_gives_the_rows_of_the_folder(photos, plain, tmp_path, bundle):
    with (
        zipfile.ZipFile(tmp_path / "p.zip", "w") as zipped,
        tarfile.open(tmp_path / "p.tgz", "w:gz") as tarred,
    ):
        for path in sorted(photos.rglob("*.jpg"), reverse=True):
            zipped.write(path, path.relative_to(photos))
            tarred.add(path, path.relative_to(photos))
    for name in ("p.zip", "p.tgz"):
        shards = scale.plan(tmp_path / name, bundle, 20)
        scale.run_shards(shards, bundle, tmp_path / "out")
        table = scale.read_table(shards, tmp_path / "out")
        assert same_rows(plain[1], table.sort_values("path"))


@pytest.fixture
def tar(tmp_path):
    with tarfile.open(tmp_path / "many.tgz", "w:gz") as archive:
        for number in np.random.default_rng(0).permutation(60):
            path = tmp_path / f"{number}.jpg"
            path.write_bytes(b"%d" % number)
            archive.add(path, path.name)
    return tmp_path / "many.tgz"


def test_shards_in_turn_go_through_a_tar_once(tar, monkeypatch):
    names, seen, step = list_photos(tar), [], tarfile.TarFile.next
    monkeypatch.setattr(tarfile.TarFile, "next", lambda archive: seen.append(1) or step(archive))
    read = [photo for start in range(0, 60, 5) for photo in read_photos(names[start : start + 5])]
    assert read == [(name, name.split("::")[1].removesuffix(".jpg").encode()) for name in names]
    assert len(seen) < 70


def test_a_shard_of_a_tar_can_be_done_again_and_a_missing_photo_is_none(tar):
    names = list_photos(tar)
    last, first = list(read_photos(names[50:])), list(read_photos(names[:3]))
    assert [name for name, _ in first] == names[:3] and last == list(read_photos(names[50:]))
    gone = f"{tar}::gone.jpg"
    assert dict(read_photos([gone, names[5]])) == {gone: None, names[5]: dict(read_photos(names))[names[5]]}


def test_an_archive_that_is_replaced_is_read_anew(tmp_path):
    for content in (b"one", b"another"):
        (tmp_path / "p.zip").unlink(missing_ok=True)
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            archive.writestr("a.jpg", content)
        assert [data for _, data in read_photos(list_photos(tmp_path / "p.zip"))] == [content]


def test_what_is_there_is_not_done_again(plain, tmp_path, bundle):
    shards = plain[0]
    scale.run_shards(shards[:2], bundle, tmp_path)
    facts = scale.run_shards(shards, bundle, tmp_path)
    assert facts.file.tolist() == [shard.file for shard in shards[2:]]
    assert scale.run_shards(shards, bundle, tmp_path).empty
    assert not list(tmp_path.glob(".*"))


def test_other_photos_make_other_shards(photos, tmp_path, bundle):
    before = [shard.file for shard in scale.plan(photos, bundle, 9)]
    more = shutil.copytree(photos, tmp_path / "more")
    shutil.copy(next((photos / "Cerys_Farrowin").iterdir()), more / "zz.jpg")
    after = [shard.file for shard in scale.plan(more, bundle, 9)]
    assert len(after) == 5 and not set(before) & set(after)


def test_only_workers_of_this_process_are_killed():  # before Ray is up, which has some
    sleeper = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "FaceWorker"]
    start = f"import subprocess; print(subprocess.Popen({sleeper!r}, stdout=subprocess.DEVNULL).pid)"
    # Its parent has ended: not of this process.
    pid = int(subprocess.check_output([sys.executable, "-c", start]))
    try:
        assert scale.kill_worker() is None
        with subprocess.Popen(sleeper, stdout=subprocess.PIPE) as own:
            own.stdout.readline()  # a process that has only just begun has no command line yet
            assert scale.kill_worker() == own.pid and own.wait() == -signal.SIGKILL
    finally:
        os.kill(pid, signal.SIGKILL)  # raises if it has gone


def test_ray_gives_the_same_table(plain, ray_engine, tmp_path, bundle):
    shards, table = plain
    facts = scale.run_shards(shards, bundle, tmp_path, ray_engine)
    assert facts.photos.sum() == len(table) and facts.peak_mb.max() <= 1000
    assert same_rows(table, scale.read_table(shards, tmp_path))


def test_a_killed_worker_changes_nothing(plain, ray_engine, tmp_path, bundle):
    shards, table = plain
    killed = []

    def accident(*job):
        for fact in ray_engine(*job):
            if not killed:
                killed.append(scale.kill_worker())
            yield fact

    facts = scale.run_shards(shards, bundle, tmp_path, accident)
    assert killed[0] and facts.worker.nunique() >= 2
    assert same_rows(table, scale.read_table(shards, tmp_path))


def test_places_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match="there is nothing at"):
        list_photos(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no folder"):
        list_photos(tmp_path / "notes.txt")
    assert list_photos(tmp_path) == []
    for name in ("cut.zip", "cut.tgz"):
        (tmp_path / name).write_bytes(b"PK\3\4")
        with pytest.raises(InputError, match="damaged or cut off"):
            list_photos(tmp_path / name)
    assert list(read_photos([str(tmp_path / "gone.jpg")])) == [(str(tmp_path / "gone.jpg"), None)]
