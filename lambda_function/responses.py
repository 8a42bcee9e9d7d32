"""Answers in the shape that Function URLs and both kinds of API Gateway take."""

import base64
import io
import json

import numpy as np
from PIL import Image

from .events import HttpError, Request

SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
# The page holds its own script and style; it may talk to the function it came from, and to nothing else.
PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def as_json(status: int, content: dict, headers: dict | None = None) -> dict:
    """Answer with JSON."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return _answer(status, text, {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def as_error(error: HttpError) -> dict:
    """Answer with {"error": {"code", "message", ...}}."""
    content = {"error": {"code": error.code, "message": error.message, **error.details}}
    return as_json(error.status, content, error.headers)


def as_page(html: str) -> dict:
    """Answer with the web page."""
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": PAGE_POLICY}
    return _answer(200, html, headers)


def as_jpeg(data: bytes, headers: dict) -> dict:
    """Answer with a picture."""
    answer = _answer(200, base64.b64encode(data).decode(), {"Content-Type": "image/jpeg", **headers})
    return {**answer, "isBase64Encoded": True}


def no_content(headers: dict) -> dict:
    """Answer with headers alone."""
    return _answer(204, "", headers)


def without_body(answer: dict) -> dict:
    """Keep an answer's head, as HEAD wants it."""
    return {**answer, "body": "", "isBase64Encoded": False}


def _answer(status: int, body: str, headers: dict) -> dict:
    return {"statusCode": status, "headers": {**SAFE, **headers}, "body": body, "isBase64Encoded": False}


def jpeg_of(crop: np.ndarray) -> bytes:
    """Encode a picture, (height, width, 3) uint8 RGB, as a JPEG of high quality."""
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def prefers_jpeg(accept: str) -> bool:
    """Whether an Accept header (RFC 9110, 12.5.1) wants image/jpeg rather than application/json."""
    return _quality(accept, "image/jpeg") > _quality(accept, "application/json")


def _quality(accept: str, kind: str) -> float:
    """Weight of the most specific range of `accept` that covers `kind`, 0 to 1."""
    ranges = {kind: 2, kind.split("/")[0] + "/*": 1, "*/*": 0}
    best = (-1, 0.0)
    for part in accept.lower().split(",")[:50]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name in ranges:
            weights = [p[2:] for p in parameters if p.startswith("q=")]
            try:
                weight = float(weights[0]) if weights else 1.0
            except ValueError:
                weight = 0.0
            best = max(best, (ranges[name], weight))
    return best[1]


def cors_headers(request: Request, origins: tuple[str, ...], methods: list[str]) -> dict:
    """Headers that let a page from one of `origins` call the function from a browser.

    Parameters
    ----------
    request : Request
    origins : tuple of str
        "https://example.org", or "*" for any.
    methods : list of str
        What the path answers to.
    """
    origin = request.headers.get("origin", "")
    if not origins:
        return {}
    if "*" not in origins and origin not in origins:
        return {"Vary": "Origin"}
    headers = {"Access-Control-Allow-Origin": "*" if "*" in origins else origin, "Vary": "Origin"}
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = ", ".join(methods)
        headers["Access-Control-Allow-Headers"] = "Content-Type, Accept"
        headers["Access-Control-Max-Age"] = "3600"
    return headers
