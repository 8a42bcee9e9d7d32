"""A thousand good requests in a row: the same answers, and no more memory than after the first hundred."""

import base64
import gc
import io

import psutil
from make_events import form
from PIL import Image

from facecourse.core.paths import PEOPLE_DIR

BOUNDARY_TYPE = "multipart/form-data; boundary=----facecourse7f3a"


def small(path) -> bytes:
    """A photo that takes the function a few hundredths of a second."""
    file = io.BytesIO()
    Image.open(path).resize((110, 110)).save(file, "JPEG", quality=90)
    return file.getvalue()


def test_a_thousand_requests_do_not_fill_the_memory(function, new_event, quiet):
    photos = [small(path) for path in sorted(PEOPLE_DIR.glob("*/*_0001.jpg"))]
    events = [new_event("POST", "/recognize", data, content_type="image/jpeg") for data in photos]
    events += [new_event("POST", "/align", form(data), content_type=BOUNDARY_TYPE) for data in photos]
    expected = [function.handle(event)["body"] for event in events]
    assert base64.b64encode(photos[0]).decode() not in "".join(expected)
    process, marks = psutil.Process(), []
    for number in range(1000):
        answer = function.handle(events[number % len(events)])
        assert answer["statusCode"] == 200 and answer["body"] == expected[number % len(events)]
        if number % 100 == 99:
            gc.collect()
            marks.append(process.memory_info().rss / 2**20)
    print(f"\nmemory in MB after each hundred: {[round(mark) for mark in marks]}")
    assert marks[-1] - marks[0] < 16
