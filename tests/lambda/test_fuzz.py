"""Thousands of requests that nobody should send: no status of 500 and above, no death, no growing memory.

FUZZ_REQUESTS says how many; `make fuzz` sends 10,000, others each time.
"""

import base64
import functools
import gc
import json
import os
from collections import Counter

import numpy as np
import psutil
import pytest
from examples import ASK, ASK_KEY, BOUNDARY, FORM, MANAGE, MANAGE_KEY, bombs, event, face, form, packed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lambda_function.app import ROUTES, Application
from lambda_function.settings import Settings

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", 2000))
STATUSES = {200, 201, 204, 308, 400, 401, 403, 404, 405, 413, 415, 422}
SEEN: Counter = Counter()
KEPT: list = []  # every fifth of what was sent, to be sent again


def share(part: float):
    """Take a part of all requests; the same ones every time, but for a long run."""
    return settings(
        max_examples=max(20, int(REQUESTS * part)),
        deadline=None,
        database=None,
        derandomize="FUZZ_REQUESTS" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )


# What is sent

KINDS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "ICO"]
PATHS = ["/nowhere", "//recognize//", "/recognize/../align", "", "/v1/people/%FF", "/v1/people/a%2Fb/c"]
PATHS += [route.path.replace("{name}", "Eve") for route in ROUTES]
METHODS = ["POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "post", "BREW", ""]
CONTENT_TYPES = [
    "image/jpeg",
    "image/png",
    "application/octet-stream",
    "application/json",
    FORM,
    "multipart/form-data",
    'multipart/form-data; boundary="',
    "text/plain",
    "",
    ";;;",
    "application/json; charset=utf-16",
    "IMAGE/JPEG",
    "multipart/form-data; boundary=" + "x" * 500,
    "multipart/mixed; boundary=" + BOUNDARY,
    "image/\x00",
]


@functools.cache
def photos() -> tuple[bytes, ...]:
    """Small photos of a face in every format, plain, progressive, with palette, alpha and 16 bits."""
    image = face(72)
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    made = [(image, kind, {}) for kind in KINDS]
    made += [(image, "JPEG", {"progressive": True, "exif": exif}), (image.convert("CMYK"), "JPEG", {})]
    made += [(image.convert("RGBA"), "PNG", {}), (image.convert("P"), "PNG", {}), (deep, "PNG", {})]
    made += [(image.convert("RGBA"), "WEBP", {"lossless": True}), (image.convert("1"), "PNG", {})]
    frames = {"save_all": True, "append_images": [image.rotate(90)]}
    made += [(image, kind, frames) for kind in ("GIF", "PNG", "WEBP")]
    small_bombs = [data for data in bombs().values() if len(data) < 100_000]
    return (*[packed(image, kind, **options) for image, kind, options in made], *small_bombs)


@st.composite
def damaged_photos(draw) -> bytes:
    """A photo with bytes changed, cut out, put in or repeated, mostly near its head, where the sizes stand."""
    data = bytearray(draw(st.sampled_from(photos())))
    for _ in range(draw(st.integers(0, 6))):
        reach = draw(st.sampled_from([16, 64, 512, len(data)]))
        place = draw(st.integers(0, max(0, min(reach, len(data)) - 1)))
        how = draw(st.sampled_from(["set", "cut", "insert", "repeat", "end"]))
        if how == "set":
            new = draw(
                st.binary(min_size=1, max_size=4)
                | st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f"])
            )
            data[place : place + len(new)] = new
        elif how == "cut":
            del data[place : place + draw(st.integers(1, 64))]
        elif how == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=64))
        elif how == "repeat":
            data[place:place] = data[place : place + draw(st.integers(1, 64))] * draw(st.integers(1, 20))
        else:
            del data[place:]
    return bytes(data)


def texts():
    return st.text(max_size=40)


