"""The manifest: everything is reported, nothing is lost, the same photos give the same bytes."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from facecourse.core import paths, sources
from facecourse.detection import detector
from facecourse.embedding.backbones import Backbone, find_backbone
from facecourse.photos import checks, dataset, flags, splits
from facecourse.photos.duplicates import within_person_similarity
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser, unit
from tests.conftest import ROOT
from tests.unit import bad_photos

PEOPLE = ROOT / "data" / "people"
NETWORKS = paths.CACHE


def keep_to(folder, patch):
    """Outputs, flags and results go to a folder of the test's own; only the reader's people, nothing from elsewhere."""
    patch.setattr(paths, "OUTPUTS", folder / "outputs")
    patch.setattr(paths, "DATA", folder / "data")
    patch.setattr(paths, "CACHE", folder / "cache")
    patch.delenv("FACECOURSE_FLAGS", raising=False)
    patch.setitem(dataset.SOURCES, "sample", {})
    (folder / "cache").mkdir()
    for kept in ("mtcnn-5", "backbones"):  # the networks are the project's, whoever's photos they see
        (folder / "cache" / kept).symlink_to(NETWORKS / kept)
    return folder


class Quick:
    """An embedder that looks at a face's coarse colours: what is tested here is the way from photos to a manifest."""

    dimension, preprocessing = 48, find_backbone("msceleb1m").preprocessing

    def embed(self, crops):
        blocks = np.asarray(crops, np.float32).reshape(len(crops), -1, 4, 40, 4, 40, 3)
        return unit(blocks.mean((1, 3, 5)).reshape(len(crops), -1))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(Backbone, "embedder", lambda backbone, threads=1: Quick())
    return keep_to(tmp_path, monkeypatch)


def copy_people(target, names, photos=3):
    for name in names:
        (target / name).mkdir(parents=True)
        for path in sorted((PEOPLE / name).iterdir())[:photos]:
            shutil.copy2(path, target / name)
    return target


def assemble(people, **options):
    return dataset.assemble("sample", people, find_backbone("msceleb1m"), progress=False, **options)


def written(workspace):
    return {path.name: path.read_bytes() for path in (workspace / "outputs" / "sample").glob("*[vt]")}


def content(folder):
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.is_symlink()}


