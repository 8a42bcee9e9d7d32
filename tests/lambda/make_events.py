"""Writes events/*.json: what Lambda hands to the function, in all three shapes. Run it to write them anew.

    python tests/lambda/make_events.py

Each file is one event as it comes, good for `sam local invoke --event` too. What is to come back stands in
test_events.py.
"""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "data"
BOUNDARY = "----facecourse7f3a"
CLIENT = "203.0.113.7"  # an address set aside for documentation (RFC 5737)


# Events


def url(method: str, path: str, body: bytes | str | None = None, stage: str = "$default", **headers) -> dict:
    """A Function URL's event, and an HTTP API's: both are payload format 2.0."""
    prefix = "" if stage == "$default" else f"/{stage}"
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": prefix + path,
        "rawQueryString": "",
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {
            "http": {"method": method, "path": prefix + path, "protocol": "HTTP/1.1", "sourceIp": CLIENT},
            "requestId": "b2c1",
            "stage": stage,
        },
    }
    return event | as_body(body)


def rest(method: str, path: str, body: bytes | str | None = None, **headers) -> dict:
    """A REST API's event: payload format 1.0."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    event = {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": named or None,
        "multiValueHeaders": {name: [value] for name, value in named.items()} or None,
        "queryStringParameters": None,
        "requestContext": {
            "path": f"/prod{path}",
            "stage": "prod",
            "requestId": "c6af",
            "identity": {"sourceIp": CLIENT},
        },
    }
    return event | {"body": None} | as_body(body)


def as_body(body: bytes | str | None) -> dict:
    if body is None:
        return {"isBase64Encoded": False}
    if isinstance(body, str):
        return {"body": body, "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


# Photos


def face(size: int = 160) -> Image.Image:
    return Image.open(DATA / "people/Ada_Ferro/Ada_Ferro_0001.jpg").resize((size, size))


def packed(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned() -> bytes:
    """Lies on its side, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return packed(face().transpose(Image.Transpose.ROTATE_90), quality=85, exif=exif)


def two_faces() -> bytes:
    other = Image.open(DATA / "people/Bruno_Takala/Bruno_Takala_0001.jpg").resize((160, 160))
    both = Image.new("RGB", (320, 160))
    both.paste(face(), (0, 0))
    both.paste(other, (160, 0))
    return packed(both, quality=85)


def transparent() -> bytes:
    image = face(140).convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.linspace(180, 255, 140).astype(np.uint8), (140, 1))))
    return packed(image, "PNG", optimize=True)


# Hostile pictures


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, extra: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(min(width * height + height, 4_000_000)), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + extra
        + png_chunk(b"IDAT", pixels)
        + png_chunk(b"IEND", b"")
    )


def scan_bomb(side: int = 64, scans: int = 500) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    plain = packed(Image.new("RGB", (side, side)), progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:last] + plain[last:-2] * scans + b"\xff\xd9"


def text_bomb(chunks: int = 8) -> bytes:
    """A tiny PNG with megabytes of compressed text."""
    return png(32, 32, png_chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 1_000_000, 9)) * chunks)


