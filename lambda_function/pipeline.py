"""Photo -> box and landmarks -> crop -> embedding -> name: the only implementation of that flow.

The notebooks call it and the Lambda function runs it, so what a reader steps through is what is deployed.
It needs numpy, onnxruntime and Pillow, and no torch.
"""

import hashlib
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from .crops import Preprocessing, crop_face, normalise, tta_crops
from .faces import Face, select_face
from .gallery import Gallery
from .mtcnn import Mtcnn
from .photos import open_photo  # noqa: F401  (the README's one import)
from .sessions import onnx_session

BATCH = 16
DESCRIBED = ("views", "preprocessing")
BUNDLE_FILES = ("pnet.onnx", "rnet.onnx", "onet.onnx", "backbone.onnx", "gallery.npz")


class BundleError(RuntimeError):
    """The model bundle is missing, incomplete or damaged."""


class Embedder:
    """Face crops to embeddings, by an ONNX file, (n, 3, size, size) float32 -> (n, d) float32.

    `threads` batches run side by side, each on one thread: layers need not wait for each other's last row, so this is
    faster than several threads within a layer.
    """

    def __init__(self, model: str | Path, preprocessing: Preprocessing, threads: int = 1):
        self.preprocessing = preprocessing
        self.threads = threads
        self._session = onnx_session(model, 1)
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._input = self._session.get_inputs()[0].name
        self.dimension = int(self._session.get_outputs()[0].shape[1])

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Embed face crops, (n, size, size, 3) or (n, views, size, size, 3) uint8 RGB: (n, d) float32, unit rows.

        Their dot product is the cosine similarity. Of several views of a face, from `crops.tta_crops`, the embeddings
        are averaged: steadier, and as many times the work.
        """
        crops = np.asarray(crops)
        single = crops.reshape(-1, *crops.shape[-3:])
        size = max(1, min(BATCH, -(-len(single) // self.threads)))
        parts = [single[i : i + size] for i in range(0, len(single), size)]
        each = self._pool.map if self._pool and len(parts) > 1 else map
        rows = list(each(self._run, parts))
        if not rows:
            return np.zeros((0, self.dimension), np.float32)
        views = len(single) // len(crops)
        rows = np.concatenate(rows)
        return rows if views == 1 else unit(rows.reshape(len(crops), views, -1).sum(axis=1))

    def _run(self, crops: np.ndarray) -> np.ndarray:
        pixels = normalise(crops, self.preprocessing.normalise)
        return unit(self._session.run(None, {self._input: pixels})[0])


def unit(rows: np.ndarray) -> np.ndarray:
    """Scale rows to length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@dataclass
