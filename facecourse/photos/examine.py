"""One look at one photo: can it be read, how is it stored, whose face is it, is that face sharp."""

import base64
import io

import imagehash
import numpy as np
from PIL import Image

from facecourse.detection.detector import pack, unpack
from lambda_function.faces import Face
from lambda_function.photos import FORMATS, PhotoError, open_photo, shrink
from lambda_function.pipeline import Recogniser

THUMBNAIL = 32  # side in pixels of the small grey copy by which two photos are compared
FACE_SIDE = 112  # faces are brought to this size before their sharpness is measured
ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held


def examine(data: bytes, recogniser: Recogniser) -> tuple[dict, np.ndarray | None]:
    """Decode a photo once; note all that the manifest needs, ready for JSON, and cut the crops to embed (None without
    a face).

    Noted are problem ("" or a code) and reason; of a readable photo width and height in pixels, notes (codes:
    animated, cmyk, 16_bit, palette, transparent, turned), phash (16 hexadecimal digits), thumbnail (32 x 32 grey,
    base64), faces (base64, see `faces_of`), main (place of the photo's person, or None) and quality (`sharpness` of
    that face, or None).
    """
    try:
        image = open_photo(data)
    except PhotoError as error:
        if error.code == "damaged" and "truncated" in str(error.__cause__).lower():
            return {"problem": "truncated", "reason": "the file ends too early"}, None
        return {"problem": error.code, "reason": error.message}, None
    look = recogniser.look(image)
    main = look.main()
    face = None if main is None else rounded(look.faces[main])
    small = Image.fromarray(shrink(image, 512)[0])
    thumbnail = small.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX).tobytes()
    record = {
        "problem": "",
        "reason": "",
        "width": image.shape[1],
        "height": image.shape[0],
        "notes": storage_notes(data),
        "phash": str(imagehash.phash(small)),
        "thumbnail": base64.b64encode(thumbnail).decode(),
        "faces": base64.b64encode(pack(look.faces)).decode(),
        "main": main,
        "quality": None if face is None else sharpness(image, face.box),
    }
    return record, None if face is None else recogniser.cut(image, face)


def faces_of(record: dict) -> list[Face]:
    """Return the faces that `examine` found, best score first."""
    return unpack(base64.b64decode(record.get("faces", "")))


def rounded(face: Face) -> Face:
    """Round a face's place to hundredths of a pixel, as the manifest keeps it."""
    return Face(np.round(face.box, 2), np.round(face.landmarks, 2), face.score)


def storage_notes(data: bytes) -> list[str]:
    """Return what is unusual about how a readable picture is stored; all of it is put right on opening."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        found = {
            "animated": _is_animated(image),
            "cmyk": image.mode == "CMYK",
            "16_bit": image.mode.startswith("I"),
            "palette": image.mode == "P",
            "transparent": image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info,
            "turned": image.getexif().get(ORIENTATION, 1) in range(2, 9),
        }
    return [code for code, is_so in found.items() if is_so]


def _is_animated(image: Image.Image) -> bool:
    try:
        return image.format != "MPO" and getattr(image, "n_frames", 1) > 1
    except (
        Exception
    ):  # cut off after its first frame: Pillow raises IndexError, struct.error, ... at the next
        return True


def sharpness(image: np.ndarray, box: np.ndarray) -> float:
    """Measure how sharp a face is: the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000).

    Grey levels squared, from 0 (one flat colour), of the face at `box` (x0, y0, x1, y1 in pixels of `image`, (height,
    width, 3) uint8), brought to 112 x 112 pixels, so that faces of different size compare. One that was small in the
    photo comes out low, as it should.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (int(round(float(value))) for value in box)
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    x1, y1 = max(min(x1, width), x0 + 1), max(min(y1, height), y0 + 1)
    face = Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1])).convert("L")
    smaller = min(face.size) < FACE_SIDE
    how = Image.Resampling.BICUBIC if smaller else Image.Resampling.BOX
    grey = np.asarray(face.resize((FACE_SIDE, FACE_SIDE), how), np.float32)
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())
