"""A request's body to the photo in it: the raw picture, a form with a file, or JSON with base64."""

import json
import logging
import math

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from .events import HttpError, Request, decode_base64, read_body, too_large

FORM_OVERHEAD = 64 * 1024  # boundaries and headers of a form's parts
FIELDS = (b"photo", b"image", b"file")
# The parser quotes what it stumbles over, and the log is to hold nothing of a photo.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def photo_bytes(request: Request, max_bytes: int) -> bytes:
    """Return the encoded photo that a request brings.

    Parameters
    ----------
    request : Request
        Its Content-Type says how the photo is wrapped: image/* or application/octet-stream (raw),
        multipart/form-data (first file, or a field photo, image or file), application/json
        ({"image": base64 or a data URL}).
    max_bytes : int

    Raises
    ------
    HttpError
        400 if there is no photo or its wrapping is damaged, 413 if it is too large, 415 if it is wrapped in
        another way.
    """
    kind, options = parse_options_header(request.headers.get("content-type", "").encode("utf-8", "replace"))
    if kind == b"multipart/form-data":
        photo = _from_form(read_body(request, max_bytes + FORM_OVERHEAD), options.get(b"boundary"))
    elif kind == b"application/json":
        photo = _from_json(request, max_bytes)
    elif kind in (b"", b"application/octet-stream") or kind.startswith(b"image/"):
        photo = _raw(request, max_bytes)
    else:
        raise HttpError(
            415,
            "unsupported_content_type",
            "send the picture itself with Content-Type image/jpeg, image/png or image/webp, a form "
            '(multipart/form-data), or JSON {"image": base64}',
        )
    if len(photo) > max_bytes:
        raise too_large(max_bytes)
    if not photo:
        raise HttpError(400, "no_photo", "the request has no photo in it")
    return photo


def _raw(request: Request, max_bytes: int) -> bytes:
    if request.body and not request.is_base64:
        # A gateway without binary media types turns a picture's bytes into text, which cannot be undone.
        raise HttpError(
            400,
            "not_binary",
            "the photo arrived as text: send the picture's bytes, and let the gateway pass them on as binary",
        )
    return read_body(request, max_bytes)


def _from_json(request: Request, max_bytes: int) -> bytes:
    try:
        content = json.loads(read_body(request, max_bytes * 4 // 3 + FORM_OVERHEAD))
    except (ValueError, RecursionError):
        raise HttpError(400, "bad_json", "the request's JSON is damaged") from None
    text = content.get("image") if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise HttpError(400, "no_photo", 'the JSON needs a field "image" with the photo in base64')
    if text.startswith("data:"):
        text = text.partition(",")[2]
    return decode_base64("".join(text.split()))


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