class Recogniser:
    """Detector, embedder and gallery together."""

    detector: Mtcnn
    embedder: Embedder
    gallery: Gallery
    version: str = ""  # names the bundle; the health check returns it
    views: int = 1  # of a face that are embedded (test-time augmentation), see `crops.tta_crops`

    @classmethod
    def load(cls, bundle: str | Path, threads: int = 1) -> "Recogniser":
        """Open a bundle's folder after checking the hash of everything in it.

        BundleError if a file is missing or changed, or the threshold has not been chosen.
        """
        folder = Path(bundle)
        meta = check_bundle(folder)
        try:
            gallery = Gallery.load(folder / "gallery.npz")
        except ValueError as error:
            raise BundleError(str(error)) from error
        embedder = Embedder(folder / "backbone.onnx", Preprocessing(**meta["preprocessing"]), threads)
        if gallery.vectors.shape[1] != embedder.dimension:
            raise BundleError(
                f"the gallery has {gallery.vectors.shape[1]} numbers a person, the backbone {embedder.dimension}"
            )
        if np.isnan(gallery.threshold):
            raise BundleError("the gallery has no threshold yet: run notebook 04, then 05")
        return cls(Mtcnn(folder, threads=threads), embedder, gallery, meta["version"], int(meta["views"]))

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find the faces of one photo, best first, in its own pixels."""
        return self.detector.detect([image])[0]

    def cut(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Return what is embedded of a face: (views, size, size, 3) uint8, RGB."""
        return tta_crops(image, face, self.embedder.preprocessing, self.views)

    def align(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Return the crop that the backbone sees: (size, size, 3) uint8, RGB."""
        return crop_face(image, face, self.embedder.preprocessing)

    def embed(self, image: np.ndarray, faces: list[Face]) -> np.ndarray:
        """Embed the given faces of one photo: (n, d) float32, unit rows."""
        if not faces:
            return np.zeros((0, self.embedder.dimension), np.float32)
        return self.embedder.embed(np.stack([self.cut(image, face) for face in faces]))

    def look(self, image: np.ndarray, max_faces: int | None = None) -> "Recognition":
        """Find the faces of one photo, (height, width, 3) uint8 RGB, and keep what is needed to name them.

        At most `max_faces` are kept, the surest detections first.
        """
        faces = self.detect(image)
        return Recognition(self, image, faces[:max_faces], len(faces))

    def recognise(self, image: np.ndarray, top: int = 5, max_faces: int | None = None) -> list[dict]:
        """Find and name every face of a photo; see `Recognition.names`."""
        return self.look(image, max_faces).names(top=top)


@dataclass
class Recognition:
    """One look at one photo: its faces, found once, and their embeddings, computed once and when first asked for."""

    recogniser: Recogniser = field(repr=False)
    image: np.ndarray = field(repr=False)  # (height, width, 3) uint8, RGB
    faces: list[Face]  # best score first, in pixels of the photo
    found: int  # faces that the photo shows, those above `max_faces` too

    @cached_property
    def embeddings(self) -> np.ndarray:
        """Of the faces, in their order: (n, d) float32, unit rows."""
        return self.recogniser.embed(self.image, self.faces)

    def main(self, rule: str = "size_and_centre") -> int | None:
        """Return the place of the face that the photo is about, None without faces; see `faces.select_face`."""
        return select_face(self.faces, self.image.shape[1], self.image.shape[0], rule)

    def names(
        self, gallery: Gallery | None = None, top: int = 5, threshold: float | None = None
    ) -> list[dict]:
        """Name every face, by another gallery or threshold if one is given; no network runs again.

        Per face: box [x0, y0, x1, y1] and landmarks (5 x [x, y]) in pixels, detection_score 0 to 1, name (or
        "unknown"), confidence 0 to 1, score (see `Gallery.scores`), fpir (0 to 1, or None where it is not known) and the
        `top` candidates, each name, score and confidence; see `gallery.Match`.
        """
        matches = (gallery or self.recogniser.gallery).identify(self.embeddings, top, threshold)
        return [
            {
                **describe(face),
                "name": match.name,
                "confidence": round(match.confidence, 4),
                "score": round(match.score, 4),
                "fpir": None if np.isnan(match.fpir) else float(f"{match.fpir:.3g}"),
                "top": [
                    {"name": n, "score": round(s, 4), "confidence": round(c, 4)} for n, s, c in match.top
                ],
            }
            for face, match in zip(self.faces, matches, strict=True)
        ]


def describe(face: Face) -> dict:
    """Return a face as JSON takes it: box, landmarks, detection_score, in pixels of the photo."""
    return {
        "box": [round(float(value), 2) for value in face.box],
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
        "detection_score": round(float(face.score), 5),
    }


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def bundle_version(meta: dict) -> str:
    """Name a bundle by a hash of all that model.json says, the files' own hashes among it, but for the version itself."""
    content = json.dumps({key: value for key, value in meta.items() if key != "version"}, sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return f"{meta['profile']}-{meta['backbone']}-{meta['variant']}-{digest}"


def check_bundle(folder: Path) -> dict:
    """Return the bundle's model.json after comparing every file with its hash, and all of it with its version.

    BundleError if anything is missing, unreadable or changed.
    """
    try:
        meta = json.loads((folder / "model.json").read_text())
        wrong = [name for name in BUNDLE_FILES if sha256_of(folder / name) != meta["files"][name]]
        if meta["version"] != bundle_version(meta):
            wrong.append("model.json")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"the model bundle {folder.name!r} is incomplete: {type(error).__name__}"
        ) from error
    if wrong:
        raise BundleError(f"damaged in the model bundle: {', '.join(wrong)}")
    if missing := [name for name in DESCRIBED if name not in meta]:
        raise BundleError(
            f"the model bundle is of another version, without {', '.join(missing)}: build it anew with notebook 05"
        )
    return meta


def unpack_bundle(archive: Path, folder: Path) -> None:
    """Unpack the known files of a zipped bundle, and only those, into `folder`.

    BundleError if the archive is damaged or lacks a file.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in ("model.json", *BUNDLE_FILES):
                with opened.open(name) as source, open(folder / name, "wb") as target:
                    while block := source.read(1 << 20):
                        target.write(block)
    except (OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise BundleError(f"the model bundle cannot be unpacked: {type(error).__name__}") from error
