"""The bridge that serves the function on this machine as a Function URL does."""

import http.client
import json
from urllib.parse import urlsplit

import pytest
import requests

from facecourse.deployment.local_function import EVENT_LIMIT, LocalFunction, url_event


def echo(event, context):
    """A function that answers with what it was given."""
    if event["rawPath"] == "/broken":
        raise RuntimeError("on purpose")
    return {
        "statusCode": 200,
        "headers": {"X-Kind": "echo"},
        "body": json.dumps(event),
        "isBase64Encoded": False,
    }


@pytest.fixture(scope="module")
def address():
    with LocalFunction(echo) as local:
        yield local.url


def test_bytes_become_base64_and_text_stays_text():
    picture = url_event("POST", "/recognize?a=1", {"Content-Type": "image/jpeg"}, b"\xff\xd8")
    assert (picture["body"], picture["isBase64Encoded"]) == ("/9g=", True)
    assert (picture["rawPath"], picture["rawQueryString"]) == ("/recognize", "a=1")
    text = url_event("POST", "/recognize", {"Content-Type": "application/json"}, b'{"a": 1}')
    assert (text["body"], text["isBase64Encoded"]) == ('{"a": 1}', False)
    assert "body" not in url_event("GET", "/", {}, b"")


def test_a_request_reaches_the_function_as_an_event(address):
    answer = requests.post(address + "align", data=b"\0\1", headers={"Content-Type": "image/png"}, timeout=10)
    event = answer.json()
    assert answer.headers["X-Kind"] == "echo" and event["headers"]["content-type"] == "image/png"
    assert event["requestContext"]["http"]["method"] == "POST" and event["rawPath"] == "/align"


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "https://evil.example"},
        {"Host": "evil.example"},  # a name that resolves to this machine
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_page_is_refused_and_our_own_is_not(address, foreign):
    assert requests.post(address + "align", data=b"x", headers=foreign, timeout=10).status_code == 403
    own = {"Origin": address.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert requests.post(address + "align", data=b"x", headers=own, timeout=10).status_code == 200


def test_what_lambda_would_not_pass_on_is_refused(address):
    large = requests.post(address, data=bytes(EVENT_LIMIT * 3 // 4 + 1000), timeout=30)
    assert (large.status_code, large.json()) == (413, {"Message": "Request Entity Too Large"})
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("POST", "/", headers={"Content-Length": "many"})
    assert connection.getresponse().status == 400
    connection.close()


def test_a_function_that_fails_is_a_502_without_its_reasons(address, capsys):
    answer = requests.get(address + "broken", timeout=10)
    assert answer.status_code == 502 and "purpose" not in answer.text
    assert "on purpose" in capsys.readouterr().err
