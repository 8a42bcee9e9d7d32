"""Lambda's events to one plain request: Function URL, API Gateway HTTP API (v2) and REST API (v1)."""

import base64
import binascii
from dataclasses import dataclass, field


class HttpError(Exception):
    """A request that is answered with an error.

    Attributes
    ----------
    status : int
        HTTP status.
    code : str
        Stable name for programs.
    message : str
        What is wrong and what to do, for people.
    details : dict
        Further JSON values of the error object.
    headers : dict
        Further HTTP headers of the answer.
    """

    def __init__(self, status: int, code: str, message: str, *, headers: dict | None = None, **details):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers, self.details = headers or {}, details


@dataclass(frozen=True)
class Request:
    """What all three event shapes have in common.

    Attributes
    ----------
    method : str
        In capitals.
    path : str
        Without the stage, with a leading slash and no trailing one.
    headers : dict
        Names in lower case.
    client : str
        The caller's address, or "" if the event has none. Never logged.
    request_id : str
    body : str or None
        As it came; see `read_body`.
    is_base64 : bool
        Whether `body` is base64.
    """

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    client: str = ""
    request_id: str = ""
    body: str | None = None
    is_base64: bool = False


def parse_event(event: object) -> Request:
    """Read an event of any of the three shapes.

    Raises
    ------
    HttpError
        400 if it is no HTTP event.
    """
    if not isinstance(event, dict):
        raise HttpError(400, "bad_event", "this function answers HTTP requests only")
    context = _dict(event.get("requestContext"))
    http = _dict(context.get("http"))
    method, path = http.get("method") or event.get("httpMethod"), event.get("rawPath") or event.get("path")
    if not isinstance(method, str) or not isinstance(path, str):
        raise HttpError(400, "bad_event", "this function answers HTTP requests only")
    client = http.get("sourceIp") or _dict(context.get("identity")).get("sourceIp")
    body = event.get("body")
    if body is not None and not isinstance(body, str):
        raise HttpError(400, "bad_event", "the request's body must be a string")
    return Request(
        method=method.upper()[:16],
        path=_path(path, context.get("stage") if "version" in event else None),
        headers=_headers(event),
        client=client if isinstance(client, str) else "",
        request_id=str(context.get("requestId") or "")[:80],
        body=body,
        is_base64=event.get("isBase64Encoded") is True,
    )


def _dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _path(path: str, stage: object) -> str:
    """Cut off the stage, which HTTP APIs put in front of the path and REST APIs do not."""
    if isinstance(stage, str) and stage != "$default" and (path + "/").startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :]
    return "/" + path.strip("/")


def _headers(event: dict) -> dict[str, str]:
    headers = {
        name.lower(): values[-1]
        for name, values in _dict(event.get("multiValueHeaders")).items()
        if isinstance(name, str) and isinstance(values, list) and values and isinstance(values[-1], str)
    }
    for name, value in _dict(event.get("headers")).items():
        if isinstance(name, str) and isinstance(value, str):
            headers[name.lower()] = value
    return headers


def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body's bytes.

    Raises
    ------
    HttpError
        413 before anything is decoded if there are more than `max_bytes`; 400 if the base64 is damaged.
    """
    text = request.body or ""
    if len(text) > (max_bytes * 4 // 3 + 4 if request.is_base64 else max_bytes):
        raise too_large(max_bytes)
    if not request.is_base64:
        return text.encode("utf-8", "surrogatepass")
    return decode_base64(text)


def decode_base64(text: str) -> bytes:
    """Undo base64.

    Raises
    ------
    HttpError
        400 if `text` is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise HttpError(400, "bad_base64", "the photo's base64 is damaged or cut off") from None


def too_large(max_bytes: int) -> HttpError:
    """Return the error that says how many bytes are taken."""
    return HttpError(
        413,
        "too_many_bytes",
        f"the request is too large: a photo may have at most {max_bytes:,} bytes; make it smaller and try again",
    )
