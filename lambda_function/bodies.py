"""A request's body to the photo in it: the raw picture, a form with a file, or JSON with base64."""

import base64
import json
import logging
import math

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from .events import HttpError, Request

OVERHEAD = 64 * 1024  # of a form's boundaries and headers, or of JSON's
FIELDS = (b"photo", b"image", b"file")
# The parser quotes what it stumbles over, and the log is to hold nothing of a photo.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def photo_bytes(request: Request, max_bytes: int) -> bytes:
    """Return the encoded photo that a request brings.

    Its Content-Type says how the photo is wrapped: image/* or application/octet-stream (raw),
    multipart/form-data (first file, or a field photo, image or file), application/json ({"image": base64 or a
    data URL}).

    Raises
    ------
    HttpError
        400 if there is no photo or its wrapping is damaged, 413 if it has more than `max_bytes`, 415 if it is
        wrapped in another way.
    """
    kind, options = parse_options_header(request.headers.get("content-type", "").encode("utf-8", "replace"))
    if kind == b"multipart/form-data":
        photo = _from_form(read_body(request, max_bytes + OVERHEAD), options.get(b"boundary"))
    elif kind == b"application/json":
        photo = _from_json(read_body(request, max_bytes * 4 // 3 + OVERHEAD))
    elif kind not in (b"", b"application/octet-stream") and not kind.startswith(b"image/"):
        raise HttpError(
            415,
            "unsupported_content_type",
            "send the picture itself with Content-Type image/jpeg, image/png or image/webp, a form "
            '(multipart/form-data), or JSON {"image": base64}',
        )
    elif request.body and not request.is_base64:
        # A gateway that takes a picture's bytes for text has lost some of them for good.
        raise HttpError(
            400, "not_binary", "the photo arrived as text: send it as image/jpeg, image/png or image/webp"
        )
    else:
        photo = read_body(request, max_bytes)
    if len(photo) > max_bytes:
        raise _too_large(max_bytes)
    if not photo:
        raise HttpError(400, "no_photo", "the request has no photo in it")
    return photo


def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body's bytes; HttpError 413 before more than `max_bytes` are decoded, 400 for damaged base64."""
    if len(request.body) > (max_bytes * 4 // 3 + 4 if request.is_base64 else max_bytes):
        raise _too_large(max_bytes)
    return _decoded(request.body) if request.is_base64 else request.body.encode("utf-8", "surrogatepass")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii's is one
        raise HttpError(400, "bad_base64", "the photo's base64 is damaged or cut off") from None


def _too_large(max_bytes: int) -> HttpError:
    message = f"the request is too large: a photo may have at most {max_bytes:,} bytes; make it smaller and try again"
    return HttpError(413, "too_many_bytes", message)


def _from_json(body: bytes) -> bytes:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError(400, "bad_json", "the request's JSON is damaged") from None
    text = content.get("image") if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise HttpError(400, "no_photo", 'the JSON needs a field "image" with the photo in base64')
    if text.startswith("data:"):
        text = text.partition(",")[2]
    return _decoded("".join(text.split()))


def _from_form(body: bytes, boundary: bytes | None) -> bytes:
    """Read the first file of a form without writing to disk."""
    if not boundary:
        raise HttpError(400, "bad_form", "the form's Content-Type names no boundary")
    found, finished = [], []
    try:
        parser = FormParser(
            "multipart/form-data",
            on_field=lambda field: found.append(field.value) if field.field_name in FIELDS else None,
            on_file=lambda file: found.append(file.file_object.getvalue()),
            on_end=lambda: finished.append(True),
            boundary=boundary,
            config={"MAX_MEMORY_FILE_SIZE": math.inf, "MAX_BODY_SIZE": math.inf},
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError, AssertionError):
        finished.clear()
    if not finished:
        raise HttpError(400, "bad_form", "the form is damaged or cut off")
    return next((value for value in found if value), b"")
