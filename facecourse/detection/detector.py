"""Faces of all photos, found once: MTCNN's networks as ONNX files, and results kept by content."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from facecourse.core.cache import ContentCache, batches, cached, write_atomically
from facecourse.core.paths import CACHE, THREADS
from lambda_function.faces import Face
from lambda_function.mtcnn import Mtcnn
from lambda_function.photos import PhotoError, open_photo

NETWORKS = ("pnet", "rnet", "onet")
BATCH = 16  # photos held in memory at once, 150 MB each at most
STORE = "faces-v3-20-0.6-0.7-0.7-0.709"  # of the results: change it with anything that changes a box


def mtcnn_folder() -> Path:
    """Return the folder with pnet.onnx, rnet.onnx and onet.onnx, exported when first asked for.

    The weights are those inside facenet-pytorch's package.
    """
    folder = CACHE / "mtcnn-5"  # the number goes up with the export
    for name in NETWORKS:
        if not (folder / f"{name}.onnx").exists():
            from facecourse.detection.export import export_network  # torch is for the first time only

            write_atomically(folder / f"{name}.onnx", export_network(name))
    return folder


@cache
def detector(**settings) -> Mtcnn:
    """Return the detector; the same one for the same settings of `Mtcnn`."""
    return Mtcnn(mtcnn_folder(), **{"threads": THREADS, **settings})


def detect_photos(
    paths: list, sha256s: list[str], progress: bool = True, skip: bool = False
) -> dict[str, list[Face]]:
    """Find the faces of photo files, each content once and for all: by hash, best score first.

    Faces are in pixels of the upright photo, and kept in data/cache under the hash of the file's content.

    Raises lambda_function.photos.PhotoError, with the file's name, if a photo cannot be read; `skip` leaves it out
    instead, and says so.
    """

    def opened(path) -> np.ndarray | None:
        try:
            return open_photo(path)
        except PhotoError as error:
            if not skip:
                raise PhotoError(error.code, f"{path}: {error.message}") from error
            print(f"Left out {path}: {error.message}")

    store, found = ContentCache(STORE), {}
    known = len(store.get_many(sha256s)) == len(set(sha256s))
    bar = tqdm(desc="faces", total=len(paths), unit="photo", disable=known or not progress)
    with bar, ThreadPoolExecutor(THREADS) as pool:
        for part in batches(len(paths), BATCH):
            batch, sums = paths[part.start : part.stop], sha256s[part.start : part.stop]

            def search(missing: list[int], batch=batch):
                images = list(pool.map(opened, [batch[i] for i in missing]))
                faces = iter(detector().detect([image for image in images if image is not None]))
                return [None if image is None else pack(next(faces)) for image in images]

            values = zip(sums, cached(store, sums, search), strict=True)
            found |= {sha256: unpack(value) for sha256, value in values if value is not None}
            bar.update(len(part))
    return found


def pack(faces: list[Face]) -> bytes:
    """Return faces as bytes: 15 float32 each, box, landmarks, score."""
    rows = [np.concatenate([f.box, np.ravel(f.landmarks), [f.score]]) for f in faces]
    return np.asarray(rows, "<f4").tobytes()


def unpack(data: bytes) -> list[Face]:
    """Undo `pack`."""
    rows = np.frombuffer(data, "<f4").reshape(-1, 15).astype(np.float32)
    return [Face(row[:4], row[4:14].reshape(5, 2), float(row[14])) for row in rows]
