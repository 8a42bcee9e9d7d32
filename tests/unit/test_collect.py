"""Collecting from Wikimedia Commons, against a local server that speaks its API."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from facecourse.commons import client, collect
from facecourse.commons.client import Commons, CommonsError, CommonsPhoto
from facecourse.core import paths
from facecourse.lessons.assembling import show_collection
from facecourse.photos.files import read_credits
from tests.conftest import ROOT
from tests.unit.bad_photos import encode
from tests.unit.wiki_server import wiki

SAMPLE = ROOT / "data"
NAME = "Ada_Ferro"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Downloads go to a folder of the test's own; waiting takes no time but is written down."""
    waits = []
    monkeypatch.setattr(paths, "DOWNLOADS", tmp_path / "downloads")
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def shots(person, count):
    files = sorted((SAMPLE / "people" / person).iterdir())[:count]
    return [{"title": f"File:{path.name}", "data": path.read_bytes(), "mime": "image/jpeg"} for path in files]


def everything():
    """What a search finds: nine good photos, and one of every other kind."""
    good = shots(NAME, 9)
    small = Image.open(sorted((SAMPLE / "people" / NAME).iterdir())[9])
    wall = encode(Image.new("RGB", (640, 480), "navy"))
    wrong = {photo["title"]: photo for photo in shots("Farid_Okonska", 2)}
    odd = [
        {"title": "File:Group.jpg", "data": (SAMPLE / "group" / "group_01.jpg").read_bytes()},
        {"title": "File:Wall.png", "data": wall},
        {"title": "File:Broken.png", "data": wall[:200]},
        {"title": "File:Page.png", "data": b"<html>not a picture</html>"},
        {"title": "File:Small.png", "data": encode(small.resize((small.width // 4, small.height // 4)))},
        {"title": "File:Not free.png", "data": wall, "licence": "cc-by-nc-4.0"},
        {"title": "File:Unsaid.png", "data": wall, "licence": ""},
        {"title": "File:Scan.tif", "data": wall, "mime": "image/tiff"},
        {"title": "File:Again.jpg", "data": good[2]["data"], "mime": "image/jpeg"},
        {"title": "File:Gone.png", "data": wall},
    ]
    return [*good[:4], *wrong.values(), *odd, *good[4:]], sorted(wrong)


VERDICTS = {
    "File:Group.jpg": "several_faces",
    "File:Wall.png": "no_face",
    "File:Broken.png": "unreadable",
    "File:Page.png": "unreadable",
    "File:Small.png": "small_face",
    "File:Not free.png": "not_free",
    "File:Unsaid.png": "not_free",
    "File:Scan.tif": "kind",
    "File:Again.jpg": "twice",
    "File:Gone.png (the server answered 404)": "not_fetched",
}


@pytest.fixture
def collected(tmp_path):
    photos, wrong = everything()
    with wiki(photos) as server:
        server.photo_faults["File:Gone.png"] = [404] * 9
        table = collect.collect_people({NAME: "Ada Ferro"}, tmp_path / "people", server.api, pause=0)
        yield server, table, tmp_path / "people", wrong


def test_good_photos_are_kept_and_each_other_one_is_left_out_for_its_reason(collected):
    server, table, people, wrong = collected
    found = table.set_index("title").verdict
    assert {title: found[title] for title in VERDICTS} == VERDICTS
    assert all(found[title] == "someone_else" for title in wrong)
    kept = [title for title in found.index if found[title] == "kept"]
    assert len(kept) >= 8 and all(title.startswith("File:Ada_Ferro") for title in kept)
    assert len(list((people / NAME).iterdir())) == len(kept)
    assert "File:Not free.png" not in server.fetched and "File:Scan.tif" not in server.fetched
    rows = read_credits(people)
    assert set(rows) == {path.relative_to(people).as_posix() for path in (people / NAME).iterdir()}
    for row in rows.values():
        assert (row["author"], row["licence"]) == ("Some Body", "CC BY-SA 4.0")
        assert row["source"].startswith(f"{server.url}/wiki/") and row["title"].startswith("File:")


def test_the_client_introduces_itself_and_asks_as_documented(collected):
    server = collected[0]
    assert all("facecourse" in agent and "http" in agent for agent in server.agents)
    first = server.asked[0]
    assert first["action"] == "query" and first["format"] == "json" and first["maxlag"] == "5"
    assert first["gsrnamespace"] == "6" and '"Ada Ferro"' in first["gsrsearch"]
    assert len(server.asked) == 9  # 21 pages in fives, each in two halves but for the last
    assert {asked.get("gsroffset") for asked in server.asked} == {None, "0", "5", "10", "15", "20"}


def test_a_second_run_asks_for_nothing_but_what_failed(collected):
    server, table, people, _ = collected
    before = {path: path.read_bytes() for path in people.rglob("*.*")}
    server.asked.clear()
    server.fetched.clear()
    again = collect.collect_people({NAME: "Ada Ferro"}, people, server.api, pause=0)
    assert server.asked == [] and set(server.fetched) == {"File:Gone.png"}
    assert again.equals(table) and {path: path.read_bytes() for path in people.rglob("*.*")} == before
    gone = sorted((people / NAME).iterdir())[1]
    gone.unlink()  # what the reader removed stays away
    again = collect.collect_people({NAME: "Ada Ferro"}, people, server.api, pause=0)
    assert not gone.exists() and (again.verdict == "removed").sum() == 1


def test_the_reader_sees_counts_and_thumbnails(collected):
    _, table, _, _ = collected
    counts = collect.collection_summary(table).loc[NAME]
    assert counts["found"] == 21 == counts.drop("found").sum() and counts["no free licence"] == 2
    picture = show_collection(table, NAME)
    texts = [axes.get_xlabel() for axes in picture.axes]
    assert any("kept" in text for text in texts) and any("several faces" in text for text in texts)


@pytest.mark.parametrize("fault", ["maxlag", "ratelimited", "html", 429, 503])
def test_a_busy_server_is_waited_for(elsewhere, fault):
    with wiki(shots(NAME, 3)) as server:
        server.faults = [fault, fault]
        assert len(Commons(server.api).search("Ada Ferro", 40)) == 3
    waits = [wait for wait in elsewhere if wait > client.PAUSE]
    expected = {"maxlag": [5, 5], 429: [3, 3], 503: [3, 3]}
    assert waits == expected.get(fault, waits) and len(waits) == 2


def test_one_request_per_pause(elsewhere):
    with wiki(shots(NAME, 12)) as server:
        Commons(server.api).search("Ada Ferro", 40)
        assert len(server.asked) >= 5
    assert sum(0.5 < wait <= client.PAUSE for wait in elsewhere) >= len(server.asked) - 1


@pytest.mark.parametrize("faults", [["maxlag"] * 99, [429] * 99, [404], ["badvalue"], [403]])
def test_a_server_that_refuses_is_a_clear_error(faults):
    with wiki(shots(NAME, 3)) as server:
        server.faults = list(faults)
        with pytest.raises(CommonsError, match="Wikimedia Commons"):
            Commons(server.api, 0).search("Ada Ferro", 40)
        assert len(server.asked) <= client.ATTEMPTS


def test_without_a_network_the_command_says_what_to_do(capsys):
    assert collect.main(["Ada Ferro", "--api", "http://127.0.0.1:9/w/api.php"]) == 1
    assert "Check the network" in capsys.readouterr().err


def test_nobody_is_kept_where_no_three_agree(tmp_path):
    photos = [shot for name in ("Ada_Ferro", "Farid_Okonska", "Leopold_Anwar") for shot in shots(name, 1)]
    with wiki(photos) as server:
        table = collect.collect_people([NAME], tmp_path / "people", server.api, pause=0)
    assert (table.verdict == "someone_else").all() and not (tmp_path / "people" / NAME).exists()


def test_nothing_found_is_no_error(tmp_path):
    with wiki([]) as server:
        table = collect.collect_people(["Nobody At All"], tmp_path / "people", server.api, pause=0)
    assert table.empty and show_collection(table, "Nobody_At_All") is None


def test_the_largest_group_wins_wherever_the_search_begins():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 64))
    who = np.array([1, 0, 2, 0, 0, 1, 0, 0])
    vectors = centres[who] + 0.3 * rng.normal(size=(8, 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    member, similarity = collect.largest_agreement(vectors.astype(np.float32))
    assert member.tolist() == (who == 0).tolist()
    assert similarity[member].min() > collect.AGREE > similarity[~member].max()


@pytest.mark.parametrize(
    ("code", "short", "free"),
    [
        ("cc-by-sa-4.0", "CC BY-SA 4.0", True),
        ("", "Public domain", True),
        ("godl-india", "GODL-India", True),
        ("cc-by-nc-2.0", "CC BY-NC 2.0", False),
        ("cc-by-nd-2.0", "CC BY-ND 2.0", False),
        ("", "", False),
    ],
)
def test_free_licences(code, short, free):
    photo = CommonsPhoto(1, "File:x", "", "image/png", 9, 9, "", short, "", "", code)
    assert photo.free is free


def test_killed_while_collecting_it_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    program = (
        "import sys, pathlib; from facecourse.core import paths\n"
        "from facecourse.commons import collect\n"
        "paths.DOWNLOADS = pathlib.Path(sys.argv[1]) / 'downloads'\n"
        "collect.collect_people(['Ada_Ferro'], pathlib.Path(sys.argv[1]) / 'people', sys.argv[2], pause=0.3)\n"
    )
    people = tmp_path / "people"
    with wiki(shots(NAME, 8)) as server:
        command = [sys.executable, "-c", program, str(tmp_path), server.api]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(server.fetched) < 4 and child.poll() is None:
            server.ready.wait(0.05)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        asked = len(server.asked)
        collect.collect_people([NAME], people, server.api, pause=0)
        assert 4 <= len(server.fetched) <= 8 + 1  # at most the one that was under way is asked for again
        assert len(server.asked) == asked  # the search was kept
    assert len(list((people / NAME).iterdir())) == len(read_credits(people)) == 8


@pytest.mark.parametrize("stop", [1, 4, 8])
def test_interrupted_at_any_photo_it_goes_on_from_there(tmp_path, monkeypatch, stop):
    real, calls = client.download, []

    def interrupted(url, part):
        calls.append(url)
        if len(calls) == stop:
            part.write_bytes(b"")  # it had just begun
            raise KeyboardInterrupt
        real(url, part)

    monkeypatch.setattr(client, "download", interrupted)
    photos = shots(NAME, 8)
    with wiki(photos) as server:
        server.photo_faults[photos[1]["title"]] = [429, 503]  # asked for again
        with pytest.raises(KeyboardInterrupt):
            collect.collect_people([NAME], tmp_path / "people", server.api, pause=0)
        table = collect.collect_people([NAME], tmp_path / "people", server.api, pause=0)
        assert len(server.fetched) == 8 + 2 and (table.verdict == "kept").all()
