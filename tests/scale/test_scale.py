"""Shards under Ray: the same rows as a plain loop, after a bad photo, a killed worker and an interruption too."""

import shutil
import tarfile
import zipfile

import numpy as np
import pytest

from facecourse.core.paths import DATA, OUTPUTS
from facecourse.scale import shards as scale
from facecourse.scale.inputs import InputError, list_photos, read_photos
from lambda_function.faces import Face

BUNDLE = OUTPUTS / "sample" / "model"
pytestmark = pytest.mark.skipif(
    not (BUNDLE / "model.json").exists(), reason="there is no model: make test-notebooks builds it"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three people's photos, and three files with which something is wrong."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("Ada_Ferro", "Bruno_Takala", "Leopold_Anwar"):
        shutil.copytree(DATA / "people" / name, folder / name)
    (folder / "Ada_Ferro" / "empty.jpg").write_bytes(b"")
    (folder / "Ada_Ferro" / "words.jpg").write_text("this is not a picture")
    whole = (DATA / "people" / "Ada_Ferro" / "Ada_Ferro_0001.jpg").read_bytes()
    (folder / "Bruno_Takala" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(scope="module")
def plain(photos, tmp_path_factory):
    shards = scale.plan(photos, BUNDLE, 9)
    output = tmp_path_factory.mktemp("plain")
    scale.run_shards(shards, BUNDLE, output)
    return shards, scale.read_table(shards, output)


def same(first, second):
    columns = [name for name in first if name not in ("embedding", "box", "landmarks")]
    assert first[columns].equals(second[columns])
    for name in ("box", "landmarks", "embedding"):
        for a, b in zip(first[name], second[name], strict=True):
            assert (a is None and b is None) or np.allclose(a, b, atol=1e-3)
    return True


@pytest.fixture(scope="module")
def ray_engine():
    ray = pytest.importorskip("ray", reason="Ray is an optional extra: pip install -r requirements-scale.txt")
    yield scale.with_ray(2)
    ray.shutdown()


def test_every_photo_is_a_row_and_a_bad_one_says_why(plain):
    _, table = plain
    assert len(table) == 3 * 14 + 3
    bad = {
        path.rsplit("/", 1)[1]: problem
        for path, problem in zip(table.path, table.problem, strict=True)
        if problem
    }
    assert bad == {"empty.jpg": "empty", "words.jpg": "not_an_image", "half.jpg": "damaged"}
    good = table[table.problem == ""]
    assert all(len(box) == 4 for box in good.box) and all(e.dtype == np.float16 for e in good.embedding)
    lengths = [np.linalg.norm(row.astype(np.float32)) for row in good.embedding]
    assert np.allclose(lengths, 1, atol=2e-3)


def test_people_are_told_apart_by_the_rows(plain):
    table = plain[1][plain[1].problem == ""]
    person = np.array([path.split("/")[-2] for path in table.path])
    rows = np.stack(table.embedding.tolist()).astype(np.float32)
    alike = rows @ rows.T - 2 * np.eye(len(rows))
    assert (person[alike.argmax(1)] == person).mean() >= 0.97


def test_an_archive_gives_the_rows_of_the_folder(photos, plain, tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "p.zip", "w") as zipped,
        tarfile.open(tmp_path / "p.tgz", "w:gz") as tarred,
    ):
        for path in sorted(photos.rglob("*.jpg"), reverse=True):
            zipped.write(path, path.relative_to(photos))
            tarred.add(path, path.relative_to(photos))
    expected = plain[1]
    for name in ("p.zip", "p.tgz"):
        shards = scale.plan(tmp_path / name, BUNDLE, 20)
        scale.run_shards(shards, BUNDLE, tmp_path / "out")
        table = scale.read_table(shards, tmp_path / "out")
        assert table.sha256.tolist() == expected.sha256.tolist()
        assert table.problem.tolist() == expected.problem.tolist()


def test_what_is_there_is_not_done_again(plain, photos, tmp_path):
    shards = plain[0]
    scale.run_shards(shards[:2], BUNDLE, tmp_path)
    facts = scale.run_shards(shards, BUNDLE, tmp_path)
    assert facts.file.tolist() == [shard.file for shard in shards[2:]]
    assert scale.run_shards(shards, BUNDLE, tmp_path).empty
    assert not list(tmp_path.glob(".*"))


def test_another_model_or_photo_makes_other_shards(photos, tmp_path):
    before = [shard.file for shard in scale.plan(photos, BUNDLE, 9)]
    more = shutil.copytree(photos, tmp_path / "more")
    shutil.copy(DATA / "people" / "Ada_Ferro" / "Ada_Ferro_0001.jpg", more / "zz.jpg")
    after = [shard.file for shard in scale.plan(more, BUNDLE, 9)]
    assert len(after) == 6 and not set(before) & set(after)


def test_ray_gives_the_same_table(plain, ray_engine, tmp_path):
    shards, table = plain
    facts = scale.run_shards(shards, BUNDLE, tmp_path, ray_engine)
    assert facts.photos.sum() == len(table) and facts.peak_mb.max() <= 1000
    assert same(table, scale.read_table(shards, tmp_path))


def test_a_killed_worker_changes_nothing(plain, ray_engine, tmp_path):
    shards, table = plain
    killed = []

    def accident(*job):
        for fact in ray_engine(*job):
            if not killed:
                killed.append(scale.kill_worker())
            yield fact

    facts = scale.run_shards(shards, BUNDLE, tmp_path, accident)
    assert killed[0] and facts.worker.nunique() >= 2
    assert same(table, scale.read_table(shards, tmp_path))


def test_places_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match="there is nothing at"):
        list_photos(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no folder"):
        list_photos(tmp_path / "notes.txt")
    assert list_photos(tmp_path) == []
    assert list(read_photos([str(tmp_path / "gone.jpg")])) == [(str(tmp_path / "gone.jpg"), None)]


def test_boxes_are_rounded_as_the_manifest_rounds_them():
    """On float32, np.round takes some of these to the other neighbour."""
    values = np.random.default_rng(0).uniform(0, 250, (400, 14)).astype(np.float32)
    for row in values:
        found = scale._rounded(Face(row[:4], row[4:].reshape(5, 2), 0.5))
        kept = np.array([round(float(value), 2) for value in row], np.float32)
        assert np.array_equal(np.concatenate([found.box, found.landmarks.ravel()]), kept)
    assert not np.array_equal(
        np.round(values, 2), np.vectorize(lambda v: round(float(v), 2))(values).astype("f")
    )