class TestBadPhotos:
    @pytest.fixture(scope="class")
    def result(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("bad")
        with pytest.MonkeyPatch.context() as patch:
            keep_to(folder, patch)
            expected = bad_photos.make(folder / "people")
            before = content(folder / "people")
            manifest = assemble(folder / "people")
            yield folder, expected, manifest, dataset.load_checks("sample"), before

    def test_every_bad_file_is_reported_for_what_it_is(self, result):
        folder, expected, manifest, found, _ = result
        assert len(expected) >= 40
        listed = found.groupby("path").check.agg(set).to_dict()
        prefix = f"{(folder / 'people').as_posix()}/"
        wrong = {
            name: listed.get(prefix + name)
            for name, wanted in expected.items()
            if not listed.get(prefix + name, set()) & wanted
        }
        assert not wrong
        good = manifest[manifest.path.str.contains("/good_")]
        assert len(good) == 4 and (good.problem == "").all()
        assert ((manifest.course_split != "") == (manifest.faces > 0)).all()

    def test_no_file_was_changed_moved_or_lost(self, result):
        folder, expected, manifest, _, before = result
        assert content(folder / "people") == before
        assert len(manifest) == len(expected) - 2 + 4 + 16  # without the folder and the stray file
        assert (manifest.groupby("path").size() == 1).all()

    def test_each_check_has_words_and_a_picture(self, result):
        from facecourse.lessons.assembling import show_problems

        _, _, manifest, found, _ = result
        assert checks.summary(found).meaning.notna().all() and (found.reason != "").all()
        picture = show_problems(manifest, found, each=1)
        titles = [axes.get_title() for axes in picture.axes if axes.get_title()]
        photos = found[found.path.isin(manifest.path)]
        assert len(titles) == photos.check.nunique() >= 15

    def test_exif_turned_photo_has_its_face_where_the_upright_one_has_it(self, result):
        manifest = result[2].set_index(result[2].path.str.rpartition("/")[2])
        upright = sorted(bad_photos.FACES.iterdir())[5]
        faces = detector.detect_photos([upright], [hashlib.sha256(upright.read_bytes()).hexdigest()], False)
        (face,) = next(iter(faces.values()))
        assert np.abs(np.array(manifest.box["turned.jpg"]) - face.box).max() < 5


def test_a_second_run_writes_the_same_bytes_whatever_the_order_of_the_folder(workspace, monkeypatch):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala", "Eun_Saramova"])
    assemble(people)
    first = written(workspace)
    assert set(first) == {"manifest.parquet", "manifest.csv", "checks.csv"}
    shutil.rmtree(workspace / "cache")
    shutil.rmtree(workspace / "outputs")
    real = os.scandir

    def shuffled(path):
        return sorted(real(path), key=lambda entry: hashlib.md5(os.fsencode(entry.name)).digest())

    with monkeypatch.context() as patch:
        patch.setattr("facecourse.photos.files.os.scandir", shuffled)
        files, _ = dataset.find_photos("sample", people)
        patch.undo()
        assert files == dataset.find_photos("sample", people)[0]
    assemble(people)
    assert written(workspace) == first
    assemble(people)
    assert written(workspace) == first


def test_one_new_photo_costs_the_work_of_one_photo(workspace, monkeypatch):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
    monkeypatch.setattr("facecourse.photos.files.FRESH_NS", 0)  # else files of this second are read again
    assemble(people)
    seen = {"decoded": 0, "searched": 0, "embedded": 0}

    def counted(kind, real):
        def call(*given, **more):
            seen[kind] += 1
            return real(*given, **more)

        return call

    monkeypatch.setattr("facecourse.photos.examine.open_photo", counted("decoded", open_photo))
    monkeypatch.setattr(dataset, "open_photo", counted("decoded", open_photo))
    monkeypatch.setattr(Recogniser, "detect", counted("searched", Recogniser.detect))
    monkeypatch.setattr(Quick, "embed", counted("embedded", Quick.embed))
    assemble(people)
    assert seen == {"decoded": 0, "searched": 0, "embedded": 0}
    new = sorted((PEOPLE / "Ada_Ferro").iterdir())[-1]
    shutil.copy(new, people / "Ada_Ferro" / "new.jpg")
    assert len(assemble(people)) == 7
    assert seen == {"decoded": 1, "searched": 1, "embedded": 1}
    dataset.assemble("sample", people, find_backbone("msceleb1m", 2), progress=False)  # other views
    assert seen == {"decoded": 8, "searched": 1, "embedded": 2}


def test_what_a_decision_would_do_can_be_seen_without_writing_anything(workspace):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
    first = assemble(people)
    path = first.path[first.course_split == "train"].iloc[0]
    before = written(workspace)
    tried = assemble(people, decisions={path: "drop"}).set_index("path")
    assert tried.course_split[path] == "" and tried.flag[path] == "drop"
    assert written(workspace) == before and not [row for row in flags.read_flags() if row["flag"]]


def test_decisions_are_respected_and_follow_a_renamed_photo(workspace):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
    target = sorted((people / "Ada_Ferro").iterdir())[2]
    first = assemble(people)
    flags.set_flag(str(target), "drop")
    second = assemble(people).set_index("path")
    assert second.flag[str(target)] == "drop" and second.course_split[str(target)] == ""
    assert second.seed_split[str(target)] == "" and target.exists() and len(second) == len(first)
    moved = target.rename(target.with_name("another name.jpg"))
    third = assemble(people).set_index("path")
    assert third.flag[str(moved)] == "drop" and (third.flag != "").sum() == 1
    shutil.copy(sorted((PEOPLE / "Ada_Ferro").iterdir())[-1], moved)  # another photo under that name
    assert (assemble(people).flag == "").all()


def test_a_flag_survives_a_spreadsheet_and_a_typing_error_is_named(workspace):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
    path = str(sorted((people / "Ada_Ferro").iterdir())[0])
    flags.flags_path().parent.mkdir(exist_ok=True)
    flags.flags_path().write_text(f"path;flag\n{path};DROP\n", encoding="utf-8-sig")
    assert assemble(people).set_index("path").flag[path] == "drop"
    flags.flags_path().write_text(f"path,flag\n{path},remove\n")
    with pytest.raises(flags.FlagsError, match="line 2.*remove"):
        assemble(people)
    assert "remove" in flags.flags_path().read_text()  # left for the reader to correct


def test_names_of_all_kinds_and_one_name_in_two_unicode_forms(workspace):
    names = [
        "J. R. R. Tolkien",
        "CON",
        "aux.",
        "李小龙",
        "O'Neill, Conan",
        "name..dots",
        "100%",
        "-rf",
        "zoe",
    ]
    spellings = [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")]
    people, photos = workspace / "people", sorted((ROOT / "data" / "others").glob("*/*_0001.jpg"))
    for name, photo in zip([*names, *spellings], photos, strict=False):
        (people / name).mkdir(parents=True)
        shutil.copy(photo, people / name)
    manifest = assemble(people)
    assert set(manifest.person) == {name.replace(" ", "_") for name in [*names, spellings[0]]}
    assert len(manifest) == len(names) + 2 and (manifest.faces == 1).all()
    assert all(dataset.photo_path(path).exists() for path in manifest.path)
    found = dataset.load_checks("sample")
    assert "zoe" in found[found.check == "similar_names"].reason.iloc[0]


def test_the_same_person_in_lfw_and_own_people_is_one_identity(workspace, monkeypatch):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
    lfw = copy_people(workspace / "lfw", ["Ada_Ferro", "Eun_Saramova"], photos=5)
    monkeypatch.setattr(sources, "lfw_photos", lambda: lfw)
    manifest = dataset.assemble("lfw", people, find_backbone("msceleb1m"), progress=False)
    ada = manifest[manifest.person == "Ada_Ferro"]
    assert set(ada.source) == {"people", "lfw"} and not ada.course_split.str.startswith("unknown").any()
    found = dataset.load_checks("lfw")
    assert found[found.check == "merged"].person.tolist() == ["Ada_Ferro"]
    assert (found.check == "duplicate").sum() == 3  # those that are in both places
    slice_ = dataset.assemble("lfw", people, find_backbone("msceleb1m"), photos_each="6-20", progress=False)
    assert set(slice_.source) == {"people"}


def test_without_lfw_the_run_goes_on_and_says_so(workspace, monkeypatch, capsys):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])

    def gone():
        raise sources.SourceError("lfw-deepfunneled.tgz (LFW) could not be fetched.\nTried: ...")

    monkeypatch.setattr(sources, "lfw_photos", gone)
    manifest = dataset.assemble("lfw", people, find_backbone("msceleb1m"), progress=False)
    assert len(manifest) == 6 and "Without lfw" in capsys.readouterr().out
    assert "missing_source" in set(dataset.load_checks("lfw").check)


