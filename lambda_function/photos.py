"""Photo files to pixels: the one place where bytes from outside become an image."""

import io
import os
import re
import warnings
from typing import BinaryIO

import numpy as np

# WebPImagePlugin: else Pillow imports all of its forty decoders, for a tenth of a second, when it first meets one.
from PIL import Image, ImageOps, PngImagePlugin, WebPImagePlugin  # noqa: F401

MAX_PIXELS = 50_000_000
# Formats that cameras, phones and browsers write; every further decoder is one more way in for hostile files.
# Phones' multi-picture JPEGs (MPO) come in through JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
# Each scan of a progressive JPEG goes over the whole picture again: 200 kB with 2,000 empty scans take two minutes.
# Encoders write about ten.
MAX_SCANS = 32
# Pillow walks a JPEG's segments and a PNG's chunks in Python, with a few reads for each. A photo has dozens of them,
# a large PNG one for every 8 kB: a file of nothing but empty ones, 4 MB of them, would take ten seconds.
MAX_READS, BYTES_PER_READ = 20_000, 500
# Pillow copies all earlier Exif segments for each one more. There is one per picture, and phones put a few pictures
# into one file.
MAX_EXIF = 32
# Compressed text in a PNG may unpack to this many bytes; Pillow's own limit of 64 MB takes half a second.
PngImagePlugin.MAX_TEXT_MEMORY = 4_000_000
# One photo's broken tags can make a thousand lines of warnings, and what a reader can act on is raised.
warnings.filterwarnings("ignore", module="PIL")


class PhotoError(ValueError):
    """A file that cannot be used as a photo; `message` says why to the person who brought it.

    `code` is "empty", "not_an_image", "too_many_bytes", "too_many_pixels", "too_many_scans", "too_many_parts" or
    "damaged".
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def open_photo(
    source: bytes | str | os.PathLike | BinaryIO,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int | None = None,
) -> np.ndarray:
    """Decode a photo the way a person sees it: turned upright by its EXIF tag, (height, width, 3) uint8, RGB.

    Transparent parts are put on white; CMYK, palette and 16-bit pictures are converted; of an animation the first frame
    is taken. A file longer than `max_bytes` is refused before it is read to its end, a picture of more than
    `max_pixels`, width times height, before a pixel is decoded.

    Raises PhotoError if the file is empty, no image, too large or damaged, and OSError if a path cannot be read.
    """
    data = _read(source, -1 if max_bytes is None else max_bytes + 1)
    if not data:
        raise PhotoError("empty", "the file is empty")
    if max_bytes is not None and len(data) > max_bytes:
        raise PhotoError("too_many_bytes", f"the file is too large; at most {max_bytes / 1e6:g} MB are taken")
    if data.count(b"Exif\0\0") > MAX_EXIF:
        raise _too_many_parts()
    try:
        with Image.open(_LimitedReads(data), formats=FORMATS) as image:
            _check_size(image, max_pixels)
            if image.format in ("JPEG", "MPO"):
                _check_scans(data)
            ImageOps.exif_transpose(image, in_place=True)
            return np.asarray(_to_rgb(image))
    except PhotoError:
        raise
    except Image.UnidentifiedImageError:
        raise PhotoError("not_an_image", "this is not a JPEG, PNG, WebP, GIF or BMP picture") from None
    except Image.DecompressionBombError:
        raise PhotoError("too_many_pixels", f"the picture has more than {max_pixels:,} pixels") from None
    except MemoryError:  # says nothing about the file
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ... on damaged files
        raise PhotoError("damaged", f"the picture is damaged or cut off ({type(error).__name__})") from error


def _read(source: bytes | str | os.PathLike | BinaryIO, count: int) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return file.read(count)
    return source.read(count)


class _LimitedReads(io.BytesIO):
    """Bytes that can be read in so many steps."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self._left = MAX_READS + len(data) // BYTES_PER_READ

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        self._left -= 1
        if self._left < 0:
            raise _too_many_parts()
        return super().read(size)


def _too_many_parts() -> PhotoError:
    return PhotoError(
        "too_many_parts", "the file is cut into too many parts; save the picture again as usual"
    )


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(
            "too_many_pixels",
            f"the picture is {width} x {height} pixels; at most {max_pixels:,} in all are taken",
        )


def _check_scans(data: bytes) -> None:
    """Walk a JPEG's markers (ITU T.81, annex B) up to the end of its first picture and count the scans."""
    marker, place, scans = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])"), 2, 0
    while (found := marker.search(data, place)) and found[1] != b"\xd9":
        scans += found[1] == b"\xda"
        if scans > MAX_SCANS:
            raise PhotoError(
                "too_many_scans", f"the JPEG has more than {MAX_SCANS} scans; save it again as usual"
            )
        # Every other marker heads a segment that says its own length; compressed data follows only a scan's.
        place = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any Pillow mode to RGB without Pillow's clipping of 16-bit values."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):
        values = np.asarray(image).astype(np.float32)
        # A 16-bit scan of an 8-bit picture stays within 0..255: only stretch what needs it.
        values = values / 257 if values.max(initial=0) > 255 else values
        return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def shrink(image: np.ndarray, max_side: int) -> tuple[np.ndarray, float]:
    """Return a photo, (height, width, 3) uint8, with at most `max_side` pixels on its longer side, and its scale.

    A small one comes back as it is, with a scale of 1.0.
    """
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    if scale == 1.0:
        return image, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX, reducing_gap=2.0)), scale
