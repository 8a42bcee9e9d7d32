"""Faces of all photos, found once: MTCNN's networks as ONNX files, and results kept by content."""

import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from facecourse.core.cache import ContentCache
from facecourse.core.paths import CACHE, THREADS
from lambda_function.faces import Face
from lambda_function.mtcnn import Mtcnn
from lambda_function.photos import open_photo, shrink
from lambda_function.pipeline import MAX_SIDE

NETWORKS = ("pnet", "rnet", "onet")
CHUNK = 32  # photos held in memory at once
_SETTINGS = "v3-20-0.6-0.7-0.7-0.709"  # of the stored results: change it with anything that changes a box


def mtcnn_folder() -> Path:
    """Return the folder with pnet.onnx, rnet.onnx and onet.onnx, exported when first asked for.

    The weights are those inside facenet-pytorch's package; see `mtcnn_export.export_network` for the files' inputs.
    """
    folder = CACHE / "mtcnn-5"  # the number goes up with the export
    if all((folder / f"{name}.onnx").exists() for name in NETWORKS):
        return folder
    from facecourse import mtcnn_export  # torch is for the first time only

    CACHE.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".mtcnn-", dir=CACHE))
    try:
        for name in NETWORKS:
            mtcnn_export.export_network(name, partial / f"{name}.onnx")
        folder.mkdir(exist_ok=True)
        for name in NETWORKS:  # each one whole: two runs at a time write the same files
            (partial / f"{name}.onnx").replace(folder / f"{name}.onnx")
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


@cache
def detector(**settings) -> Mtcnn:
    """Return the detector; the same one for the same settings of `Mtcnn`."""
    return Mtcnn(mtcnn_folder(), **{"threads": THREADS, **settings})


def detect_photos(paths: list, sha256s: list[str], progress: bool = True) -> dict[str, list[Face]]:
    """Find the faces of photo files, each content once and for all.

    Parameters
    ----------
    paths : list of path
        Readable photos.
    sha256s : list of str
        Hash of each file's content, under which its faces are kept in data/cache.
    progress : bool
        Show a progress bar while photos are searched.

    Returns
    -------
    dict of str to list of Face
        By hash, in pixels of the upright photo, best score first.

    Raises
    ------
    PhotoError
        If a photo cannot be read.
    """
    from tqdm.auto import tqdm

    store = ContentCache(f"faces-{_SETTINGS}")
    known = store.get_many(sha256s)
    missing = {sha: path for path, sha in zip(paths, sha256s, strict=True) if sha not in known}
    todo = list(missing.items())
    bar = tqdm(total=len(todo), desc="faces", unit="photo", disable=not (progress and todo))
    with bar, ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(todo), CHUNK):
            part = todo[start : start + CHUNK]
            found = find_faces(pool.map(open_photo, [path for _, path in part]))
            fresh = {sha: pack(faces) for (sha, _), faces in zip(part, found, strict=True)}
            store.put_many(fresh)
            known |= fresh
            bar.update(len(part))
    return {sha: unpack(known[sha]) for sha in sha256s}


def find_faces(images: Iterable[np.ndarray]) -> list[list[Face]]:
    """Find the faces of photos; large ones are searched at the size that the deployed function uses.

    Parameters
    ----------
    images : iterable of ndarray of shape (height, width, 3), uint8
        RGB, of any sizes.
    """
    small = [shrink(image, MAX_SIDE) for image in images]
    found = detector().detect([image for image, _ in small])
    return [
        [Face(f.box / np.float32(scale), f.landmarks / np.float32(scale), f.score) for f in faces]
        for faces, (_, scale) in zip(found, small, strict=True)
    ]


def pack(faces: list[Face]) -> bytes:
    """Return faces as bytes: 15 float32 each, box, landmarks, score."""
    rows = [np.concatenate([f.box, np.ravel(f.landmarks), [f.score]]) for f in faces]
    return np.asarray(rows, "<f4").tobytes()


def unpack(data: bytes) -> list[Face]:
    """Undo `pack`."""
    rows = np.frombuffer(data, "<f4").reshape(-1, 15).astype(np.float32)
    return [Face(row[:4], row[4:14].reshape(5, 2), float(row[14])) for row in rows]