def test_an_empty_or_missing_folder_is_a_clear_error(workspace):
    (workspace / "people").mkdir()
    with pytest.raises(FileNotFoundError, match="no photo was found"):
        assemble(workspace / "people")
    with pytest.raises(FileNotFoundError, match="no folder"):
        assemble(workspace / "nowhere")


def test_a_credited_photo_has_its_own_licence(workspace):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
    name = sorted((people / "Ada_Ferro").iterdir())[0].relative_to(people).as_posix()
    for mark in ",;":  # a spreadsheet in Berlin writes semicolons
        rows = (("path", "title", "author", "licence"), (name, "File:x", "Somebody", "CC BY 4.0"))
        (people / "credits.csv").write_text("".join(mark.join(row) + "\n" for row in rows))
        licences = assemble(people).licence
        assert (licences == "CC BY 4.0").sum() == 1 and len(licences) == 6


def test_a_decision_taken_during_the_run_is_kept(workspace, monkeypatch):
    people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
    path, check = str(sorted((people / "Ada_Ferro").iterdir())[0]), dataset.check_photos

    def meanwhile(*arguments):
        flags.set_flag(path, "drop")
        return check(*arguments)

    monkeypatch.setattr(dataset, "check_photos", meanwhile)
    assert assemble(people).set_index("path").flag[path] == "drop"
    assert [row["flag"] for row in flags.read_flags() if row["path"] == path] == ["drop"]


