"""Lambda's event to one plain request: Function URLs and HTTP APIs, which share payload format 2.0."""

from dataclasses import dataclass, field


class HttpError(Exception):
    """A request that is answered with an error: the only kind that leaves the function.

    Attributes
    ----------
    status : int
        HTTP status.
    code : str
        Stable name for programs.
    message : str
        What is wrong and what to do, for people.
    headers : dict
        Further HTTP headers of the answer.
    details : dict
        Further JSON values of the error object.
    """

    def __init__(self, status: int, code: str, message: str, *, headers: dict | None = None, **details):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers, self.details = headers or {}, details


@dataclass(frozen=True)
class Request:
    """What the function needs of an event.

    Attributes
    ----------
    method : str
        In capitals.
    path : str
        Without the stage, with a leading slash and no trailing one.
    headers : dict
        Names in lower case.
    body : str
        As it came; see `bodies.read_body`.
    is_base64 : bool
        Whether `body` is base64.
    facts : dict
        What the request's line in the log says; no photo, name or address.
    """

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    is_base64: bool = False
    facts: dict = field(default_factory=dict)


def parse_event(event: object) -> Request:
    """Read an event; HttpError 400 if it is no HTTP request, or one in another shape."""
    try:
        context, headers = event["requestContext"], event.get("headers") or {}
        method, path, body = context["http"]["method"], event["rawPath"], event.get("body") or ""
        stage = context.get("stage") or "$default"
        texts = [method, path, body, stage, *headers, *headers.values()]
    except (TypeError, KeyError, AttributeError):
        texts = [None]
    if not all(isinstance(text, str) for text in texts):
        raise HttpError(
            400, "bad_event", "this function answers HTTP requests of payload format 2.0 and nothing else"
        )
    if stage != "$default" and (path + "/").startswith(f"/{stage}/"):  # an HTTP API puts it in front
        path = path[len(stage) + 1 :]
    return Request(
        method.upper(),
        "/" + path.strip("/"),
        {name.lower(): value for name, value in headers.items()},
        body,
        event.get("isBase64Encoded") is True,
    )
