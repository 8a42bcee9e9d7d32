"""A small server that speaks the part of the MediaWiki Action API that the course uses, and serves photos.

As documented: generator=search in pages of gsrlimit, `continue` to be sent back as it came, imageinfo for some
pages only in a later answer, maxlag as HTTP 200 with an error and Retry-After, 429 with Retry-After.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.unit.file_server import running

PER_ANSWER = 5


class WikiServer(ThreadingHTTPServer):
    """`photos`: list of dict with title, data, mime, licence (code), short, author; found by every search.

    `faults` are used up one by one by API requests: "maxlag", "html", a status code, or an error's code.
    `photo_faults`: by title, status codes for the requests of that photo in turn.
    """

    daemon_threads = True

    def __init__(self, photos):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.photos, self.faults, self.photo_faults = photos, [], {}
        self.asked, self.fetched, self.agents, self.ready = [], [], set(), threading.Event()

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def api(self):
        return f"{self.url}/w/api.php"

    def page(self, number, photo, with_info):
        page = {"pageid": 1000 + number, "ns": 6, "title": photo["title"], "index": number + 1}
        if with_info:
            about = {
                "License": {"value": photo.get("licence", "cc-by-sa-4.0")},
                "LicenseShortName": {"value": photo.get("short", "CC BY-SA 4.0")},
                "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"},
                "Artist": {"value": photo.get("author", '<a href="x">Some&nbsp;Body</a>')},
            }
            if photo.get("licence") == "":
                del about["License"], about["LicenseShortName"]
            info = {"url": f"{self.url}/full/{number}", "thumburl": f"{self.url}/photo/{number}"}
            info |= {"descriptionurl": f"{self.url}/wiki/{number}", "width": 2000, "height": 1500}
            page["imageinfo"] = [info | {"mime": photo.get("mime", "image/png"), "extmetadata": about}]
        return page

    def answer(self, asked):
        start, later = int(asked.get("gsroffset", 0)), "iicontinue" in asked
        end = min(start + PER_ANSWER, len(self.photos))
        half = start + (end - start + 1) // 2
        numbers = range(start, end)
        pages = [self.page(n, self.photos[n], (n >= half) == later) for n in numbers]
        answer = {"batchcomplete": later, "query": {"pages": pages}} if pages else {"batchcomplete": True}
        if not later and half < end:
            answer["continue"] = {"iicontinue": f"{half}", "gsroffset": start, "continue": "gsroffset||"}
        elif end < len(self.photos):
            answer["continue"] = {"gsroffset": end, "continue": "gsroffset||"}
        return answer


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def reply(self, data, status=200, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        server, parts = self.server, urlsplit(self.path)
        server.agents.add(self.headers.get("User-Agent", ""))
        if parts.path.startswith("/photo/"):
            return self.photo(int(parts.path.split("/")[2]))
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        server.asked.append(asked)
        fault = server.faults.pop(0) if server.faults else None
        if fault == "maxlag":
            error = {"code": "maxlag", "info": "Waiting for db1: 7 seconds lagged", "lag": 7}
            return self.reply(json.dumps({"error": error}).encode(), Retry_After="5", X_Database_Lag="7")
        if fault == "html":
            return self.reply(b"<html>maintenance</html>", kind="text/html")
        if isinstance(fault, int):
            return self.reply(b"", fault, Retry_After="3")
        if fault:
            return self.reply(json.dumps({"error": {"code": fault, "info": "no"}}).encode())
        return self.reply(json.dumps(server.answer(asked)).encode())

    def photo(self, number):
        photo = self.server.photos[number]
        self.server.fetched.append(photo["title"])
        waiting = self.server.photo_faults.get(photo["title"])
        if waiting:
            return self.reply(b"", waiting.pop(0), Retry_After="2")
        return self.reply(photo["data"], kind=photo.get("mime", "image/png"))


def wiki(photos):
    """Run a WikiServer for the length of a block."""
    return running(WikiServer(photos))
