"""Answers in the shape that Function URLs and HTTP APIs take."""

import base64
import io
import json
import re

import numpy as np
from PIL import Image

from .events import HttpError

SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


def as_json(content: dict, status: int = 200, headers: dict | None = None) -> dict:
    """Answer with JSON."""
    text = json.dumps(content, separators=(",", ":"))
    return answer(status, text, {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def as_error(error: HttpError, request_id: str = "") -> dict:
    """Answer with {"error": {"code", "message", "request_id", ...}}."""
    content = {"code": error.code, "message": error.message, "request_id": request_id, **error.details}
    return as_json({"error": content}, error.status, error.headers)


def as_jpeg(data: bytes, headers: dict | None = None) -> dict:
    """Answer with a picture."""
    text = base64.b64encode(data).decode()
    return answer(200, text, {"Content-Type": "image/jpeg", **(headers or {})}) | {"isBase64Encoded": True}


def answer(status: int, body: str, headers: dict) -> dict:
    """Answer with any text; every answer has the headers of SAFE."""
    return {"statusCode": status, "headers": {**SAFE, **headers}, "body": body, "isBase64Encoded": False}


def jpeg_of(crop: np.ndarray) -> bytes:
    """Encode a picture, (height, width, 3) uint8 RGB, as a JPEG of high quality."""
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def prefers_jpeg(accept: str) -> bool:
    """Whether an Accept header (RFC 9110, 12.5.1) puts image/jpeg before application/json."""
    weights = {}
    for part in accept.lower().split(",")[:50]:
        kind, _, parameters = part.partition(";")
        weight = re.search(r"\bq=([01](?:\.\d{1,3})?)", parameters)
        weights[kind.strip()] = float(weight[1]) if weight else 1.0
    anything = weights.get("*/*", 0.0)
    json_weight = weights.get("application/json", weights.get("application/*", anything))
    return weights.get("image/jpeg", weights.get("image/*", anything)) > json_weight