BOMBS = {
    "png": png(50_000, 50_000),
    "jpeg": packed(Image.new("L", (60_000, 600)), quality=20)[:700],
    "gif": packed(Image.new("P", (6_000, 6_000)), "GIF")[:800],
    "webp": b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + (16382 | 16382 << 14).to_bytes(4, "little") + bytes(5),
    "bmp": b"BM"
    + struct.pack("<IHHI", 154, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    + bytes(100),
    "jpeg_scans": scan_bomb(),
    "png_text": text_bomb(),
}


# Wrappings


def form(data: bytes, name: str = "photo", end: bool = True) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="me.jpg"\r\n'
    note = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    body = note.encode() + head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + data
    return body + (f"\r\n--{BOUNDARY}--\r\n".encode() if end else b"")


def photo_events() -> dict[str, dict]:
    jpeg = packed(face(), quality=85)
    text = base64.b64encode(jpeg).decode()
    kind = {"content_type": "image/jpeg"}
    multipart = {"content_type": f"multipart/form-data; boundary={BOUNDARY}"}
    return {
        "recognize_url": url("POST", "/recognize", jpeg, **kind),
        "recognize_rest": rest("POST", "/recognize", jpeg, **kind),
        "recognize_stage": url("POST", "/recognize", jpeg, stage="prod", **kind),
        "recognize_png": url("POST", "/recognize", packed(face(140), "PNG"), content_type="image/png"),
        "recognize_webp": url(
            "POST", "/recognize", packed(face(), "WEBP", quality=85), content_type="image/webp"
        ),
        "recognize_gif": url("POST", "/recognize", packed(face(), "GIF"), content_type="image/gif"),
        "recognize_turned": url("POST", "/recognize", turned(), **kind),
        "recognize_cmyk": url("POST", "/recognize", packed(face().convert("CMYK"), quality=85), **kind),
        "recognize_grey": url("POST", "/recognize", packed(face().convert("L"), quality=85), **kind),
        "recognize_transparent": url("POST", "/recognize", transparent(), content_type="image/png"),
        "recognize_two": url("POST", "/recognize", two_faces(), **kind),
        "recognize_no_face": url("POST", "/recognize", packed(Image.new("RGB", (120, 90), "teal")), **kind),
        "recognize_one_pixel": url("POST", "/recognize", packed(Image.new("RGB", (1, 1)), "PNG"), **kind),
        "recognize_octets": url("POST", "/recognize", jpeg, content_type="application/octet-stream"),
        "recognize_untyped": url("POST", "/recognize", jpeg),
        "recognize_mislabelled": url("POST", "/recognize", jpeg, content_type="image/png"),
        "recognize_form": url("POST", "/recognize", form(jpeg), **multipart),
        "recognize_form_rest": rest("POST", "/recognize", form(jpeg), **multipart),
        "recognize_form_other_name": url("POST", "/recognize", form(jpeg, "upload"), **multipart),
        "recognize_json": url(
            "POST", "/recognize", json.dumps({"image": text}), content_type="application/json"
        ),
        "recognize_json_in_base64": url(
            "POST", "/recognize", json.dumps({"image": text}).encode(), content_type="application/json"
        ),
        "recognize_data_url": rest(
            "POST",
            "/recognize",
            json.dumps({"image": f"data:image/jpeg;base64,{text}"}),
            content_type="application/json; charset=utf-8",
        ),
        "recognize_many_values": without_single_headers(rest("POST", "/recognize", jpeg, **kind)),
        "align_json": url("POST", "/align", jpeg, **kind),
        "align_jpeg": url("POST", "/align", jpeg, accept="image/jpeg", **kind),
        "align_jpeg_rest": rest("POST", "/align", jpeg, accept="image/*,application/json;q=0.5", **kind),
        "align_any": url("POST", "/align", form(jpeg), accept="*/*", **multipart),
        "align_two": url("POST", "/align", two_faces(), **kind),
        "align_no_face": rest("POST", "/align", packed(Image.new("RGB", (120, 90), "teal")), **kind),
    }


def without_single_headers(event: dict) -> dict:
    return event | {"headers": None}


def refused_events() -> dict[str, dict]:
    jpeg = packed(face(), quality=85)
    kind = {"content_type": "image/jpeg"}
    multipart = {"content_type": f"multipart/form-data; boundary={BOUNDARY}"}
    in_json = {"content_type": "application/json"}
    return {
        "refused_text": url("POST", "/recognize", "hello", content_type="text/plain"),
        "refused_urlencoded": url(
            "POST", "/recognize", jpeg, content_type="application/x-www-form-urlencoded"
        ),
        "refused_html_as_jpeg": url("POST", "/recognize", b"<!doctype html><p>hello", **kind),
        "refused_svg": url(
            "POST", "/recognize", b"<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg"
        ),
        "refused_heic": url(
            "POST", "/recognize", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), content_type="image/heic"
        ),
        "refused_zip": rest(
            "POST", "/recognize", b"PK\x03\x04" + bytes(60), content_type="application/octet-stream"
        ),
        "refused_empty": url("POST", "/recognize", **kind),
        "refused_empty_rest": rest("POST", "/align"),
        "refused_base64": url("POST", "/recognize", b"", **kind)
        | {"body": "/9j/4AAQ*Zk", "isBase64Encoded": True},
        "refused_as_text": rest("POST", "/recognize", jpeg[:400].decode("utf-8", "replace"), **kind),
        "refused_cut_off": url("POST", "/recognize", jpeg[: len(jpeg) // 2], **kind),
        "refused_cut_off_align": rest(
            "POST", "/align", packed(face(140), "PNG")[:5000], content_type="image/png"
        ),
        "refused_json": url("POST", "/recognize", '{"image": ', **in_json),
        "refused_json_list": url("POST", "/recognize", "[1, 2]", **in_json),
        "refused_json_number": url("POST", "/align", '{"image": 7}', **in_json),
        "refused_json_deep": url("POST", "/recognize", "[" * 20_000, **in_json),
        "refused_json_not_base64": url("POST", "/recognize", '{"image": "not base64!"}', **in_json),
        "refused_form_no_boundary": url("POST", "/recognize", form(jpeg), content_type="multipart/form-data"),
        "refused_form_cut_off": url("POST", "/recognize", form(jpeg, end=False), **multipart),
        "refused_form_no_file": url(
            "POST",
            "/recognize",
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--{BOUNDARY}--\r\n'.encode(),
            **multipart,
        ),
        "refused_form_not_a_form": rest("POST", "/recognize", b"hello", **multipart),
        **{f"bomb_{name}": url("POST", "/recognize", data, **kind) for name, data in BOMBS.items()},
        "bomb_png_in_form": rest("POST", "/align", form(BOMBS["png"]), **multipart),
    }


def other_events() -> dict[str, dict]:
    return {
        "page_url": url("GET", "/"),
        "page_rest": rest("GET", "/"),
        "page_stage": url("GET", "", stage="prod"),
        "page_head": url("HEAD", "/"),
        "page_options": url("OPTIONS", "/"),
        "page_post": url("POST", "/", "hello", content_type="text/plain"),
        "health_url": url("GET", "/health"),
        "health_rest": rest("GET", "/health"),
        "health_stage": url("GET", "/health", stage="prod"),
        "health_head": rest("HEAD", "/health"),
        "health_slash": url("GET", "/health/"),
        "health_delete": url("DELETE", "/health"),
        "recognize_get": url("GET", "/recognize"),
        "recognize_put": rest("PUT", "/recognize", b"x", content_type="image/jpeg"),
        "recognize_preflight": url(
            "OPTIONS", "/recognize", origin="https://example.org", access_control_request_method="POST"
        ),
        "align_preflight_rest": rest("OPTIONS", "/align", origin="https://example.org"),
        "unknown_path": url("GET", "/admin"),
        "unknown_path_rest": rest("POST", "/recognize/now", b"x"),
        "unknown_traversal": url("GET", "/../../etc/passwd"),
        "unknown_options": url("OPTIONS", "/nowhere"),
        "not_http_empty": {},
        "not_http_s3": {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a.jpg"}}}]},
        "not_http_timer": {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        "not_http_numbers": {"httpMethod": 1, "path": ["/"], "headers": 5, "body": 3},
    }


def main() -> None:
    folder = HERE / "events"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    events = photo_events() | refused_events() | other_events()
    for name, event in events.items():
        (folder / f"{name}.json").write_text(json.dumps(event, indent=1) + "\n")
    print(f"{len(events)} events, {sum(p.stat().st_size for p in folder.iterdir()):,} bytes")


if __name__ == "__main__":
    main()
