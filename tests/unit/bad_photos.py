"""A folder of photos with something wrong with each, made on the spot, and what the course should say of it."""

import io
import os
import shutil
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from tests.conftest import ROOT

FACES = ROOT / "data" / "people" / "Ada_Ferro"
STRANGER = ROOT / "data" / "people" / "Farid_Okonska"
GROUP = ROOT / "data" / "group" / "group_01.jpg"
UNUSABLE = {"not_an_image", "truncated", "damaged"}


def encode(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claimed_png(width, height):
    """A PNG of a few bytes that claims to be enormous."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + end


def not_images():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.jpg", b"x")
    return {
        "empty.jpg": (b"", {"empty"}),
        "empty with, comma\nand 'quotes' \U0001f600.png": (b"", {"empty"}),
        "text.jpg": (b"hello, I am a text", {"not_an_image"}),
        "page.png": (b"<!doctype html><title>404</title>", {"not_an_image"}),
        "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', {"not_an_image"}),
        "document.pdf": (b"%PDF-1.7\n", {"not_an_image"}),
        "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", {"not_an_image"}),
        "film.mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", {"not_an_image"}),
        "archive.jpg": (packed.getvalue(), {"not_an_image"}),
        "program.jpg": (b"MZ" + bytes(200), {"not_an_image"}),
        "zeros.jpg": (bytes(5000), {"not_an_image"}),
        "noise.jpg": (np.random.default_rng(0).bytes(5000), {"not_an_image"}),
        "only_the_start.jpg": (b"\xff\xd8", UNUSABLE),
        "only_the_start.png": (b"\x89PNG\r\n\x1a\n", UNUSABLE),
        "only_the_start.gif": (b"GIF89a", UNUSABLE),
    }


def cut_off(face):
    found = {}
    for form, ending in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "bmp")):
        data = encode(face, form)
        for share in (0.3, 0.9):
            found[f"cut_{share}.{ending}"] = (data[: int(len(data) * share)], UNUSABLE)
    png = bytearray(encode(face))
    png[len(png) // 2] ^= 0xFF
    found["wrong_checksum.png"] = (bytes(png), UNUSABLE)
    return found


def strange_sizes():
    return {
        "bomb.png": (encode(Image.new("1", (30_000, 30_000))), {"too_many_pixels"}),
        "claims_to_be_huge.png": (claimed_png(60_000, 60_000), {"too_many_pixels"}),
        "claims_to_be_endless.png": (claimed_png(2**31 - 1, 2**31 - 1), {"too_many_pixels", *UNUSABLE}),
        "one_pixel.png": (encode(Image.new("RGB", (1, 1))), {"no_face"}),
        "a_line.png": (encode(Image.new("RGB", (3000, 1))), {"no_face"}),
        "a_wall.jpg": (encode(Image.new("RGB", (400, 300), "navy"), "JPEG"), {"no_face"}),
        "snow.png": (
            encode(Image.fromarray(np.random.default_rng(1).integers(0, 255, (90, 90, 3), np.uint8))),
            {"no_face"},
        ),
    }


def odd_faces(photos):
    turned = photos[5].getexif()
    turned[0x0112] = 6
    sideways = photos[5].transpose(Image.Transpose.ROTATE_90)
    grey = np.asarray(photos[4].convert("L")).astype(np.uint16) * 257
    alpha = photos[4].convert("RGBA")
    alpha.putpixel((0, 0), (0, 0, 0, 0))
    frames = [photos[3].convert("P"), photos[5].convert("P")]
    waving = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    small = photos[5].resize((photos[5].width // 6, photos[5].height // 6))
    return {
        "small.png": (encode(small), {"too_small", "no_face"}),
        "blurred.png": (encode(photos[1].filter(ImageFilter.GaussianBlur(6))), {"blurred"}),
        "near_copy.jpg": (encode(photos[0].resize((200, 200)), "JPEG", quality=60), {"near_duplicate"}),
        "print.jpg": (encode(photos[2].convert("CMYK"), "JPEG"), {"cmyk"}),
        "colours_on_a_palette.png": (encode(photos[3].convert("P")), {"palette"}),
        "sixteen_bits.png": (encode(Image.fromarray(grey)), {"16_bit"}),
        "turned.jpg": (encode(sideways, "JPEG", exif=turned, quality=95), {"turned"}),
        "cut_out.png": (encode(alpha), {"transparent"}),
        "grey_cut_out.png": (encode(alpha.convert("LA")), {"transparent"}),
        "waving.gif": (waving, {"animated"}),
        # Behind the first frame. Which error Pillow raises there differs by the byte.
        **{
            f"waving_cut_{share}.gif": (waving[: len(waving) * share // 100], {"animated"})
            for share in range(60, 66)
        },
        "waving.png": (encode(photos[3], "PNG", save_all=True, append_images=[photos[5]]), {"animated"}),
        "waving.webp": (encode(photos[3], "WEBP", save_all=True, append_images=[photos[5]]), {"animated"}),
    }


def make(people: Path) -> dict[str, set[str]]:
    """Fill people/ with bad photos; returns, by path below people/, the checks one of which must be listed."""
    folder = people / "Ada Ferro"
    folder.mkdir(parents=True)
    originals = sorted(FACES.iterdir())
    photos = [Image.open(path).convert("RGB") for path in originals]
    files = {**not_images(), **cut_off(photos[10]), **strange_sizes(), **odd_faces(photos)}
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    expected = {f"Ada Ferro/{name}": checks for name, (_, checks) in files.items()}
    for path in [originals[0], *originals[12:15]]:  # like the first six, none of them is hard
        shutil.copy(path, folder / f"good_{path.name}")
    shutil.copy(originals[0], folder / "same_again.jpg")
    shutil.copy(sorted(STRANGER.iterdir())[0], folder / "somebody_else.jpg")
    shutil.copy(GROUP, folder / "zz_group.jpg")
    expected["Ada Ferro/same_again.jpg"] = {"duplicate"}
    expected["Ada Ferro/somebody_else.jpg"] = {"different_person", "two_names"}
    expected["Ada Ferro/zz_group.jpg"] = {"several_faces", "other_faces"}
    (folder / "dead_link.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    for name in ("dead_link.jpg", "loop.jpg", "pipe.jpg"):
        expected[f"Ada Ferro/{name}"] = {"unreadable"}
    if sys.platform != "darwin":  # macOS has no such names
        with open(os.fsencode(folder) + b"/not\xffunicode.jpg", "wb") as file:
            file.write(originals[2].read_bytes())
        expected["Ada Ferro/not\\xffunicode.jpg"] = {"unreadable"}
    shutil.copytree(STRANGER, people / "Farid Okonska")
    (people / "Nobody").mkdir()
    (people / "stray.jpg").write_bytes(originals[0].read_bytes())
    expected["Nobody"], expected["stray.jpg"] = {"empty_folder"}, {"stray_file"}
    return expected
