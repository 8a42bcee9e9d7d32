"""Pictures that are made to fill the memory, or to keep the processor busy."""

import base64
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from examples import FORM, bombs, form, png, png_chunk, scan_bomb, segment, with_segments
from PIL import Image, ImageFile

from facecourse.core.paths import PEOPLE_DIR, ROOT
from lambda_function import mtcnn
from lambda_function.app import Application
from lambda_function.settings import Settings


@pytest.mark.parametrize("name", sorted(bombs()))
def test_bombs_are_refused_before_a_pixel_is_decoded(function, new_event, monkeypatch, name):
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: decoded.append(self.size))
    monkeypatch.setattr(Image.Image, "convert", lambda self, *a, **k: decoded.append(self.size))
    event = new_event("POST", "/recognize", bombs()[name], content_type="image/jpeg")
    started = time.process_time()
    answer = function.handle(event)
    seconds = time.process_time() - started
    print(f"{name}, {len(bombs()[name]):,} bytes: {answer['statusCode']} after {seconds * 1000:.1f} ms")
    assert answer["statusCode"] in (400, 413) and not decoded and seconds < 0.5


def test_what_cameras_and_editors_write_passes(function, new_event):
    profile = [segment(0xE2, b"ICC_PROFILE\0" + bytes([part, 40]) + bytes(60_000)) for part in range(1, 41)]
    depth = [segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000))] * 30
    exif = segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + bytes(60_000))
    noise = np.random.default_rng(0).integers(0, 255, (1200, 1201), np.uint8)
    noise[:, 0] = 0  # PNG's filter of each row
    stream = zlib.compress(noise.tobytes(), 0)
    chunks = [png_chunk(b"IDAT", stream[at : at + 1024]) for at in range(0, len(stream), 1024)]
    for data in (
        scan_bomb(scans=1),
        with_segments(exif, *profile, *depth),
        png(1200, 1200, pixels=b"".join(chunks)),
    ):
        answer = function.handle(new_event("POST", "/recognize", data, content_type="image/jpeg"))
        assert answer["statusCode"] == 200


def test_thousands_of_broken_tags_leave_no_line_in_the_log():
    tags = b"".join(tag.to_bytes(2, "big") + b"\0\x02\0\0\xea\x60\0\0\0\x08" for tag in range(32769, 37769))
    photo = with_segments(segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\x13\x88" + tags))
    code = (
        "import sys; from lambda_function.photos import *; print(open_photo(sys.stdin.buffer.read()).shape)"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "default", "-c", code], input=photo, capture_output=True, cwd=ROOT
    )
    assert (ran.stdout, ran.stderr) == (b"(64, 64, 3)\n", b"")


def test_empty_scans_cannot_hide_behind_a_thumbnail_or_fill_bytes(function, new_event):
    bomb = scan_bomb(scans=100)
    thumbnail = segment(0xE1, b"Exif\0\0\xff\xd8\xff\xda\xff\xd9" + bytes(6))
    padded = bomb[:2] + thumbnail + b"\xff\xff\xff" + bomb[2:]
    answer = function.handle(new_event("POST", "/recognize", padded, content_type="image/jpeg"))
    assert answer["statusCode"] == 413


def test_scans_in_a_thumbnail_do_not_count(function, new_event):
    plain = scan_bomb(scans=1)
    many = b"Exif\0\0" + b"\xff\xd8" + b"\xff\xda" * 200 + b"\xff\xd9"
    hidden = plain[:2] + segment(0xE1, many) + plain[2:]
    answer = function.handle(new_event("POST", "/recognize", hidden, content_type="image/jpeg"))
    assert answer["statusCode"] == 200


@pytest.mark.parametrize("path", ["/recognize", "/align"])
def test_too_many_bytes_are_refused_before_they_are_decoded(function, new_event, monkeypatch, path):
    event = new_event("POST", path, b"photo", content_type="image/jpeg") | {"body": "A" * 6_100_000}
    monkeypatch.setattr(base64, "b64decode", lambda *a, **k: pytest.fail("decoded"))
    answer = function.handle(event)
    assert answer["statusCode"] == 413 and "4,500,000" in answer["body"]


def test_a_form_and_json_cannot_carry_more_than_a_raw_photo(bundle, new_event, photo):
    small = Application(Settings(model_bundle=str(bundle), face_max_bytes=len(photo) - 1))
    text = b'{"image": "%s"}' % base64.b64encode(photo)
    for body, kind in ((photo, "image/jpeg"), (text, "application/json"), (form(photo), FORM)):
        answer = small.handle(new_event("POST", "/recognize", body, content_type=kind))
        assert answer["statusCode"] == 413, kind


def test_pixels_are_limited_by_configuration(bundle, new_event, photo):
    small = Application(Settings(model_bundle=str(bundle), face_max_pixels=250 * 250 - 1))
    answer = small.handle(new_event("POST", "/recognize", photo, content_type="image/jpeg"))
    assert answer["statusCode"] == 413 and "too_many_pixels" in answer["body"]


def test_a_picture_tiled_with_faces_is_bounded_work(function):
    """Without bounds, 4,000 faces of 24 pixels take the detector a minute."""
    detector = function.store.get().detector
    ada = (
        Image.open(PEOPLE_DIR / "Ada_Ferro" / "Ada_Ferro_0001.jpg").crop((60, 50, 190, 210)).resize((24, 24))
    )
    crowd = np.tile(np.asarray(ada), (50, 50, 1))
    pixels = mtcnn.IntegralImage(crowd)
    maps = detector.heat_maps(pixels)
    assert sum(len(mtcnn.windows_of(level, 0.6)) for level in maps) > 2 * mtcnn.MOST_WINDOWS
    candidates = detector.propose(maps)
    assert len(candidates) == mtcnn.MOST_CANDIDATES
    assert len(detector.refine(pixels, candidates)) <= mtcnn.MOST_FACES
