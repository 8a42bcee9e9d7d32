"""What can be said about one photo by itself: can it be read, how is it stored, is its face sharp."""

import io
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image
from tqdm import tqdm

from facecourse.core import paths
from facecourse.core.cache import ContentCache
from facecourse.photos.files import PhotoFile, sha256
from lambda_function.photos import FORMATS, PhotoError, open_photo, shrink

VERSION = "v1"  # part of the caches' names: change it when a fact is computed differently
MAX_BYTES = 200_000_000
THUMBNAIL = 32  # side in pixels of the small grey copy by which two photos are compared
FACE_SIDE = 112  # faces are brought to this size before their sharpness is measured
BATCH = 128  # photos whose results are put on disk together: what a kill can cost

ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held


def examine(data: bytes) -> dict:
    """Look at the bytes of one file.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    dict
        problem ("" or a code), reason, width and height in pixels of the upright photo, notes (list of
        codes: animated, cmyk, 16_bit, palette, transparent, turned), phash (16 hexadecimal digits),
        thumbnail (bytes, 32 x 32 grey).
    """
    try:
        image = open_photo(data)
    except PhotoError as error:
        cut = error.code == "damaged" and "truncated" in str(error.__cause__).lower()
        return {
            "problem": "truncated" if cut else error.code,
            "reason": "the file ends too early" if cut else error.message,
        }
    height, width = image.shape[:2]
    small = Image.fromarray(shrink(image, 512)[0])
    return {
        "problem": "",
        "reason": "",
        "width": width,
        "height": height,
        "notes": storage_notes(data),
        "phash": str(imagehash.phash(small)),
        "thumbnail": small.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX).tobytes(),
    }


def storage_notes(data: bytes) -> list[str]:
    """Return what is unusual about how a readable picture is stored; all of it is put right on opening."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        found = {
            "animated": image.format != "MPO" and getattr(image, "n_frames", 1) > 1,
            "cmyk": image.mode == "CMYK",
            "16_bit": image.mode.startswith("I"),
            "palette": image.mode == "P",
            "transparent": image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info,
            "turned": image.getexif().get(ORIENTATION, 1) in range(2, 9),
        }
    return [code for code, is_so in found.items() if is_so]


def sharpness(image: np.ndarray, box: Iterable[float]) -> float:
    """Measure how sharp a face is: the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000).

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8
    box : x0, y0, x1, y1 in pixels

    Returns
    -------
    float
        Grey levels squared, from 0 (one flat colour), of the face brought to 112 x 112 pixels, so that
        faces of different size compare. A face that was small in the photo comes out low, as it should.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (int(round(float(value))) for value in box)
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    face = Image.fromarray(image).crop((x0, y0, max(min(x1, width), x0 + 1), max(min(y1, height), y0 + 1)))
    grey = np.asarray(face.convert("L").resize((FACE_SIDE, FACE_SIDE), Image.Resampling.BOX), np.float32)
    if min(face.size) < FACE_SIDE:
        grey = np.asarray(
            face.convert("L").resize((FACE_SIDE, FACE_SIDE), Image.Resampling.BICUBIC), np.float32
        )
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


def examine_files(files: list[PhotoFile], progress: bool = True) -> tuple[list[str], dict[str, dict]]:
    """Hash and examine files; what has not changed since the last time is not even opened.

    Parameters
    ----------
    files : list of PhotoFile
    progress : bool

    Returns
    -------
    (list of str, dict)
        One key per file: its SHA-256, or "unreadable:<path>". And facts by key, as `examine` gives them but
        for the thumbnail (see `thumbnails`).
    """
    hashes, facts = ContentCache("hashes"), ContentCache(f"facts_{VERSION}")
    known = hashes.get_many(file.stamp for file in files if file.stamp)
    sums = [known[file.stamp].decode() if file.stamp in known else "" for file in files]
    stored = facts.get_many({value for value in sums if value})
    missing = [i for i, file in enumerate(files) if sums[i] not in stored and not file.problem]

    def look(index: int) -> tuple[int, str, dict]:
        return index, *_read_and_examine(files[index])

    result = {key: json.loads(value) for key, value in stored.items()}
    for batch in _batches(look, missing, "photos", progress):
        result.update({value: found for _, value, found in batch})
        facts.put_many(_storable(batch))
        hashes.put_many(
            {files[i].stamp: value.encode() for i, value, _ in batch if files[i].stamp and len(value) == 64}
        )
        for i, value, _ in batch:
            sums[i] = value
    for i, file in enumerate(files):
        if file.problem:
            sums[i] = f"unreadable:{file.shown}"
            result[sums[i]] = {"problem": "unreadable", "reason": file.problem}
    return sums, result


