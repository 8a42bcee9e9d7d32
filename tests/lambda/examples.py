"""What the function's tests send: events, photos, forms around them, and pictures that are made to do harm."""

import functools
import hashlib
import io
import json
import struct
import zlib

import numpy as np
from PIL import Image

from facecourse.core.paths import DATA, PEOPLE_DIR
from facecourse.deployment.local_function import url_event

BOUNDARY = "----facecourse7f3a"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
ASK, MANAGE = "a key to ask with", "a key to manage with"
ASK_KEY = f"guest:recognise:{hashlib.sha256(ASK.encode()).hexdigest()}"
MANAGE_KEY = f"boss:manage:{hashlib.sha256(MANAGE.encode()).hexdigest()}"
CLIENT = "203.0.113.7"  # an address set aside for documentation (RFC 5737)


def event(method: str, path: str, body: bytes = b"", **headers: str) -> dict:
    """A Function URL's event."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return url_event(method, path, named, body, CLIENT)


def form(data: bytes, name: str = "photo", end: bool = True) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="me.jpg"\r\n'
    note = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    body = note.encode() + head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + data
    return body + (f"\r\n--{BOUNDARY}--\r\n".encode() if end else b"")


def many(photos: list[bytes], **fields: str) -> tuple[bytes, str]:
    """A form with several photos and fields, and its Content-Type."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    body = b"".join(f'{part}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items())
    for data in photos:
        body += (
            f'{part}"photo"; filename="x.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode() + data + b"\r\n"
        )
    return body + f"--{BOUNDARY}--\r\n".encode(), FORM


# Photos


def face(size: int = 160, person: str = "Ada_Ferro") -> Image.Image:
    return Image.open(PEOPLE_DIR / person / f"{person}_0001.jpg").resize((size, size))


def packed(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


GROUP = DATA / "group" / "group_03.jpg"  # five who are enrolled and a stranger
NEWCOMER = "Cerys_Jankovar"


@functools.cache
def newcomer() -> bytes:
    """The stranger of GROUP, cut out of it."""
    groups = json.loads((DATA / "group" / "groups.json").read_text())
    faces = next(group["faces"] for group in groups if group["file"] == GROUP.name)
    x0, y0, x1, y1 = next(face["box"] for face in faces if face["name"] == NEWCOMER)
    margin = (x1 - x0) / 4
    box = [round(v) for v in (x0 - margin, y0 - margin, x1 + margin, y1 + margin)]
    return packed(Image.open(GROUP).crop(box), quality=95)


def turned() -> bytes:
    """Lies on its side, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return packed(face().transpose(Image.Transpose.ROTATE_90), exif=exif)


def two_faces() -> bytes:
    both = Image.new("RGB", (320, 160))
    both.paste(face(), (0, 0))
    both.paste(face(person="Bruno_Takala"), (160, 0))
    return packed(both)


def transparent() -> bytes:
    image = face().convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.linspace(180, 255, 160).astype(np.uint8), (160, 1))))
    return packed(image, "PNG")


# Pictures that fill the memory or keep the processor busy


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, extra: bytes = b"", pixels: bytes = b"") -> bytes:
    """A grey PNG with more chunks than it needs; black, or with the given IDAT chunks."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    black = zlib.compress(bytes(min(width * height + height, 4_000_000)), 9)
    chunks = [png_chunk(b"IHDR", head), extra, pixels or png_chunk(b"IDAT", black), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def text_chunk(packed_bytes: int, name: bytes = b"zTXt") -> bytes:
    """A PNG's compressed text, or profile, that unpacks to so many bytes."""
    return png_chunk(name, b"k\0\0" + zlib.compress(bytes(packed_bytes), 9))


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG's segment, such as 0xe1 for Exif."""
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data


def with_segments(*segments: bytes) -> bytes:
    """A small JPEG that begins with more segments than its own."""
    plain = packed(Image.new("RGB", (64, 64)))
    return plain[:2] + b"".join(segments) + plain[2:]


def scan_bomb(side: int = 64, scans: int = 500) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    plain = packed(Image.new("RGB", (side, side)), progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:last] + plain[last:-2] * scans + b"\xff\xd9"


@functools.cache
def bombs() -> dict[str, bytes]:
    wide_bmp = struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    wide_webp = b"\x2f" + (16382 | 16382 << 14).to_bytes(4, "little")
    return {
        "png": png(50_000, 50_000),
        "jpeg": packed(Image.new("L", (60_000, 600)), quality=20)[:700],
        "gif": packed(Image.new("P", (6_000, 6_000)), "GIF")[:800],
        "webp": b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0" + wide_webp + bytes(5),
        "bmp": b"BM" + struct.pack("<IHHI", 154, 0, 0, 54) + wide_bmp + bytes(100),
        "jpeg_scans": scan_bomb(),
        "jpeg_exif": with_segments(segment(0xE1, b"Exif\0\0" + bytes(10)) * 220_000),
        "jpeg_exif_large": with_segments(segment(0xE1, b"Exif\0\0" + bytes(900)) * 4_800),
        "jpeg_segments": with_segments(segment(0xE5, b"") * 1_100_000),
        "jpeg_between_segments": with_segments(segment(0xE5, b""), bytes(4_400_000)),
        "png_chunks": png(32, 32, png_chunk(b"prVt", b"") * 360_000),
        "png_texts": png(32, 32, text_chunk(1_000_000) * 8),
        "png_text": png(16, 16, text_chunk(50_000_000)),
        "png_profile": png(16, 16, text_chunk(50_000_000, b"iCCP")),
    }
