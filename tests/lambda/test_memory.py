"""A thousand good requests in a row: the same answers, and no more memory than after the first hundred."""

import base64
import gc

import psutil
from examples import FORM, face, form, packed

from facecourse.core.paths import PEOPLE_DIR


def test_a_thousand_requests_do_not_fill_the_memory(function, new_event, quiet):
    people = sorted(path.parent.name for path in PEOPLE_DIR.glob("*/*_0001.jpg"))
    photos = [packed(face(110, person), quality=90) for person in people]
    events = [new_event("POST", "/recognize", data, content_type="image/jpeg") for data in photos]
    events += [new_event("POST", "/align", form(data), content_type=FORM) for data in photos]
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
