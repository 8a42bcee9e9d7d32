"""The upload form of notebook 01."""

import io
import shutil
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from facecourse.app import uploads
from tests.unit.bad_photos import FACES

PHOTOS = [(path.name, path.read_bytes()) for path in sorted(FACES.iterdir())]


@pytest.fixture
def form(tmp_path):
    return uploads.PeopleUpload(tmp_path / "people")


def put_in(form, files):
    """What the browser does: set the FileUpload's value (ipywidgets 8)."""
    (button,) = form.button.widget.children
    button.value = tuple(
        {
            "name": name,
            "type": "image/jpeg",
            "size": len(data),
            "content": memoryview(data),
            "last_modified": datetime.now(),
        }
        for name, data in files
    )


def saved(form):
    return sorted(path.relative_to(form.people).as_posix() for path in form.people.rglob("*.*"))


def test_a_name_and_many_photos_end_in_the_persons_folder(form):
    form.name.value = " Zoë  Saldaña "
    put_in(form, PHOTOS[:3])
    assert len(form.previews.children) == 3 and "3 photos are waiting" in form.status.value
    form.save.click()
    assert saved(form) == [f"Zoë_Saldaña/Zoë_Saldaña_{n:04d}.jpg" for n in (1, 2, 3)]
    assert (form.people / "Zoë_Saldaña" / "Zoë_Saldaña_0002.jpg").read_bytes() == PHOTOS[1][1]
    assert "3 saved, 3 in all" in form.status.value and not form.previews.children and not form.waiting


@pytest.mark.parametrize("name", ["", "...", "///"])
def test_without_a_name_nothing_is_lost(form, name):
    form.name.value = name
    put_in(form, PHOTOS[:2])
    form.save.click()
    assert "name first" in form.status.value and len(form.waiting) == 2 and not form.people.exists()
    form.name.value = "Ada"
    form.save.click()
    assert len(saved(form)) == 2


def test_what_is_no_photo_is_named_and_the_rest_is_taken(form):
    form.name.value = "Ada"
    put_in(form, [("<b>text</b>.jpg", b"hello"), ("phone.heic", b"\0\0\0\x18ftypheic"), PHOTOS[0]])
    assert "&lt;b&gt;text" in form.status.value and "export it as JPEG" in form.status.value
    form.save.click()
    assert len(saved(form)) == 1


def test_the_same_photo_is_saved_once(form):
    form.name.value = "Ada"
    put_in(form, [PHOTOS[0], ("copy.jpg", PHOTOS[0][1])])
    form.save.click()
    assert len(saved(form)) == 1 and "already there" in form.status.value


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "C:\\x", "CON", ".hidden", "a\0b"])
def test_a_hostile_name_stays_inside(form, name):
    form.name.value = name
    put_in(form, PHOTOS[:1])
    form.save.click()
    (path,) = form.people.rglob("*.jpg")
    assert path.parent.parent == form.people and path.parent.name.split(".")[0].lower() != "con"


def test_a_folder_that_cannot_be_written_keeps_the_photos_waiting(form):
    form.people.write_text("a file is in the way")
    form.name.value = "Ada"
    put_in(form, PHOTOS[:1])
    form.save.click()
    assert "cannot be written" in form.status.value and len(form.waiting) == 1


def test_the_ending_is_that_of_the_content(tmp_path):
    image, files = Image.open(io.BytesIO(PHOTOS[0][1])), []
    for kind in ("PNG", "WEBP", "GIF", "BMP"):
        file = io.BytesIO()
        image.save(file, kind)
        files.append(("photo.jpeg", file.getvalue()))
    written, refused = uploads.save_photos("Ada", files, tmp_path)
    assert [path.suffix for path in written] == [".png", ".webp", ".gif", ".bmp"] and not refused


def test_numbers_go_on_after_the_readers_own_files(tmp_path):
    (tmp_path / "Ada").mkdir()
    shutil.copy(next(FACES.iterdir()), tmp_path / "Ada" / "holiday_0041.jpg")
    written, _ = uploads.save_photos("Ada", PHOTOS[3:4], tmp_path)
    assert written[0].name == "Ada_0042.jpg"


def test_in_colab_photos_of_any_size_come_through_its_own_file_chooser(tmp_path, monkeypatch, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    packed = io.BytesIO()
    Image.fromarray(noise).save(packed, "PNG")
    assert packed.tell() > 2_000_000  # of which a widget there gets nothing
    monkeypatch.setattr(uploads.paths, "in_colab", lambda: True)
    monkeypatch.setattr(uploads, "upload_in_colab", lambda: [("large.png", packed.getvalue())])
    assert uploads.upload_people(tmp_path) is None and "NAME" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert uploads.upload_people(tmp_path, "Ada Lovelace") is None
    assert "Ada_Lovelace: 1 saved" in capsys.readouterr().out
    assert (tmp_path / "Ada_Lovelace/Ada_Lovelace_0001.png").read_bytes() == packed.getvalue()