KILLED = '''
import os, pathlib, shutil, signal, sys, time
from facecourse.core import cache, paths
from facecourse.embedding.backbones import Backbone, find_backbone
from facecourse.photos import dataset
from tests.unit.test_dataset import Quick
Backbone.embedder = lambda backbone, threads=1: Quick()
folder, people, networks = pathlib.Path(sys.argv[1]), sys.argv[2], paths.CACHE
paths.THREADS = 1
dataset.BATCH = 2
dataset.SOURCES["sample"] = {}
os.environ.pop("FACECOURSE_FLAGS", None)

def run(place, stop):
    """Assemble in a child that kills itself at its `stop`-th step of writing; returns how many it took."""
    paths.OUTPUTS, paths.DATA, paths.CACHE = place / "outputs", place / "data", place / "cache"
    paths.DATA.mkdir(parents=True, exist_ok=True)
    paths.CACHE.mkdir(exist_ok=True)
    for kept in ("mtcnn-5", "backbones"):
        if not (paths.CACHE / kept).exists():
            (paths.CACHE / kept).symlink_to(networks / kept)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        steps = 0
        def around(real):
            def call(*given, **more):
                nonlocal steps
                for half in range(2):  # once just before, once just after
                    steps += 1
                    if steps == stop:
                        os.kill(os.getpid(), signal.SIGKILL)
                    if half == 0:
                        result = real(*given, **more)
                return result
            return call
        cache.ContentCache.put_many = around(cache.ContentCache.put_many)
        pathlib.Path.replace = around(pathlib.Path.replace)
        pathlib.Path.write_bytes = around(pathlib.Path.write_bytes)
        try:
            dataset.assemble("sample", people, find_backbone("msceleb1m"), progress=False)
            os.write(writer, str(steps).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    took = os.read(reader, 20).decode()
    os.close(reader)
    return status, int(took or 0)

def outcome(place):
    found = [*(place / "outputs" / "sample").glob("*[vt]"), place / "data" / "flags.csv"]
    return {path.name: path.read_bytes() for path in found}

status, steps = run(folder / "whole", 0)
assert status == 0, status
expected = outcome(folder / "whole")
killed = 0
for k in range(9):
    place = folder / str(k)
    for moment in (1 + k * (steps - 1) // 8, 2 + k % 5):  # the second time while it goes on from there
        status, took = run(place, moment)
        killed += status == signal.SIGKILL
        assert status in (0, signal.SIGKILL), (moment, status)
    status, _ = run(place, 0)
    assert status == 0, (moment, status)
    assert outcome(place) == expected, moment
print("killed", killed, "of", steps)
'''


def test_killed_at_any_moment_the_next_run_ends_with_the_same_manifest(tmp_path):
    people = copy_people(tmp_path / "people", ["Ada_Ferro", "Bruno_Takala"], photos=3)
    stranger = sorted((PEOPLE / "Farid_Okonska").iterdir())[0]
    shutil.copy(stranger, people / "Ada_Ferro" / "copy.jpg")
    shutil.copy(people / "Ada_Ferro" / "copy.jpg", people / "Ada_Ferro" / "copy_again.jpg")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "places"), str(people)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout)
    assert int(done.stdout.split()[1]) >= 12