def junk():
    """Whatever JSON can hold."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts()
    return st.recursive(
        leaves, lambda x: st.lists(x, max_size=3) | st.dictionaries(texts(), x, max_size=3), max_leaves=6
    )


def headers():
    names = ["content-type", "Content-Type", "accept", "accept-encoding", "if-none-match", "x-api-key"]
    values = (
        st.sampled_from([ASK, MANAGE])
        | st.sampled_from(CONTENT_TYPES)
        | texts()
        | st.sampled_from(["image/jpeg;q=0.9", "*/*;q=x", "," * 300])
    )
    return st.dictionaries(st.sampled_from(names) | texts(), values, max_size=5)


@st.composite
def bodies(draw) -> bytes:
    """Photos, forms and JSON around them, and neither."""
    data = draw(st.sampled_from([b"", *photos()]) | damaged_photos() | st.binary(max_size=300))
    wrapping = draw(st.sampled_from(["raw", "form", "open form", "json", "data url", "torn"]))
    if wrapping.endswith("form"):
        data = form(data, draw(st.sampled_from(["photo", 'a"b', "ü", ""])), end=wrapping == "form")
    elif wrapping in ("json", "data url"):
        text = ("data:image/png;base64," if wrapping == "data url" else "") + base64.b64encode(data).decode()
        data = json.dumps(
            draw(st.sampled_from([{"image": text}, {"image": [text]}, {"photo": text}, text]))
        ).encode()
    elif wrapping == "torn":
        data = form(data)[draw(st.integers(0, 200)) :]
    return data


@st.composite
def requests(draw) -> dict:
    """Well-formed events with anything in them."""
    data = draw(bodies())
    method, path = draw(st.sampled_from(METHODS)), draw(st.sampled_from(PATHS) | texts())
    in_base64 = draw(st.booleans())
    body = base64.b64encode(data).decode() if in_base64 else data.decode("latin-1")
    body = draw(st.sampled_from([body, body, body, body[:-3], "\ud800" + body[:50], None]))
    stage = draw(st.sampled_from(["$default", "prod"]) | texts())
    context = {"http": {"method": method, "path": path}, "stage": stage, "requestId": "7f3a"}
    query = draw(
        st.sampled_from(["", "consent=2026-01-01", "top=2&faces=largest", "top=99", "&=%"]) | texts()
    )
    named = draw(headers()) | (
        {"x-api-key": draw(st.sampled_from([ASK, MANAGE]))} if draw(st.booleans()) else {}
    )
    return {
        "version": "2.0",
        "rawPath": path if draw(st.booleans()) else f"/{stage}{path}",
        "requestContext": context,
        "rawQueryString": query,
        "headers": named,
        "body": body,
        "isBase64Encoded": in_base64,
    }


@st.composite
def broken_events(draw) -> object:
    """Events whose parts are missing or of another kind, and whatever else JSON can hold."""
    broken = draw(requests())
    places = st.sampled_from([broken, broken["requestContext"], broken["requestContext"]["http"]])
    for place in draw(st.lists(places, max_size=3)):
        place[draw(st.sampled_from([*place]))] = draw(junk())
    return broken if draw(st.booleans()) else draw(junk())


# What must come back


def check(function, asked: object) -> None:
    answer = function.handle(asked, None)
    SEEN[answer["statusCode"]] += 1
    if SEEN.total() % 5 == 0:
        KEPT.append(asked)
    assert answer["statusCode"] in STATUSES, answer["body"]
    json.dumps(answer)  # Lambda does the same
    assert all(isinstance(v, str) and "\n" not in v for v in answer["headers"].values())
    if answer["statusCode"] >= 400 and answer["body"]:
        error = json.loads(answer["body"])["error"]
        assert error["code"] and error["message"] and "Traceback" not in answer["body"]


@pytest.fixture(scope="module")
def staffed(function, bundle, tmp_path_factory, quiet):
    """The function with people who may be changed: enrolments that happen to be right are written."""
    place = tmp_path_factory.mktemp("people") / "people.npz"
    settings = Settings(
        model_bundle=str(bundle), face_keys=f"{ASK_KEY} {MANAGE_KEY}", face_gallery=str(place)
    )
    staffed = Application(settings)
    staffed.store = function.store
    return staffed


@share(0.4)
@given(
    data=damaged_photos(),
    route=st.sampled_from([route for route in ROUTES if route.method in ("POST", "PUT")]),
)
def test_damaged_photos(staffed, data, route):
    path = route.path.replace("{name}", "Eve") + "?consent=2026-01-01"
    key = {"x_api_key": ASK if route.scope == "recognise" else MANAGE}
    check(staffed, event(route.method, path, data, content_type="image/jpeg", **key))


@share(0.4)
@given(asked=requests())
def test_requests_with_anything_in_them(staffed, asked):
    check(staffed, asked)


@share(0.2)
@given(asked=broken_events())
def test_events_that_are_none(staffed, asked):
    check(staffed, asked)


def test_sent_once_more_they_take_no_more_memory(staffed):
    # Hypothesis remembers all it has tried, some kB each: so this is looked at while nothing new is made up.
    rng, process, marks = np.random.default_rng(0), psutil.Process(), []
    noise = [rng.integers(0, 255, (side, 1201 - side, 3), np.uint8) for side in range(1, 1200, 48)]
    again = [*KEPT, *(event("POST", "/recognize", packed(Image.fromarray(pixels))) for pixels in noise)]
    rounds = max(4, REQUESTS // 2 // len(again))
    for _ in range(rounds):
        for asked in again:
            assert staffed.handle(asked)["statusCode"] in STATUSES
        gc.collect()
        marks.append(process.memory_info().rss / 2**20)
    print(f"\n{SEEN.total():,} requests: {dict(sorted(SEEN.items()))}")
    print(f"memory in MB after each {len(again)} of them again: {[round(mark) for mark in marks]}")
    assert marks[-1] - marks[rounds // 2 - 1] < 4
