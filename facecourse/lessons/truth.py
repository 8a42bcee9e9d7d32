"""Detection measured against what is known of the photos: faces found, the right face, straightened faces."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from facecourse.core.paths import DATA, ROOT
from facecourse.core.sources import celebrity_photos
from facecourse.detection.detector import detect_photos, find_faces
from facecourse.embedding.embeddings import embed_faces
from facecourse.metrics.verification import ten_folds
from facecourse.photos.files import sha256
from lambda_function.boxes import overlap
from lambda_function.faces import Face, select_face
from lambda_function.photos import open_photo

RULES = ("largest", "centre", "size_and_centre")
_POINTS = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")  # a person's right is on our left


def true_faces() -> pd.DataFrame:
    """Return every rendered face of the sample: path, name, group (bool), box, landmarks, roll.

    Box (4,) and landmarks (5, 2) are in pixels, landmarks in MTCNN's order; roll is in degrees.
    """
    rows = [
        _known(DATA / path, path.split("/")[1], False, face)
        for path, face in json.loads((DATA / "photos.json").read_text()).items()
    ]
    for photo in json.loads((DATA / "group" / "groups.json").read_text()):
        path = DATA / "group" / photo["file"]
        rows += [_known(path, face["name"], True, face) for face in photo["faces"]]
    return pd.DataFrame(rows)


def _known(path: Path, name: str, group: bool, face: dict) -> dict:
    landmarks = np.array([face[point] for point in _POINTS], np.float32)
    right, down = landmarks[1] - landmarks[0]
    return {
        "path": path,
        "name": name,
        "group": group,
        "box": np.array(face["box"], np.float32),
        "landmarks": landmarks,
        "roll": float(np.degrees(np.arctan2(down, right))),
    }


def find_true_faces(truth: pd.DataFrame, progress: bool = True) -> pd.DataFrame:
    """Detect in the photos of `truth` and put beside each true face the detected one.

    Parameters
    ----------
    truth : DataFrame
        From `true_faces`.
    progress : bool
        Show a progress bar.

    Returns
    -------
    DataFrame
        `truth` with sha256, face (Face or None), overlap (0 to 1), error (largest distance of a landmark, as
        a share of the distance of the eyes) and extra (boxes in the photo beyond its true faces).
    """
    paths = list(dict.fromkeys(truth["path"]))
    hashes = {path: sha256(path.read_bytes()) for path in paths}
    found = detect_photos(paths, [hashes[path] for path in paths], progress)
    number = truth.groupby("path").size()
    rows = []
    for row in truth.itertuples():
        faces = found[hashes[row.path]]
        face, shared = _nearest(faces, row.box)
        rows.append(
            {
                "sha256": hashes[row.path],
                "face": face,
                "overlap": shared,
                "error": _error(face, row.landmarks) if face else np.nan,
                "extra": max(0, len(faces) - int(number[row.path])),
            }
        )
    return truth.assign(**pd.DataFrame(rows, index=truth.index, dtype=object))


def _nearest(faces: list[Face], box: np.ndarray) -> tuple[Face | None, float]:
    if not faces:
        return None, 0.0
    shared = overlap(np.stack([face.box for face in faces]), box[None])[:, 0]
    best = int(shared.argmax())
    return (faces[best], float(shared[best])) if shared[best] > 0.3 else (None, float(shared[best]))


def _error(face: Face, landmarks: np.ndarray) -> float:
    eyes = np.linalg.norm(landmarks[1] - landmarks[0])
    return float(np.linalg.norm(face.landmarks - landmarks, axis=1).max() / max(eyes, 1e-6))


def rules_on_groups(truth: pd.DataFrame, side: float = 6.0) -> pd.DataFrame:
    """Choose a face in cuts from the group pictures, each about one known person, as LFW's photos were cut.

    Parameters
    ----------
    truth : DataFrame
        From `true_faces`.
    side : float
        Side of the cut in heights of the person's box; neighbours then reach into it.

    Returns
    -------
    DataFrame
        rule, photos, right (chosen face is the person in the middle), share (0 to 1).
    """
    cuts, own = [], []
    for row in truth[truth["group"]].itertuples():
        image = open_photo(row.path)
        half = (row.box[3] - row.box[1]) * side / 2
        middle = (row.box[:2] + row.box[2:]) / 2
        x0, y0 = np.maximum(middle - half, 0).astype(int)
        x1, y1 = np.minimum(middle + half, image.shape[1::-1]).astype(int)
        cuts.append(np.ascontiguousarray(image[y0:y1, x0:x1]))
        own.append(row.box - np.array([x0, y0, x0, y0], np.float32))
    found = find_faces(cuts)
    return _count_right(found, own, [cut.shape for cut in cuts])


def _count_right(found: list, own: list, shapes: list) -> pd.DataFrame:
    rows = []
    for rule in RULES:
        right = 0
        for faces, box, (height, width, _) in zip(found, own, shapes, strict=True):
            chosen = select_face(faces, width, height, rule)
            right += chosen is not None and overlap(faces[chosen].box[None], box[None])[0, 0] > 0.3
        rows.append({"rule": rule, "photos": len(own), "right": right, "share": right / max(len(own), 1)})
    return pd.DataFrame(rows)


def rules_on_lfw(manifest: pd.DataFrame, pairs, backbone: str) -> pd.DataFrame:
    """Return LFW's ten-fold accuracy for each way to choose the face; pairs without a face count as wrong.

    Parameters
    ----------
    manifest : DataFrame
        With all of LFW.
    pairs : Pairs
        From `official_pairs`.
    backbone : str
    """
    lfw = manifest.reset_index(drop=True)
    used = np.unique(np.concatenate([pairs.left, pairs.right]))
    part = lfw.iloc[used]
    paths = [ROOT / path for path in part["path"]]
    found = detect_photos(paths, part["sha256"].tolist())
    rows = []
    for rule in RULES:
        chosen = [
            (i, found[row.sha256][place])
            for i, row in zip(used, part.itertuples(), strict=True)
            if (place := select_face(found[row.sha256], row.width, row.height, rule)) is not None
        ]
        places = [i for i, _ in chosen]
        own = embed_faces(
            [ROOT / lfw["path"][i] for i in places],
            lfw["sha256"][places].tolist(),
            [face for _, face in chosen],
            backbone,
        )
        vectors = np.full((len(lfw), own.shape[1]), np.nan, np.float32)
        vectors[places] = own
        scores = np.einsum("nd,nd->n", vectors[pairs.left], vectors[pairs.right])
        result = ten_folds(scores, pairs)
        rows.append({"rule": rule, "accuracy": result.mean, "standard error": result.standard_error})
    return pd.DataFrame(rows)


def found_when_changed(truth: pd.DataFrame, rolls=(0, 15, 30, 45, 60, 90), sides=(80, 40, 24, 16, 10)):
    """Return the share of faces found when photos are turned (degrees) and shrunk (to faces of some pixels).

    A face counts as found when the middle of a box lies within half the true box's height of where it should.

    Parameters
    ----------
    truth : DataFrame
        path and box of photos of one face each, from `true_faces`.
    rolls, sides : tuple of float

    Returns
    -------
    DataFrame
        change ("turned" or "shrunk"), amount, found (0 to 1).
    """
    rows = []
    for change, amounts, make in (("turned", rolls, _turned), ("shrunk", sides, _shrunk)):
        for amount in amounts:
            images, places = zip(
                *(make(row.path, row.box, amount) for row in truth.itertuples()), strict=True
            )
            found = find_faces(images)
            hit = [any(_near(face, *place) for face in own) for own, place in zip(found, places, strict=True)]
            rows.append({"change": change, "amount": amount, "found": np.mean(hit)})
    return pd.DataFrame(rows)


def _turned(path: Path, box: np.ndarray, degrees: float) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    """Return a photo turned about its middle, and where the middle of the box went, with its height."""
    image = Image.fromarray(open_photo(path))
    centre = np.array(image.size) / 2
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = turn @ ((box[:2] + box[2:]) / 2 - centre) + centre
    return np.asarray(image.rotate(degrees, fillcolor="grey")), (middle, float(box[3] - box[1]))


def _shrunk(path: Path, box: np.ndarray, side: float) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    image = Image.fromarray(open_photo(path))
    scale = side / float(box[3] - box[1])
    small = image.resize([max(1, round(length * scale)) for length in image.size], Image.Resampling.BOX)
    return np.asarray(small), ((box[:2] + box[2:]) / 2 * scale, float(side))


def _near(face: Face, middle: np.ndarray, side: float) -> bool:
    return bool(np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - middle) < side / 2)


def sample_photos(celebrities: bool = False) -> pd.DataFrame:
    """Return the rendered photos, groups included, as rows of path, sha256, person, width, height, named as in a manifest.

    Parameters
    ----------
    celebrities : bool
        Add the real photos that come with the sample's backbone.
    """
    truth = true_faces()
    names = dict(zip(truth["path"], np.where(truth["group"], "", truth["name"]), strict=True))
    if celebrities:
        names |= {path: path.parent.name for path in sorted(celebrity_photos().glob("*/*.*"))}
    rows = []
    for path, name in names.items():
        height, width = open_photo(path).shape[:2]
        place = path.relative_to(ROOT).as_posix()
        rows.append((place, sha256(path.read_bytes()), name, width, height))
    return pd.DataFrame(rows, columns=["path", "sha256", "person", "width", "height"])
