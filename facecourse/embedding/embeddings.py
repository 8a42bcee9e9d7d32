"""Faces of photos to embeddings, kept by the photo's content, the face's place and all that the backbone says."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from facecourse.core.cache import ContentCache, batches, cached
from facecourse.core.paths import ROOT, THREADS
from facecourse.embedding.backbones import Backbone
from lambda_function.crops import Preprocessing, crop_face, tta_crops
from lambda_function.faces import Face
from lambda_function.photos import PhotoError, open_photo

BATCH = 64  # photos whose crops are in memory together


def face_of(box: Iterable[float], landmarks: Iterable[float], score: float = 1.0) -> Face:
    """Rebuild a Face from a manifest's row: box of 4 numbers, landmarks of 10, in pixels."""
    points = np.asarray(landmarks, np.float32).reshape(5, 2)
    return Face(np.asarray(box, np.float32), points, float(score))


def embedding_store(backbone: Backbone) -> ContentCache:
    """Return where a backbone's embeddings are kept, apart from those of every other variant."""
    crops = f"{backbone.crops_digest}-{backbone.views}"
    return ContentCache(f"embeddings-{backbone.name}-{backbone.precision}-{backbone.sha256[:12]}-{crops}")


def embedding_key(sha256: str, face: Face) -> str:
    """Name photo and face: a box that moved by a hundredth of a pixel is another crop."""
    where = np.round(np.concatenate([face.box, face.landmarks.ravel()]).astype(np.float64), 2)
    return f"{sha256}|{hashlib.sha256(where.tobytes()).hexdigest()[:16]}"


def embed_crops(backbone: Backbone, crops: Iterable[np.ndarray | None]) -> Iterator[bytes | None]:
    """Embed crops, (views, size, size, 3) each, all together; yields float32 bytes, None where there is no crop."""
    crops = list(crops)
    good = [crop for crop in crops if crop is not None]
    rows = iter(backbone.embedder().embed(np.stack(good)) if good else ())
    for crop in crops:
        yield None if crop is None else next(rows).astype("<f4").tobytes()


def as_rows(values: list[bytes | None], dimension: int) -> np.ndarray:
    """Join stored embeddings: (n, dimension) float32, nan where there is none."""
    nothing = np.full(dimension, np.nan, "<f4").tobytes()
    joined = b"".join(value or nothing for value in values)
    return np.frombuffer(joined, "<f4").reshape(len(values), dimension).astype(np.float32)


def embed_faces(
    paths: list[Path], sha256s: list[str], faces: list[Face | None], backbone: Backbone, progress: bool = True
) -> np.ndarray:
    """Embed one face of each photo: (n, d) float32 unit rows, nan where there is no face or the photo cannot be read.

    What has been computed once comes from data/cache/, found by the photos' content, `sha256s`; `faces` are in pixels
    of the upright photos. A bar shows the faces per second where something is computed.
    """
    store, rows = embedding_store(backbone), []
    keys = ["" if face is None else embedding_key(s, face) for s, face in zip(sha256s, faces, strict=True)]

    def cut(i: int) -> np.ndarray | None:
        try:
            return tta_crops(open_photo(paths[i]), faces[i], backbone.preprocessing, backbone.views)
        except (PhotoError, OSError) as error:
            print(f"{paths[i]}: {error}; left out")
            return None

    known = store.get_many(key for key in keys if key)
    silent = not progress or len(known) == len(set(keys) - {""})
    bar = tqdm(desc="embed", total=len(keys), unit="face", disable=silent)
    with bar, ThreadPoolExecutor(THREADS) as pool:
        for part in batches(len(keys), BATCH):

            def compute(todo: list[int], part: range = part) -> Iterator[bytes | None]:
                return embed_crops(backbone, pool.map(cut, [part[i] for i in todo]))

            rows += cached(store, [keys[i] for i in part], compute)
            bar.update(len(part))
    return as_rows(rows, backbone.embedder().dimension)


def embed_manifest(manifest: pd.DataFrame, backbone: Backbone, progress: bool = True) -> np.ndarray:
    """Embed the main face of every row of a manifest: (len(manifest), d) float32 unit rows, nan without a face."""
    faces = [
        face_of(box, points) if box is not None and np.size(box) == 4 else None
        for box, points in zip(manifest["box"], manifest["landmarks"], strict=True)
    ]
    files = [ROOT / path for path in manifest["path"]]
    return embed_faces(files, manifest["sha256"].tolist(), faces, backbone, progress)


def load_crops(
    manifest: pd.DataFrame,
    preprocessing: Preprocessing,
    change: Callable[[np.ndarray, Face], np.ndarray] | None = None,
) -> np.ndarray:
    """Cut the main face out of every photo: (n, size, size, 3) uint8.

    `change`, of a photo and its face, returns the same photo made harder, before it is cut.
    """
    crops = []
    for path, *where in zip(manifest["path"], manifest["box"], manifest["landmarks"], strict=True):
        image, face = open_photo(ROOT / path), face_of(*where)
        crops.append(crop_face(change(image, face) if change else image, face, preprocessing))
    return np.stack(crops)
