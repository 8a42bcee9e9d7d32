"""Lambda's event to one plain request: Function URLs and HTTP APIs, which share payload format 2.0."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl


class HttpError(Exception):
    """A request that is answered with an error: the only kind that leaves the function.

    `code` is a stable name for programs, `message` says to people what is wrong and what to do; `details` are further
    JSON values beside them, `headers` further HTTP headers of the answer.
    """

    def __init__(self, status: int, code: str, message: str, *, headers: dict | None = None, **details):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers, self.details = headers or {}, details


@dataclass(frozen=True)
class Request:
    """What the function needs of an event."""

    method: str = ""  # in capitals
    path: str = ""  # as it came, percent signs and all: a leading slash, no trailing one, no stage
    query: dict[str, str] = field(default_factory=dict)  # of a repeated parameter the last
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    body: str = ""  # as it came; see `bodies.read_body`
    is_base64: bool = False
    id: str = ""  # Lambda's or the gateway's own name for this request
    # The address's last part, if it is a stage without a slash: links lead elsewhere then
    bare: str = ""
    facts: dict = field(default_factory=dict)  # for the request's line in the log; no photo, name or address


def parse_event(event: object) -> Request:
    """Read an event; HttpError 400 if it is no HTTP request, or one in another shape."""
    try:
        context, headers = event["requestContext"], event.get("headers") or {}
        method, path, body = context["http"]["method"], event["rawPath"], event.get("body") or ""
        stage, query = context.get("stage") or "$default", event.get("rawQueryString") or ""
        name = context.get("requestId") or ""
        texts = [method, path, body, stage, query, name, *headers, *headers.values()]
    except (TypeError, KeyError, AttributeError):
        texts = [None]
    if not all(isinstance(text, str) for text in texts):
        raise HttpError(
            400, "bad_event", "this function answers HTTP requests of payload format 2.0 and nothing else"
        )
    bare = ""
    if stage != "$default" and (path + "/").startswith(f"/{stage}/"):  # as an HTTP API sends it
        path = path[len(stage) + 1 :]
        bare = "" if path else stage
    try:
        parameters = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise HttpError(400, "bad_parameter", "the address has too many parameters") from None
    return Request(
        method.upper(),
        "/" + path.strip("/"),
        parameters,
        {name.lower(): value for name, value in headers.items()},
        body,
        event.get("isBase64Encoded") is True,
        name,
        bare,
    )
