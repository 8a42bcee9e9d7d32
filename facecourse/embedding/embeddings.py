"""Face crops to embeddings: the backbone as a fast ONNX file, embeddings kept by their photo's content."""

import functools
import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from facecourse.core import paths
from facecourse.core.cache import ContentCache
from facecourse.embedding.backbones import (
    BACKBONES,
    EIGHT_BITS,
    Backbone,
    BackboneError,
    Weights,
    default_backbone,
    find_weights,
    load_backbone,
    save_backbone,
)
from lambda_function.crops import Preprocessing, check_views, crop_face, other_cut
from lambda_function.faces import Face
from lambda_function.photos import PhotoError, open_photo
from lambda_function.pipeline import Embedder, unit

__all__ = [
    "BACKBONES",
    "Backbone",
    "BackboneError",
    "Weights",
    "default_backbone",
    "embed_faces",
    "embed_manifest",
    "embedder",
    "find_weights",
    "load_backbone",
    "onnx_backbone",
    "save_backbone",
]

EXPORT_VERSION, QUANTISATION_VERSION = (
    1,
    1,
)  # parts of the cached files' names: raise them with what they hold
BATCH = 128


def onnx_backbone(backbone: str) -> Path:
    """Return the ONNX file of a backbone, exported at the first call and kept by the hash of its weights."""
    weights = find_weights(backbone)
    folder = paths.CACHE / "backbones"
    folder.mkdir(parents=True, exist_ok=True)
    if weights.name.endswith(EIGHT_BITS):
        return _eight_bits(backbone, weights, folder)
    path = folder / f"{weights.name}-{weights.sha256[:12]}-v{EXPORT_VERSION}.onnx"
    if not path.exists():
        from facecourse.embedding.export import export_onnx  # torch is for the first time only

        difference = export_onnx(load_backbone(backbone)[0], path)
        print(f"Exported {weights.name} to ONNX; largest difference to torch {difference:.1e}.")
    return path


def _eight_bits(backbone: str, weights: Weights, folder: Path) -> Path:
    whole = onnx_backbone(str(backbone).removesuffix(EIGHT_BITS))
    path = folder / f"{whole.stem}{EIGHT_BITS}-v{QUANTISATION_VERSION}.onnx"
    if not path.exists():
        from facecourse.embedding.quantisation import (  # a second that only this needs
            calibration_crops,
            quantise,
        )

        print(f"Making {weights.name}: its ranges are measured on the celebrities' photos.")
        quantise(whole, calibration_crops(weights.preprocessing), weights.preprocessing, path)
    return path


@functools.lru_cache(maxsize=4)
def embedder(backbone: str) -> Embedder:
    """Return the embedder of a backbone on all usable cores."""
    return _embedder_with(backbone, find_weights(backbone).preprocessing)


def face_of(box: Iterable[float], landmarks: Iterable[float], score: float = 1.0) -> Face:
    """Rebuild a Face from a manifest's row: box of 4 numbers, landmarks of 10, in pixels."""
    points = np.asarray(landmarks, np.float32).reshape(5, 2)
    return Face(np.asarray(box, np.float32), points, float(score))


def embed_faces(
    paths: list[Path],
    sha256s: list[str],
    faces: list[Face],
    backbone: str,
    *,
    views: int = 1,
    preprocessing: Preprocessing | None = None,
    progress: bool = True,
) -> np.ndarray:
    """Embed one face of each photo; what has been computed once comes from data/cache/.

    Parameters
    ----------
    paths : list of Path
    sha256s : list of str
        Of the photos' content.
    faces : list of Face
        In pixels of the upright photo.
    backbone : str
    views : int
        1, 2 or 4: of how many crops the embeddings are averaged, see `lambda_function.crops.views_of`.
    preprocessing : Preprocessing, optional
        Instead of the backbone's own.
    progress : bool
        Show a bar with faces per second.

    Returns
    -------
    ndarray of shape (n, d), float32
        Unit rows; nan where the photo can no longer be read.
    """
    check_views(views)
    own = preprocessing or find_weights(backbone).preprocessing
    cuts = [own, other_cut(own)] if views == 4 else [own]
    photos = list(zip(paths, sha256s, faces, strict=True))
    rows = sum(_of_one_cut(photos, backbone, cut, views > 1, progress) for cut in cuts)
    return rows if views == 1 else unit(rows)


