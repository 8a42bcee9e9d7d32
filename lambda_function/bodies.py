"""A request's body to the photos in it: the raw picture, a form with files, or JSON with base64."""

import base64
import json
import logging
import math
from dataclasses import dataclass

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from .events import HttpError, Request

OVERHEAD = 64 * 1024  # of a form's boundaries and headers, or of JSON's
PHOTO_FIELDS = (b"photo", b"image", b"file")
MAX_FIELDS = 20
# The parser quotes what it stumbles over, and the log is to hold nothing of a photo.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Upload:
    """What a request brings: encoded photos, and the texts beside them."""

    photos: list[bytes]
    fields: dict[str, str]


def read_upload(request: Request, max_bytes: int, max_photos: int = 1) -> Upload:
    """Return the encoded photos of a request and its further fields; those of the address count too.

    Its Content-Type says how they are wrapped: image/* or application/octet-stream (one raw photo),
    multipart/form-data (files, or fields photo, image or file), application/json ({"image": base64 or a data URL},
    or {"images": [...]}). More than `max_photos` are refused where that is more than 1; else the first one counts.

    HttpError 400 if there is no photo or its wrapping is damaged, 413 if they have more than `max_bytes` together or
    are too many, 415 if they are wrapped in another way.
    """
    kind, options = parse_options_header(request.headers.get("content-type", "").encode("utf-8", "replace"))
    if kind == b"multipart/form-data":
        photos, fields = _from_form(read_body(request, max_bytes + OVERHEAD), options.get(b"boundary"))
    elif kind == b"application/json":
        photos, fields = _from_json(read_body(request, max_bytes * 4 // 3 + OVERHEAD))
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
        photos, fields = [read_body(request, max_bytes)], {}
    photos = [photo for photo in photos if photo]
    if max_photos == 1:
        photos = photos[:1]
    if sum(map(len, photos)) > max_bytes:
        raise _too_large(max_bytes)
    if len(photos) > max_photos:
        raise HttpError(413, "too_many_photos", f"at most {max_photos} photos are taken at a time")
    if not photos:
        raise HttpError(400, "no_photo", "the request has no photo in it")
    return Upload(photos, {**request.query, **fields})


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


def _from_json(body: bytes) -> tuple[list[bytes], dict[str, str]]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError(400, "bad_json", "the request's JSON is damaged") from None
    content = content if isinstance(content, dict) else {}
    texts = content.get("images", [content.get("image")])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise HttpError(400, "no_photo", 'the JSON needs a field "image" with the photo in base64')
    photos = [text.partition(",")[2] if text.startswith("data:") else text for text in texts]
    fields = {name: value for name, value in content.items() if isinstance(value, str) and name != "image"}
    try:
        "".join(fields.values()).encode()
    except UnicodeEncodeError:  # a lone surrogate, which no answer could hold in UTF-8
        raise HttpError(400, "bad_json", "the request's JSON has half a character in it") from None
    return [_decoded("".join(text.split())) for text in photos], fields


def _from_form(body: bytes, boundary: bytes | None) -> tuple[list[bytes], dict[str, str]]:
    """Read the files and fields of a form without writing to disk."""
    if not boundary:
        raise HttpError(400, "bad_form", "the form's Content-Type names no boundary")
    photos, fields, finished = [], {}, []

    def on_field(field) -> None:
        if field.field_name in PHOTO_FIELDS:
            photos.append(field.value)
        elif field.field_name and field.value and len(fields) < MAX_FIELDS:
            fields[field.field_name.decode("utf-8", "replace")] = field.value.decode("utf-8", "replace")

    try:
        parser = FormParser(
            "multipart/form-data",
            on_field=on_field,
            on_file=lambda file: photos.append(file.file_object.getvalue()),
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
    return photos, fields
