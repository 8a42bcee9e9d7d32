"""What straightening faces by their landmarks does to embeddings, measured."""

from dataclasses import replace

import numpy as np
import pandas as pd

from facecourse.core.paths import ROOT
from facecourse.core.sources import SourceError, celebrity_photos, fetch
from facecourse.detection.detector import detect_photos
from facecourse.embedding.backbones import BACKBONES
from facecourse.embedding.embeddings import embed_faces, find_weights
from facecourse.metrics.verification import Pairs, ten_folds
from facecourse.photos.files import sha256
from lambda_function.faces import Face, select_face
from lambda_function.photos import open_photo


def roll_of(face: Face) -> float:
    """Return by how many degrees the line between the eyes is turned, clockwise positive.

    Parameters
    ----------
    face : Face
    """
    right, down = face.landmarks[1] - face.landmarks[0]
    return float(np.degrees(np.arctan2(down, right)))


def celebrity_faces(progress: bool = True) -> pd.DataFrame:
    """Return the chosen face of the 118 real photos that come with the sample's backbone.

    Parameters
    ----------
    progress : bool
        Show a progress bar.

    Returns
    -------
    DataFrame
        path, name, sha256, face, roll (degrees, by the landmarks found).
    """
    paths = sorted(path for path in celebrity_photos().glob("*/*") if path.is_file())
    hashes = [sha256(path.read_bytes()) for path in paths]
    found = detect_photos(paths, hashes, progress)
    rows = []
    for path, sha in zip(paths, hashes, strict=True):
        height, width = open_photo(path).shape[:2]
        place = select_face(found[sha], width, height)
        if place is not None:
            face = found[sha][place]
            rows.append((path, path.parent.name, sha, face, roll_of(face)))
    return pd.DataFrame(rows, columns=["path", "name", "sha256", "face", "roll"])


def available(backbones: tuple[str, ...] = tuple(BACKBONES)) -> list[str]:
    """Return the backbones whose own weights can be had here; prints which cannot."""
    here = []
    for name in backbones:
        try:
            if BACKBONES[name].file:
                fetch(BACKBONES[name].file)
            here.append(name)
        except SourceError:
            print(
                f"{name}: its weights cannot be had here, so it is not measured (no other stands in for it)"
            )
    return here


def alignment_effect(found: pd.DataFrame, backbones: list[str], tilt: float = 8.0) -> pd.DataFrame:
    """Measure what straightening does to the similarities of one person's and of two people's photos.

    Parameters
    ----------
    found : DataFrame
        path, name, sha256, face (or None), roll; one face per photo.
    backbones : list of str
        From `available`.
    tilt : float
        Degrees of roll from which a photo counts as tilted.

    Returns
    -------
    DataFrame
        Per backbone, crop and set of pairs ("all", or "tilted": at least one of the two): number of pairs,
        mean cosine similarity of pairs of one person ("same") and of two ("different"), auc (area under
        the ROC curve, 0 to 1).
    """
    usable = found[found["face"].notna()]
    names, tilted = usable["name"].to_numpy(), usable["roll"].abs().to_numpy() >= tilt
    left, right = np.triu_indices(len(usable), 1)
    same = names[left] == names[right]
    rows = []
    for backbone in backbones:
        for crop in ("box", "aligned"):
            vectors = _vectors(usable, backbone, crop == "aligned", progress=False)
            scores = np.einsum("nd,nd->n", vectors[left], vectors[right])
            for label, part in (("all", slice(None)), ("tilted", tilted[left] | tilted[right])):
                figures = _separation(scores[part], same[part])
                rows.append({"backbone": backbone, "crop": crop, "pairs": label, **figures})
    return pd.DataFrame(rows)


def _vectors(usable: pd.DataFrame, backbone: str, align: bool, progress: bool) -> np.ndarray:
    own = find_weights(backbone).preprocessing
    return embed_faces(
        usable["path"].tolist(),
        usable["sha256"].tolist(),
        usable["face"].tolist(),
        backbone,
        preprocessing=replace(own, align=align),
        progress=progress,
    )


def _separation(scores: np.ndarray, same: np.ndarray) -> dict:
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(1, len(scores) + 1)
    n, m = int(same.sum()), int((~same).sum())
    auc = (ranks[same].sum() - n * (n + 1) / 2) / max(n * m, 1)
    return {
        "number": len(scores),
        "same": scores[same].mean(),
        "different": scores[~same].mean(),
        "auc": auc,
    }


def alignment_on_lfw(manifest: pd.DataFrame, pairs: Pairs, backbones: list[str]) -> pd.DataFrame:
    """Measure LFW's ten-fold accuracy with faces cut along the box, and straightened.

    Parameters
    ----------
    manifest : DataFrame
        path, sha256, width, height; `pairs` points into it.
    pairs : Pairs
    backbones : list of str
        From `available`.

    Returns
    -------
    DataFrame
        backbone, crop, accuracy, standard error (both 0 to 1).
    """
    used = np.unique(np.concatenate([pairs.left, pairs.right]))
    part = manifest.iloc[used]
    paths = [ROOT / path for path in part["path"]]
    found = detect_photos(paths, part["sha256"].tolist())
    faces = [
        (found[row.sha256] or [None])[select_face(found[row.sha256], row.width, row.height) or 0]
        for row in part.itertuples()
    ]
    table = pd.DataFrame({"path": paths, "sha256": part["sha256"].tolist(), "face": faces, "row": used})
    table = table[table["face"].notna()]
    rows = []
    for backbone in backbones:
        for crop in ("box", "aligned"):
            vectors = _vectors(table, backbone, crop == "aligned", progress=True)
            spread = np.full((len(manifest), vectors.shape[1]), np.nan, np.float32)
            spread[table["row"].to_numpy()] = vectors
            result = ten_folds(np.einsum("nd,nd->n", spread[pairs.left], spread[pairs.right]), pairs)
            rows.append((backbone, crop, result.mean, result.standard_error))
    return pd.DataFrame(rows, columns=["backbone", "crop", "accuracy", "standard error"])