def _of_one_cut(
    photos: list[tuple[Path, str, Face]], backbone: str, cut: Preprocessing, mirrored: bool, progress: bool
) -> np.ndarray:
    """Embed faces cut in one way, or add to it what their mirror images give; both are kept by themselves."""
    tool, cache = _embedder_with(backbone, cut), ContentCache(_namespace(backbone, cut))
    keys = [_key(sha256, face) for _, sha256, face in photos]
    passes = {"": False, "|mirrored": True} if mirrored else {"": False}
    known = cache.get_many(key + suffix for key in keys for suffix in passes)
    todo = [i for i, key in enumerate(keys) if any(key + suffix not in known for suffix in passes)]
    title = "Embedding, straightened" if cut.align else "Embedding"
    with tqdm(total=len(todo), unit="face", desc=title, disable=not progress or not todo) as bar:
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            missing = {s: m for s, m in passes.items() if any(keys[i] + s not in known for i in part)}
            known |= _embed_batch(tool, cache, [(photos[i], keys[i]) for i in part], missing)
            bar.update(len(part))
    nothing = np.full(tool.dimension, np.nan, np.float32).tobytes()
    return sum(_rows(known, [key + suffix for key in keys], nothing) for suffix in passes)


def _rows(known: dict[str, bytes], keys: list[str], nothing: bytes) -> np.ndarray:
    joined = b"".join(known.get(key, nothing) for key in keys)
    return np.frombuffer(joined, np.float32).reshape(len(keys), len(nothing) // 4)


@functools.lru_cache(maxsize=4)
def _embedder_with(backbone: str, preprocessing: Preprocessing) -> Embedder:
    return Embedder(onnx_backbone(backbone), preprocessing, paths.THREADS)


def _namespace(backbone: str, preprocessing: Preprocessing) -> str:
    """Name the cache after everything that changes an embedding, but for the photo and the face in it."""
    described = json.dumps(asdict(preprocessing), sort_keys=True).encode()
    weights = find_weights(backbone)
    return f"embeddings-{weights.name}-{weights.sha256[:12]}-{hashlib.sha256(described).hexdigest()[:8]}"


def _key(sha256: str, face: Face) -> str:
    """Photo and face: a box that moved by a hundredth of a pixel is another crop."""
    where = np.round(np.concatenate([face.box, face.landmarks.ravel()]).astype(np.float64), 2)
    return f"{sha256}|{hashlib.sha256(where.tobytes()).hexdigest()[:16]}"


def _embed_batch(
    tool: Embedder, cache: ContentCache, part: list, passes: dict[str, bool]
) -> dict[str, bytes]:
    with ThreadPoolExecutor(paths.THREADS) as pool:
        crops = list(pool.map(lambda one: _cut(one[0][0], one[0][2], tool.preprocessing), part))
    kept = [key for (_, key), crop in zip(part, crops, strict=True) if crop is not None]
    found: dict[str, bytes] = {}
    if kept:
        stack = np.stack([crop for crop in crops if crop is not None])
        for suffix, mirrored in passes.items():
            rows = tool.embed(stack[:, :, ::-1] if mirrored else stack)
            found |= {
                key + suffix: row.astype(np.float32).tobytes() for key, row in zip(kept, rows, strict=True)
            }
    cache.put_many(found)
    return found


def _cut(path: Path, face: Face, preprocessing: Preprocessing) -> np.ndarray | None:
    try:
        return crop_face(open_photo(path), face, preprocessing)
    except (PhotoError, OSError) as error:
        print(f"{path}: {error}; left out")
        return None


def embed_manifest(
    manifest: pd.DataFrame,
    backbone: str,
    views: int = 1,
    progress: bool = True,
    preprocessing: Preprocessing | None = None,
) -> np.ndarray:
    """Embed the chosen face of every photo of a manifest.

    Parameters
    ----------
    manifest : DataFrame
        With columns path (relative to the project or absolute), sha256, box, landmarks.
    backbone : str
    views, progress, preprocessing
        As in `embed_faces`.

    Returns
    -------
    ndarray of shape (len(manifest), d), float32
        Unit rows, in the manifest's order; nan where there is no box.
    """
    rows = [i for i, box in enumerate(manifest["box"]) if box is not None and np.size(box) == 4]
    part = manifest.iloc[rows]
    faces = [face_of(box, points) for box, points in zip(part["box"], part["landmarks"], strict=True)]
    found = embed_faces(
        [paths.ROOT / path for path in part["path"]],
        part["sha256"].tolist(),
        faces,
        backbone,
        views=views,
        preprocessing=preprocessing,
        progress=progress,
    )
    embeddings = np.full((len(manifest), found.shape[1]), np.nan, np.float32)
    embeddings[rows] = found
    return embeddings


def load_crops(manifest: pd.DataFrame, preprocessing: Preprocessing) -> np.ndarray:
    """Cut the chosen face out of every photo: (n, size, size, 3) uint8."""
    rows = zip(manifest["path"], manifest["box"], manifest["landmarks"], strict=True)
    return np.stack(
        [
            crop_face(open_photo(paths.ROOT / path), face_of(box, points), preprocessing)
            for path, box, points in rows
        ]
    )
