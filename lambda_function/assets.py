"""The page and the description of the API: files that change only with the code."""

import base64
import gzip
import hashlib
import html
from functools import cache
from pathlib import Path

from . import responses
from .events import Request
from .settings import Settings

FOLDER = Path(__file__).parent / "web"
KINDS = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "openapi.json": "application/json; charset=utf-8",
}
# Nothing inline, nothing from elsewhere; the page may talk to the function it came from, and use the camera.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}


def asset(function, request: Request, name: str = "index.html") -> dict:
    """Answer with one of the files, packed where the browser can unpack it; 304 if it has this very one."""
    if request.bare:  # the page's own links would lead past the stage
        return responses.answer(308, "", {"Location": f"./{request.bare}/"})
    content, packed, tag = _read(name, function.settings)
    headers = {
        "Content-Type": KINDS[name],
        "ETag": tag,
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
    }
    headers |= PAGE_HEADERS
    if request.headers.get("if-none-match") == tag:
        return responses.answer(304, "", headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return responses.answer(200, packed, headers | {"Content-Encoding": "gzip"}) | {
            "isBase64Encoded": True
        }
    return responses.answer(200, content, headers)


@cache
def _read(name: str, settings: Settings) -> tuple[str, str, str]:
    content = (FOLDER / name).read_text(encoding="utf-8")
    if name == "index.html":
        for field in ("operator", "contact", "purpose", "retention"):
            content = content.replace(f"{{{{{field}}}}}", html.escape(getattr(settings, f"face_{field}")))
    packed = base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()
    return content, packed, f'"{hashlib.sha256(content.encode()).hexdigest()[:16]}"'
