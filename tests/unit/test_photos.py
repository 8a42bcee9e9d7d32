import io

import numpy as np
import pytest
from PIL import Image

from lambda_function.photos import PhotoError, open_photo, shrink


def encode(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def gradient(width=40, height=30):
    x = np.linspace(0, 255, width, dtype=np.uint8)
    return np.stack([np.tile(x, (height, 1))] * 3, axis=-1)


def test_exif_orientation_turns_the_photo_upright():
    image = Image.fromarray(gradient(40, 30))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held a quarter turn anticlockwise: show it turned clockwise
    turned = open_photo(encode(image, "JPEG", exif=exif, quality=95))
    assert turned.shape == (40, 30, 3)
    assert turned[0].mean() < 20 and turned[-1].mean() > 235


def test_sixteen_bit_grey_keeps_its_range():
    values = (gradient()[..., 0].astype(np.uint16) * 257).astype(np.uint16)
    opened = open_photo(encode(Image.fromarray(values)))
    assert np.abs(opened[..., 0].astype(int) - gradient()[..., 0]).max() <= 1


def test_transparent_parts_become_white():
    image = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (open_photo(encode(image)) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK"])
def test_every_mode_becomes_rgb(mode):
    image = Image.fromarray(gradient()).convert(mode)
    opened = open_photo(encode(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert opened.shape == (30, 40, 3) and opened.dtype == np.uint8
    assert opened[:, -1].mean() > opened[:, 0].mean() + 200


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (encode(Image.fromarray(gradient()), "TIFF"), "not_an_image"),
        (encode(Image.fromarray(gradient(200, 200)), "JPEG")[:700], "damaged"),
        (encode(Image.new("1", (30_000, 30_000))), "too_many_pixels"),  # 110 kB: decoding would take 2.7 GB
    ],
)
def test_bad_files_are_refused_in_words(data, code):
    with pytest.raises(PhotoError) as caught:
        open_photo(data)
    assert caught.value.code == code and len(caught.value.message) > 10


def test_a_file_is_read_no_further_than_its_limit(tmp_path):
    data = encode(Image.fromarray(gradient()))
    (tmp_path / "photo.png").write_bytes(data)
    for source in (data, tmp_path / "photo.png", io.BytesIO(data)):
        with pytest.raises(PhotoError, match="too large") as caught:
            open_photo(source, max_bytes=len(data) - 1)
        assert caught.value.code == "too_many_bytes"
    assert open_photo(tmp_path / "photo.png", max_bytes=len(data)).shape == (30, 40, 3)
    endless = io.BytesIO(data * 10)
    with pytest.raises(PhotoError):
        open_photo(endless, max_bytes=len(data))
    assert endless.tell() == len(data) + 1


def test_shrink_leaves_small_photos_alone_and_reports_its_scale():
    small = gradient()
    assert shrink(small, 100)[0] is small
    shrunk, scale = shrink(gradient(400, 300), 100)
    assert shrunk.shape == (75, 100, 3) and scale == 0.25
