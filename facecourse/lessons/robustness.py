"""Photos made worse on purpose, one step at a time, and what that does to finding and recognising a face."""

import io
from collections.abc import Callable

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter

from facecourse.core.paths import ROOT
from facecourse.detection.detector import detector
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import face_of
from facecourse.metrics.uncertainty import share_of
from lambda_function.crops import tta_crops
from lambda_function.faces import Face, select_face
from lambda_function.photos import open_photo

MASK = (150, 190, 215)  # the blue of a surgical mask


def smaller(image: np.ndarray, face: Face, pixels: float) -> np.ndarray:
    """Leave the face `pixels` wide."""
    scale = pixels / max(face.box[2] - face.box[0], 1)
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)) if scale < 1 else image


def blurred(image: np.ndarray, face: Face, share: float) -> np.ndarray:
    """Blur by a Gaussian whose standard deviation is a share of the distance between the eyes."""
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(share * eyes)))


def compressed(image: np.ndarray, face: Face, quality: int) -> np.ndarray:
    """Store as JPEG of a quality from 1 to 95."""
    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=int(quality))
    return np.asarray(Image.open(stored).convert("RGB"))


def darker(image: np.ndarray, face: Face, light: float) -> np.ndarray:
    """Take a photo with a share of the light: fewer photons, brightened again, are noise (a well of 500 electrons)."""
    photons = 500 * light * (image / 255.0) ** 2.2
    noisy = np.random.default_rng(0).poisson(photons) / (500 * light)
    return (255 * noisy.clip(0, 1) ** (1 / 2.2)).astype(np.uint8)


def turned(image: np.ndarray, face: Face, degrees: float) -> np.ndarray:
    """Turn the picture, as a head on a shoulder."""
    middle = tuple(float(v) for v in face.landmarks[2])
    return np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BICUBIC, center=middle))


def masked(image: np.ndarray, face: Face, height: float = 0.65) -> np.ndarray:
    """Draw a mask up to a share of the way from the mouth to the eyes, by the landmarks, as notebook 03 does."""
    right_eye, left_eye, _, mouth_right, mouth_left = face.landmarks
    eyes, top = (right_eye + left_eye) / 2, 1 - height
    across, down = left_eye - right_eye, (mouth_right + mouth_left) / 2 - eyes
    upper = [(-0.8, top), (0, top - 0.1), (0.8, top)]
    lower = [(0.75, 1.1), (0.35, 1.65), (-0.35, 1.65), (-0.75, 1.1)]
    picture = Image.fromarray(image)
    corners = [tuple(eyes + u * across + v * down) for u, v in upper + lower]
    ImageDraw.Draw(picture).polygon(corners, fill=MASK)
    return np.asarray(picture)


CHANGES: dict[str, tuple[Callable, tuple]] = {
    "face width, pixels": (smaller, (48, 32, 20)),
    "blur, of eye distance": (blurred, (0.05, 0.1, 0.2)),
    "JPEG quality": (compressed, (40, 15, 5)),
    "share of the light": (darker, (0.3, 0.1, 0.03)),
    "turned, degrees": (turned, (15, 30, 60)),
    "mask, up to": (masked, (0.2, 0.5, 0.7)),
}


def robustness(
    manifest: pd.DataFrame, embeddings: np.ndarray, backbone: Backbone, threshold: float, photos: int = 20
) -> pd.DataFrame:
    """Make one photo of each pair worse, find its face anew and compare it with the other photo as it is.

    Of `photos` people, chosen by chance among those with two photos or more, one pair each. `threshold` is a cosine,
    chosen on photos as they are. Columns: kind, level, FNMR (a photo without a face counts as not matched) with low and
    high (95 %), "no face" (failures to acquire) and pairs.
    """
    usable = np.flatnonzero(np.isfinite(embeddings).all(1))
    persons, chance = manifest["person"].to_numpy()[usable], np.random.default_rng(0)
    names, counts = np.unique(persons, return_counts=True)
    chosen = chance.permutation(names[counts >= 2])[:photos]
    pairs = [chance.permutation(usable[persons == name])[:2] for name in chosen]
    find, embedder, rows = detector(), backbone.embedder(), []
    opened = [open_photo(ROOT / manifest["path"].iloc[first]) for first, _ in pairs]
    faces = [face_of(*(manifest[c].iloc[first] for c in ("box", "landmarks"))) for first, _ in pairs]
    others = embeddings[[second for _, second in pairs]]
    for kind, (change, levels) in {"as it is": (lambda image, face, level: image, (0,)), **CHANGES}.items():
        for level in levels:
            scores = np.full(len(pairs), -1.0)
            for i, (image, face) in enumerate(zip(opened, faces, strict=True)):
                worse = change(image, face, level)
                found = find.detect([worse])[0]
                place = select_face(found, worse.shape[1], worse.shape[0])
                if place is not None:
                    crops = tta_crops(worse, found[place], backbone.preprocessing, backbone.views)
                    scores[i] = embedder.embed(crops[None])[0] @ others[i]
            missed = share_of(scores < threshold, np.arange(len(pairs)))
            rows.append(
                (kind, level, missed.value, missed.low, missed.high, float((scores == -1).mean()), len(pairs))
            )
    return pd.DataFrame(rows, columns=["kind", "level", "FNMR", "low", "high", "no face", "pairs"])
