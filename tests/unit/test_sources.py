"""Downloads that resume, retry and check before a file gets its name."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from facecourse.core import downloads, paths, sources
from tests.conftest import ROOT
from tests.unit.file_server import serving
from tests.unit.test_archives import make_tar

DATA = bytes(range(256)) * 8000  # 2 MB
NAME = "thing.bin"


pytestmark = pytest.mark.usefixtures("own_downloads")


def describe(mirrors, data=DATA, **more):
    entry = {
        "what": "a thing",
        "licence": "CC0",
        "citation": "nobody",
        "size": len(data),
        "hashes": [f"sha256:{hashlib.sha256(data).hexdigest()}"],
        "mirrors": list(mirrors),
    }
    (paths.DATA / "sources.json").write_text(json.dumps({NAME: entry | more}))


def downloaded():
    return sorted(path.name for path in paths.DOWNLOADS.iterdir() if not path.name.startswith("."))


def test_a_file_arrives_whole_and_is_not_asked_for_twice():
    with serving({NAME: DATA}) as server:
        describe([f"{server.url}/{NAME}"])
        assert sources.fetch(NAME).read_bytes() == DATA
        assert sources.fetch(NAME).read_bytes() == DATA
        assert len(server.requests) == 1 and "facecourse" in server.requests[0][2]
    assert downloaded() == [NAME]


def test_an_interrupted_download_goes_on_where_it_stopped():
    with serving({NAME: DATA}) as server:
        first, second = 10 * downloads.BLOCK, 7 * downloads.BLOCK
        server.faults[NAME] = [("cut", first), ("cut", second)]
        describe([f"{server.url}/{NAME}"])
        assert sources.fetch(NAME).read_bytes() == DATA
        assert [asked for _, asked, _ in server.requests] == [
            None,
            f"bytes={first}-",
            f"bytes={first + second}-",
        ]


@pytest.mark.parametrize(
    "left", [b"something else" * 50, DATA, DATA + b"more"], ids=["foreign", "all", "too much"]
)
@pytest.mark.parametrize("fault", [None, "no range", "wrong range"])
def test_a_beginning_that_does_not_fit_is_thrown_away(left, fault):
    paths.DOWNLOADS.mkdir()
    (paths.DOWNLOADS / f"{NAME}.part").write_bytes(left)
    with serving({NAME: DATA}) as server:
        server.faults[NAME] = [fault]
        describe([f"{server.url}/{NAME}"])
        assert sources.fetch(NAME).read_bytes() == DATA


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_asked_again(status):
    with serving({NAME: DATA}) as server:
        server.faults[NAME] = [status, status]
        describe([f"{server.url}/{NAME}"])
        assert sources.fetch(NAME).read_bytes() == DATA
        assert len(server.requests) == 3


def test_back_off_grows_and_respects_retry_after(monkeypatch):
    waits = []
    monkeypatch.setattr(downloads.time, "sleep", waits.append)
    monkeypatch.setattr(downloads, "retry_after", lambda response, longest: None)
    with serving({NAME: DATA}) as server:
        server.faults[NAME] = [503] * 9
        describe([f"{server.url}/{NAME}"])
        with pytest.raises(sources.SourceError, match="503"):
            sources.fetch(NAME)
    assert len(waits) == downloads.ATTEMPTS - 1
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits))


def test_a_good_mirror_makes_up_for_a_missing_an_empty_and_a_bad_one(tmp_path, monkeypatch):
    monkeypatch.setenv("FACECOURSE_MIRROR", str(tmp_path / "empty"))
    with serving({"bad": b"not it", NAME: DATA}) as server:
        describe([f"{server.url}/{name}" for name in ("gone", "bad", NAME)])
        assert sources.fetch(NAME).read_bytes() == DATA
        asked = [name for name, _, _ in server.requests]
        assert asked.count("gone") == 1 and asked[-1] == NAME  # what is not there is not asked for again


def test_a_wrong_hash_never_gets_the_files_name():
    with serving({NAME: DATA[:-1] + b"x"}) as server:
        describe([f"{server.url}/{NAME}"])
        with pytest.raises(sources.SourceError, match="right hash"):
            sources.fetch(NAME)
    assert downloaded() == []


def test_a_file_that_changed_on_disk_is_fetched_again(capsys):
    with serving({NAME: DATA}) as server:
        describe([f"{server.url}/{NAME}"])
        sources.fetch(NAME).write_bytes(b"rotten")
        assert sources.fetch(NAME).read_bytes() == DATA
    assert "has changed" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["folder", "http"])
def test_facecourse_mirror_is_asked_first_by_file_name(tmp_path, monkeypatch, kind):
    with serving({NAME: DATA}) as server:
        (tmp_path / "mirror").mkdir()
        (tmp_path / "mirror" / NAME).write_bytes(DATA)
        monkeypatch.setenv(
            "FACECOURSE_MIRROR", str(tmp_path / "mirror") if kind == "folder" else f"{server.url}/"
        )
        describe([f"{server.url}/never"])
        assert sources.fetch(NAME).read_bytes() == DATA
        assert "never" not in [name for name, _, _ in server.requests]


def test_without_a_network_one_error_says_everything(monkeypatch):
    describe(["http://127.0.0.1:9/one", "http://no-such-host.invalid/two"])
    with pytest.raises(sources.SourceError) as error:
        sources.fetch(NAME)
    for part in (NAME, "http://127.0.0.1:9/one", "http://no-such-host.invalid/two", "FACECOURSE_MIRROR"):
        assert part in str(error.value)


def test_md5_of_a_published_archive_is_accepted_too():
    with serving({NAME: DATA}) as server:
        describe(
            [f"{server.url}/{NAME}"], hashes=["sha256:" + "0" * 64, f"md5:{hashlib.md5(DATA).hexdigest()}"]
        )
        assert sources.fetch(NAME).read_bytes() == DATA


def test_a_full_disk_is_named_and_what_arrived_is_kept(monkeypatch):
    real = open

    def open_until_full(path, mode="r", *rest, **more):
        file = real(path, mode, *rest, **more)
        if str(path).endswith(".part") and ("w" in mode or "a" in mode):
            write = file.write
            file_size = [0]

            class Full:
                def write(self, data):
                    if file_size[0] + len(data) > 600_000:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    file_size[0] += len(data)
                    return write(data)

                def __enter__(self):
                    return self

                def __exit__(self, *error):
                    file.close()

            return Full()
        return file

    with serving({NAME: DATA}) as server:
        describe([f"{server.url}/{NAME}"])
        monkeypatch.setattr("builtins.open", open_until_full)
        with pytest.raises(sources.SourceError, match="No space left"):
            sources.fetch(NAME)
        monkeypatch.setattr("builtins.open", real)
        assert downloaded() == [f"{NAME}.part"]
        assert sources.fetch(NAME).read_bytes() == DATA
        assert server.requests[-1][1].startswith("bytes=")


def test_a_killed_download_leaves_no_half_file_under_its_name(tmp_path):
    program = (
        "import sys, pathlib; from facecourse.core import paths, sources, downloads\n"
        "paths.DATA = pathlib.Path(sys.argv[1]); paths.DOWNLOADS = paths.DATA / 'downloads'\n"
        "downloads.BLOCK = 1000\n"
        "print('go', flush=True)\n"
        "sources.fetch('thing.bin')\n"
    )
    big = DATA * 20
    with serving({NAME: big}) as server:
        describe([f"{server.url}/{NAME}"], big)
        for wait in (0.0, 0.02, 0.05):
            child = subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            child.stdout.readline()
            time.sleep(wait)
            child.send_signal(signal.SIGKILL)
            child.communicate()
            target = paths.DOWNLOADS / NAME
            assert not target.exists() or target.read_bytes() == big
        assert sources.fetch(NAME).read_bytes() == big


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A folder with one package plays the registry, so that no network is needed."""
    name = "face_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / name, "w") as wheel:
        for part, text in {
            "METADATA": "Metadata-Version: 2.1\nName: face-thing\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }.items():
            wheel.writestr(f"face_thing-1.0.dist-info/{part}", text)
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path / name


@pytest.mark.parametrize("right", [True, False], ids=["right hash", "wrong hash"])
def test_a_package_comes_from_whatever_registry_pip_uses(registry, right):
    data = registry.read_bytes()
    known = hashlib.sha256(data).hexdigest() if right else "0" * 64
    entry = {"what": "x", "licence": "x", "citation": "x", "size": len(data), "hashes": [f"sha256:{known}"]}
    table = {registry.name: entry | {"package": "face-thing==1.0"}}
    (paths.DATA / "sources.json").write_text(json.dumps(table))
    if right:
        assert sources.fetch(registry.name).read_bytes() == data
    else:
        with pytest.raises(sources.SourceError, match="face-thing==1.0"):
            sources.fetch(registry.name)
    assert downloaded() == ([registry.name] if right else [])


def test_sources_json_says_where_everything_comes_from(monkeypatch):
    monkeypatch.setattr(paths, "DATA", ROOT / "data")
    for name, source in sources.load_sources().items():
        assert source.what and source.licence and source.citation, name
        assert source.mirrors or source.package or source.instead, name
        assert source.hashes or "No hash is known" in source.note, name
        assert all(known.startswith(("sha256:", "md5:")) for known in source.hashes)
        assert all(mirror.startswith("https://") for mirror in source.mirrors)


def small_lfw(path, folder):
    names = ("Ada", "Bo")
    photos = [(f"{folder}/{n}/{n}_0001.jpg", n.encode()) for n in names]
    return make_tar(path, *photos, (f"{folder}/list.txt", b"no photo"))


def test_lfw_falls_back_to_the_older_archive_once(tmp_path, monkeypatch, capsys):
    data = small_lfw(tmp_path / "lfw-funneled.tgz", "lfw_funneled").read_bytes()
    table = json.loads((ROOT / "data" / "sources.json").read_text())
    table["lfw-funneled.tgz"]["hashes"] = [f"sha256:{hashlib.sha256(data).hexdigest()}"]
    with serving({"lfw-funneled.tgz": data}) as server:
        table["lfw-funneled.tgz"]["mirrors"] = [f"{server.url}/lfw-funneled.tgz"]
        (paths.DATA / "sources.json").write_text(json.dumps(table))
        folder = sources.lfw_photos()
        assert "falling back to lfw-funneled.tgz" in capsys.readouterr().out
        assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*")) == [
            "Ada/Ada_0001.jpg",
            "Bo/Bo_0001.jpg",
        ]
        assert sources.lfw_photos() == folder and capsys.readouterr().out == ""


def test_celebrities_get_proper_names_and_all_their_photos(monkeypatch):
    folder = ROOT / "data" / "downloads" / "celebrities"
    if not folder.exists():
        pytest.skip("the celebrity photos have not been fetched: make setup")
    monkeypatch.setattr(paths, "DOWNLOADS", folder.parent)
    counts = {p.name: len(list(p.iterdir())) for p in sources.celebrity_photos().iterdir()}
    assert sum(counts.values()) == 118
    assert set(counts) == {"Ben_Affleck", "Elton_John", "Jerry_Seinfeld", "Madonna", "Mindy_Kaling"}
