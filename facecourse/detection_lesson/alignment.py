"""What straightening faces by their landmarks does to embeddings, measured and shown."""

from dataclasses import replace

import numpy as np
import pandas as pd

from facecourse.core.sources import celebrity_photos
from facecourse.detection.detector import detect_photos
from facecourse.detection.faces_pictures import show_pairs, square_crop
from facecourse.detection_lesson.truth import roll_of
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import embed_faces
from facecourse.metrics.verification import all_pairs, pairs_among
from lambda_function.crops import Preprocessing, crop_face
from lambda_function.faces import select_face
from lambda_function.photos import open_photo
from lambda_function.pipeline import sha256_of

CROPS = ("box", "aligned")


def cropped(backbone: Backbone, crop: str) -> Backbone:
    """Return the backbone with one view of each face, cut along the box or straightened ("aligned")."""
    return replace(backbone, views=1, preprocessing=replace(backbone.preprocessing, align=crop == "aligned"))


def celebrity_faces(progress: bool = True) -> pd.DataFrame:
    """Return the chosen face of the 118 real photos that come with msceleb1m: path, name, sha256, face, roll (degrees)."""
    files = sorted(path for path in celebrity_photos().glob("*/*") if path.is_file())
    sums = [sha256_of(path) for path in files]
    found = detect_photos(files, sums, progress)
    rows = []
    for path, value in zip(files, sums, strict=True):
        height, width = open_photo(path).shape[:2]
        if (chosen := select_face(found[value], width, height)) is not None:
            face = found[value][chosen]
            rows.append((path, path.parent.name, value, face, roll_of(face.landmarks)))
    return pd.DataFrame(rows, columns=["path", "name", "sha256", "face", "roll"])


def alignment_effect(found: pd.DataFrame, backbone: Backbone, tilt: float = 8.0) -> pd.DataFrame:
    """Measure what straightening does to the similarities of one person's and of two people's photos.

    `found` has path, name, sha256, face (or None) and roll of photos of one face each; from `tilt` degrees of roll on
    a photo counts as tilted. Returned are, per crop and set of pairs ("all", or "tilted": at least one of the two),
    the number of pairs, the mean cosine similarity of pairs of one person ("same") and of two ("different"), and auc
    (area under the ROC curve, 0 to 1).
    """
    from sklearn.metrics import roc_auc_score

    usable = found[found["face"].notna()]
    photos = [usable[column].tolist() for column in ("path", "sha256", "face")]
    tilted = usable["roll"].abs().to_numpy() >= tilt
    pairs = pairs_among(np.arange(len(usable)), usable["name"].to_numpy())
    rows = []
    for crop in CROPS:
        vectors = embed_faces(*photos, cropped(backbone, crop), progress=False)
        scores, same = all_pairs(vectors, usable["name"].to_numpy())
        for label, part in (
            ("all", np.ones(len(same), bool)),
            ("tilted", tilted[pairs.left] | tilted[pairs.right]),
        ):
            alike, other = scores[part & same], scores[part & ~same]
            auc = roc_auc_score(same[part], scores[part])
            rows.append((crop, label, int(part.sum()), alike.mean(), other.mean(), auc))
    return pd.DataFrame(rows, columns=["crop", "pairs", "number", "same", "different", "auc"])


def show_aligned(found: pd.DataFrame, most: int = 12):
    """Draw the most tilted faces, as they are in the photo (left) and straightened by the landmarks (right)."""
    usable = found[found["face"].notna()]
    worst = usable.loc[usable["roll"].abs().nlargest(most).index]
    pairs = []
    for path, face in zip(worst["path"], worst["face"], strict=True):
        image = open_photo(path)
        pairs.append((square_crop(image, face, 160), crop_face(image, face, Preprocessing(align=True))))
    texts = [f"{roll:+.0f} degrees" for roll in worst["roll"]]
    return show_pairs(pairs, texts, title="In the photo, and straightened")
