"""A small HTTP server for the tests: serves bytes with Range, and misbehaves on request."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Serves `files`; `faults` holds, per name, what goes wrong at each request in turn.

    A fault is a status code (answered with it), ("cut", n) (the connection ends after n bytes), "no range"
    (the Range header is ignored) or "wrong range" (another part than asked for is sent).
    """

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.faults, self.requests = dict(files), {}, []

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        name = self.path.lstrip("/")
        asked = self.headers.get("Range")
        self.server.requests.append((name, asked, self.headers.get("User-Agent")))
        waiting = self.server.faults.get(name) or [None]
        fault = waiting.pop(0)
        data = self.server.files.get(name)
        if isinstance(fault, int) or data is None:
            self.send_response(fault or 404)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if asked and fault != "no range":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(data) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = start // 2 if fault == "wrong range" else start
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = start + fault[1] if isinstance(fault, tuple) else len(data)
        self.wfile.write(data[start:end])


@contextmanager
def running(server):
    """Answer requests with a server for the length of a block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def serving(files):
    """Run a FileServer for the length of a block."""
    return running(FileServer(files))
