"""The Lambda function on this machine: a small web server that turns HTTP into Function URL events."""

import base64
import contextlib
import json
import threading
import traceback
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

EVENT_LIMIT = 6 * 1024 * 1024  # bytes of a request that Lambda passes on, after base64
TEXT = ("text/", "application/json", "application/xml", "application/javascript")


def url_event(
    method: str, target: str, headers: dict[str, str], body: bytes, client: str = "127.0.0.1"
) -> dict:
    """Build the event that a Function URL makes of a request (payload format 2.0), as far as the function reads it.

    `target` is path and query as in the request line, `client` the caller's address. The body is base64 in the
    event unless its Content-Type says text or JSON, as in AWS.
    """
    parts = urlsplit(target)
    path = parts.path or "/"
    headers = {name.lower(): value for name, value in headers.items()}
    binary = bool(body) and not headers.get("content-type", "").lower().startswith(TEXT)
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": parts.query,
        "headers": headers,
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": client},
            "requestId": str(uuid.uuid4()),
        },
        "isBase64Encoded": binary,
    }
    if body:
        event["body"] = base64.b64encode(body).decode() if binary else body.decode("utf-8", "replace")
    return event


class LocalFunction:
    """Serve a Lambda handler, (event, context) -> answer, on 127.0.0.1 for as long as the `with` block lasts.

    One request at a time reaches the handler, as in one running copy of a Lambda function. A Function URL's limits
    hold: 413 for a request that is too large, 502 for a handler that fails. Other pages than the function's own are
    refused with 403, and so is a name of theirs that resolves to this machine. Port 0 takes a free one; `url` ends with
    a slash.

    >>> with LocalFunction(handler) as function:
    ...     requests.get(function.url + "health")
    """

    def __init__(self, handler: Callable[[dict, object], dict], port: int = 0):
        bridge = type("Bridge", (_Bridge,), {"handler": staticmethod(handler), "lock": threading.Lock()})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), bridge)
        bridge.hosts = {f"{name}:{self._server.server_address[1]}" for name in ("127.0.0.1", "localhost")}
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> "LocalFunction":
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Bridge(BaseHTTPRequestHandler):
    """From a request to `handler` and back; a subclass brings `handler`, its `lock`, and the server's `hosts`."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "none")
        ours = self.headers.get("Host") in self.hosts and site in ("none", "same-origin")
        if not ours or (origin and urlsplit(origin).netloc not in self.hosts):
            return self._refuse(403, "Forbidden")
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if length < 0 or self.headers.get("Transfer-Encoding"):
            return self._refuse(400, "Bad Request")
        if length > EVENT_LIMIT:
            return self._refuse(413, "Request Entity Too Large")
        body = self.rfile.read(length)
        event = url_event(self.command, self.path, dict(self.headers), body, self.client_address[0])
        if len(event.get("body", "")) > EVENT_LIMIT:
            return self._refuse(413, "Request Entity Too Large")
        try:
            with self.lock:
                answer = self.handler(event, None)
        except Exception:
            traceback.print_exc()
            return self._refuse(502, "Internal Server Error")
        content = answer.get("body") or ""
        data = base64.b64decode(content) if answer.get("isBase64Encoded") else content.encode()
        return self._send(answer["statusCode"], answer.get("headers", {}), data)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer

    def _refuse(self, status: int, message: str) -> None:
        """Answer as Lambda itself does when the function is never reached."""
        self.close_connection = True  # the body has not been read
        self._send(status, {"Content-Type": "application/json"}, json.dumps({"Message": message}).encode())

    def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        if status != 204:
            headers = {**headers, "Content-Length": str(len(data))}
        if self.close_connection:
            headers = {**headers, "Connection": "close"}
        # A browser that has moved on to the next photo no longer listens.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    def log_message(self, *arguments) -> None:
        """Stay quiet: the function logs for itself."""