class TestSplits:
    @staticmethod
    def random_case(seed):
        rng = random.Random(seed)
        persons, groups, from_where = [], [], []
        for k in range(rng.randint(2, 40)):
            source = rng.choice(["people", "lfw", "others"])
            for _ in range(rng.choice([1, 1, 2, 3, 4, 8, 20])):
                persons.append(f"P{k}")
                from_where.append(source)
                groups.append(rng.choice(groups) if groups and rng.random() < 0.1 else len(persons))
        sums = [hashlib.sha256(f"{seed}-{i}".encode()).hexdigest() for i in range(len(persons))]
        usable = [rng.random() < 0.95 for _ in persons]
        return persons, sums, groups, from_where, usable

    @pytest.mark.parametrize("seed", range(40))
    def test_nothing_leaks_between_any_two_sides(self, seed):
        persons, sums, groups, from_where, usable = self.random_case(seed)
        split = splits.course_split(persons, sums, groups, from_where, usable)
        side_of_group, sides_of_person = {}, {}
        for person, group, side, good in zip(persons, groups, split, usable, strict=True):
            assert bool(side) == good or from_where[persons.index(person)] == "others"
            if side:
                assert side_of_group.setdefault(group, side) == side
                sides_of_person.setdefault(person, set()).add(side)
        for sides in sides_of_person.values():
            whole = {side for side in sides if side.startswith("unknown") or side == "vault"}
            assert not whole or len(sides) == 1
        for person, sides in sides_of_person.items():
            rows = [i for i, name in enumerate(persons) if name == person and usable[i]]
            if rows and len(rows) <= 2 and not sides & {"unknown_val", "unknown_test", "vault"}:
                assert sides == {"train"}
            if sides & {"val", "test"}:
                assert len({groups[i] for i in rows if split[i] == "train"}) >= 2

    @pytest.mark.parametrize("seed", range(5))
    def test_seed_split_takes_thirty_percent_rounded_down(self, seed):
        persons, sums, _, _, usable = self.random_case(seed)
        split = splits.seed_split(persons, sums, usable)
        for person in set(persons):
            sides = [
                s for s, name, good in zip(split, persons, usable, strict=True) if name == person and good
            ]
            assert sides.count("val") == len(sides) * 3 // 10
            assert sides.count("train") == len(sides) - sides.count("val")

    def test_whoever_has_a_second_name_is_no_stranger(self):
        persons, sums, groups, from_where, usable = self.random_case(3)
        case = (persons, groups, ["lfw"] * len(persons), usable)
        before = splits.choose_strangers(*case)
        unknown = {person for person, side in before.items() if side != "vault"}
        after = splits.choose_strangers(*case, doubled=unknown)
        assert unknown and not unknown & set(after)

    def test_the_readers_people_alone_are_enrolled_among_rendered_ones(self):
        persons, sums, groups, _, usable = self.random_case(3)
        from_where = [("people", "others")[int(person[1:]) % 2] for person in persons]
        split = splits.course_split(persons, sums, range(len(persons)), from_where, usable)
        sides = {
            source: {s for s, f in zip(split, from_where, strict=True) if f == source}
            for source in from_where
        }
        assert sides["others"] <= {"unknown_val", "unknown_test", ""}
        assert {"train", "val", "test"} <= sides["people"] <= {"train", "val", "test", ""}

    def test_a_new_person_moves_nobody_to_another_side(self):
        persons, sums, groups, _, usable = self.random_case(3)
        from_where = ["people"] * len(persons)
        before = splits.course_split(persons, sums, groups, from_where, usable)
        after = splits.course_split(
            [*persons, "New"], [*sums, "f" * 64], [*groups, 10**6], [*from_where, "people"], [*usable, True]
        )
        assert after[:-1] == before

    def test_leaks_are_found(self, workspace):
        people = copy_people(workspace / "people", ["Ada_Ferro", "Bruno_Takala"])
        near = bad_photos.Image.open(sorted((people / "Ada_Ferro").iterdir())[0])
        near.save(people / "Ada_Ferro" / "near.jpg", quality=60)
        manifest = assemble(people)
        assert not splits.find_leaks(manifest).loc["course_split"].any()
        manifest.loc[manifest.path.str.endswith("near.jpg"), "course_split"] = "unknown_test"
        leaks = splits.find_leaks(manifest).loc["course_split"]
        assert leaks["near duplicate"] == 1 and leaks["stranger among the known"] == 1


def people_as_vectors(rng):
    """Twelve people with ten unit vectors each, close around a centre of their own."""
    centres, persons = rng.normal(size=(12, 64)), np.repeat(np.arange(12), 10)
    vectors = centres[persons] + 0.5 * rng.normal(size=(120, 64))
    vectors[7] = centres[3] + 0.5 * rng.normal(size=64)  # a photo of person 3 in the folder of person 0
    vectors[15] = rng.normal(size=64)  # and a stranger in that of person 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), [f"P{k:02d}" for k in persons]


def test_only_photos_that_look_like_somebody_else_are_doubted():
    several = [people_as_vectors(np.random.default_rng(seed)) for seed in range(50)]
    found = [within_person_similarity(*one) for one in several]
    rows = [one.doubtful() for one in found]
    assert all(7 in one for one in rows) and not any(set(one) - {7, 15} for one in rows)
    assert np.mean([15 in one for one in rows]) >= 0.8  # random directions are closer than real strangers
    assert found[0].who[7] == "P03" and found[0].rival[7] > found[0].own[7]
    vectors, persons = several[0]
    vectors[20] = np.nan  # no face
    assert np.isnan(within_person_similarity(vectors, persons).own[20])
    assert np.isnan(within_person_similarity(vectors[:2], ["A", "A"]).own).all()  # of two, which is wrong?