def _read_and_examine(file: PhotoFile) -> tuple[str, dict]:
    try:
        if file.size > MAX_BYTES:
            raise OSError(0, f"it is larger than {MAX_BYTES / 1e6:.0f} MB")
        data = Path(file.path).read_bytes()
    except OSError as error:
        return f"unreadable:{file.shown}", {"problem": "unreadable", "reason": f"{error.strerror}"}
    return sha256(data), examine(data)


def _storable(batch: list[tuple[int, str, dict]]) -> dict[str, bytes]:
    """Facts as JSON under the hash, the thumbnail as bytes under a key of its own."""
    stored = {}
    for _, value, found in batch:
        if len(value) == 64:
            thumbnail = found.pop("thumbnail", None)
            stored[value] = json.dumps(found).encode()
            if thumbnail is not None:
                stored[f"{value}:thumbnail"] = thumbnail
    return stored


def _batches(work: Callable, items: list, what: str, progress: bool):
    """Yield the results of `work` in batches, on all cores, with a bar when there is something to do."""
    bar = tqdm(total=len(items), desc=what, unit="photo", mininterval=0.5, disable=not (progress and items))
    with bar, ThreadPoolExecutor(paths.THREADS) as pool:
        for start in range(0, len(items), BATCH):
            batch = list(pool.map(work, items[start : start + BATCH]))
            bar.update(len(batch))
            yield batch


def photo_hashes(sums: Iterable[str]) -> list[str]:
    """Return the perceptual hashes of examined photos, 16 hexadecimal digits each, by their SHA-256."""
    sums = list(sums)
    stored = ContentCache(f"facts_{VERSION}").get_many(sums)
    return [json.loads(stored[value])["phash"] for value in sums]


def thumbnails(sums: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the 32 x 32 grey copies of examined photos by SHA-256, float32 (1024,), mean 0 and length 1."""
    stored = ContentCache(f"facts_{VERSION}").get_many(f"{value}:thumbnail" for value in sums)
    result = {}
    for key, value in stored.items():
        pixels = np.frombuffer(value, np.uint8).astype(np.float32)
        pixels -= pixels.mean()
        result[key.partition(":")[0]] = pixels / max(float(np.linalg.norm(pixels)), 1e-6)
    return result


def face_sharpness(paths: list[str], sums: list[str], boxes: list, progress: bool = True) -> list[float]:
    """Measure the sharpness of one face per photo, remembered by photo and box.

    Parameters
    ----------
    paths, sums : list of str
    boxes : list of four numbers or None

    Returns
    -------
    list of float
        As `sharpness` gives it; nan where there is no box.
    """
    cache = ContentCache(f"sharpness_{VERSION}")
    keys = [
        None if box is None else f"{value}:{','.join(f'{v:.0f}' for v in box)}"
        for value, box in zip(sums, boxes, strict=True)
    ]
    known = {key: float(value) for key, value in cache.get_many(k for k in keys if k).items()}
    missing = list({key: i for i, key in enumerate(keys) if key and key not in known}.values())

    def measure(index: int) -> tuple[str, float]:
        return keys[index], round(sharpness(open_photo(paths[index]), boxes[index]), 3)

    for batch in _batches(measure, missing, "sharpness", progress):
        known.update(batch)
        cache.put_many({key: repr(value).encode() for key, value in batch})
    return [known[key] if key else float("nan") for key in keys]
