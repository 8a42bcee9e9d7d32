"""What the renderer says of the sample's photos: whose face is where, how old, in which condition, and who is kin."""

import json

import numpy as np
import pandas as pd

from facecourse.core import paths
from lambda_function.boxes import iou
from lambda_function.faces import Face

POINTS = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")  # a person's right is on our left
SAME = 0.3  # IoU from which a detected box and a true one are the same face
KNOWN = ["kinship", "age", "yaw", "condition", "pixels"]


def true_conditions(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return what data/photos.json says of each photo of a manifest: kinship, age, yaw, condition, pixels; nan elsewhere."""
    truth = _read("photos.json")
    keys = [path.removeprefix("data/") for path in manifest["path"]]
    return pd.DataFrame([truth.get(key, {}) for key in keys], index=manifest.index).reindex(columns=KNOWN)


def true_faces() -> pd.DataFrame:
    """Return every rendered face of the sample that is in data/: path, name, group (bool), box, landmarks, age, condition.

    Condition says what makes a portrait hard, "plain" if nothing does; it is "" and age nan in group pictures. Box (4,)
    and landmarks (5, 2) are in pixels, landmarks in MTCNN's order.
    """
    portraits = _read("photos.json")
    faces = [(path, path.split("/")[1], False, face) for path, face in portraits.items()]
    for photo in _read("group/groups.json"):
        faces += [(f"group/{photo['file']}", face["name"], True, face) for face in photo["faces"]]
    rows = [
        (
            paths.DATA / path,
            name,
            group,
            np.array(face["box"], np.float32),
            np.array([face[point] for point in POINTS], np.float32),
            face.get("age", np.nan),
            face.get("condition", ""),
        )
        for path, name, group, face in faces
        if (paths.DATA / path).exists()  # a reader may have put photos of their own into data/people
    ]
    return pd.DataFrame(rows, columns=["path", "name", "group", "box", "landmarks", "age", "condition"])


def true_names(files: list, faces: list[Face]) -> pd.DataFrame:
    """Return of each detected face in a file of the sample whose it is: name, age, condition; "" and nan if unknown."""
    truth, rows = dict(list(true_faces().groupby("path"))), []
    for path, face in zip(files, faces, strict=True):
        shared, row = 0.0, None
        if path in truth:
            overlap = iou(face.box[None], np.stack(truth[path]["box"].to_numpy()))[0]
            shared, row = overlap.max(), truth[path].iloc[overlap.argmax()]
        rows.append((row["name"], row["age"], row["condition"]) if shared > SAME else ("", np.nan, ""))
    return pd.DataFrame(rows, columns=["name", "age", "condition"])


def true_kinship() -> dict[str, dict[str, str]]:
    """Return of each of the sample's people with relatives who is their "twin" or "sibling", by name."""
    return {
        path.split("/")[1]: face["kinship"]
        for path, face in _read("photos.json").items()
        if face.get("kinship")
    }


def _read(name: str):
    return json.loads((paths.DATA / name).read_text())
