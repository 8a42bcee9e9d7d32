"""Detection measured against what is known of the photos: faces found, the right face, faces made hard to find."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from PIL import Image

from facecourse.core.figures import COLOURS, figure
from facecourse.core.paths import ROOT
from facecourse.detection.detector import detect_photos, detector
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import embed_faces
from facecourse.metrics.verification import FoldResult, Pairs, similarities, ten_folds
from facecourse.photos.truth import SAME
from lambda_function.boxes import iou
from lambda_function.faces import select_face
from lambda_function.photos import open_photo
from lambda_function.pipeline import sha256_of

RULES = ("largest", "centre", "size_and_centre")
CHANGES = {  # how a photo is made harder, what the amount means, and the amounts that are tried
    "turned": ("degrees", (0, 15, 30, 45, 60, 90)),
    "shrunk": ("height of the face, pixels", (80, 40, 24, 16, 10)),
    "cut off": ("share of the face beyond the edge", (0.0, 0.2, 0.4, 0.5, 0.6)),
    "darkened": ("share of the light", (1.0, 0.3, 0.1, 0.06, 0.03)),
}


def roll_of(landmarks: np.ndarray) -> float:
    """Return by how many degrees the line between the eyes of (5, 2) landmarks is turned, clockwise positive."""
    right, down = landmarks[1] - landmarks[0]
    return float(np.degrees(np.arctan2(down, right)))


def find_true_faces(truth: pd.DataFrame, progress: bool = True) -> pd.DataFrame:
    """Detect in the photos of `true_faces` and put beside each true face the detected one.

    Added are sha256, face (None where no box has an IoU above 0.3), iou (0 to 1), error (largest distance of a
    landmark, as a share of the distance of the eyes), extra (boxes in the photo beyond its true faces) and roll (of
    the true landmarks, in degrees).
    """
    sums = {path: sha256_of(path) for path in truth["path"].unique()}
    found = detect_photos(list(sums), list(sums.values()), progress)
    number = truth.groupby("path").size()
    rows = []
    for row in truth.itertuples():
        faces, face, shared, error = found[sums[row.path]], None, 0.0, np.nan
        if faces:
            overlap = iou(np.stack([face.box for face in faces]), row.box[None])[:, 0]
            face, shared = faces[overlap.argmax()] if overlap.max() > SAME else None, float(overlap.max())
        if face:
            eyes = np.linalg.norm(row.landmarks[1] - row.landmarks[0])
            error = float(np.linalg.norm(face.landmarks - row.landmarks, axis=1).max() / max(eyes, 1e-6))
        extra = max(0, len(faces) - int(number[row.path]))
        rows.append((sums[row.path], face, shared, error, extra, roll_of(row.landmarks)))
    columns = ["sha256", "face", "iou", "error", "extra", "roll"]
    return truth.join(pd.DataFrame(rows, truth.index, columns).astype({"iou": float, "error": float}))


def rules_on_groups(truth: pd.DataFrame, side: float = 4.0) -> pd.DataFrame:
    """Choose a face in cuts from the group pictures, each about one known person, as LFW's photos were cut.

    A cut is `side` heights of the person's box wide; neighbours then reach into it. Returns rule, photos, right
    (the chosen face is the person in the middle), share (0 to 1).
    """
    right = dict.fromkeys(RULES, 0)
    groups = truth[truth["group"]]
    for row in groups.itertuples():
        image = open_photo(row.path)
        half, middle = (row.box[3] - row.box[1]) * side / 2, (row.box[:2] + row.box[2:]) / 2
        x0, y0 = np.maximum(middle - half, 0).astype(int)
        x1, y1 = np.minimum(middle + half, image.shape[1::-1]).astype(int)
        (faces,) = detector().detect([np.ascontiguousarray(image[y0:y1, x0:x1])])
        for rule in RULES:
            chosen = select_face(faces, x1 - x0, y1 - y0, rule)
            own = row.box - np.array([x0, y0, x0, y0])
            right[rule] += chosen is not None and iou(faces[chosen].box[None], own[None])[0, 0] > 0.3
    rows = [(rule, len(groups), count, count / max(len(groups), 1)) for rule, count in right.items()]
    return pd.DataFrame(rows, columns=["rule", "photos", "right", "share"])


def accuracy_on_lfw(
    manifest: pd.DataFrame, pairs: Pairs, backbone: Backbone, rule: str = "size_and_centre", every: int = 1
) -> FoldResult:
    """Return LFW's ten-fold accuracy when each photo's face is chosen by a rule; pairs without a face count as wrong.

    `pairs` is from `official_pairs`; with `every` n, only each n-th pair is taken, of the same folds.
    """
    left, right, same, folds = (a[::every] for a in (pairs.left, pairs.right, pairs.same, pairs.folds))
    used = np.unique([left, right])
    part = manifest.iloc[used]
    files, sums = [ROOT / path for path in part["path"]], part["sha256"].tolist()
    found = detect_photos(files, sums)
    faces = []
    for row in part.itertuples():
        chosen = select_face(found[row.sha256], row.width, row.height, rule)
        faces.append(None if chosen is None else found[row.sha256][chosen])
    pairs = replace(
        pairs, left=np.searchsorted(used, left), right=np.searchsorted(used, right), same=same, folds=folds
    )
    return ten_folds(similarities(embed_faces(files, sums, faces, backbone), pairs), pairs)


def changed_photos(
    truth: pd.DataFrame, change: str, amount: float
) -> Iterator[tuple[str, np.ndarray, tuple]]:
    """Make photos of one face each harder: yields a name, the picture, and where the face's middle is and how high.

    `change` and what `amount` means are in CHANGES. Beyond the edge is the side of the picture's left.
    """
    for row in truth.itertuples():
        image, (x0, y0, x1, y1) = Image.fromarray(open_photo(row.path)), row.box.astype(float)
        middle, height = np.array([x0 + x1, y0 + y1]) / 2, y1 - y0
        if change == "turned":
            centre, angle = np.array(image.size) / 2, np.radians(amount)
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            image, middle = image.rotate(amount, fillcolor="grey"), turn @ (middle - centre) + centre
        elif change == "shrunk":
            scale = amount / height
            size = [max(1, round(length * scale)) for length in image.size]
            image, middle, height = image.resize(size, Image.Resampling.BOX), middle * scale, float(amount)
        elif change == "cut off":
            edge = round(x0 + (x1 - x0) * amount) if amount else 0
            image, middle = image.crop((edge, 0, *image.size)), middle - (edge, 0)
        else:
            image = image.point(lambda value: value * amount)
        yield f"{row.path.stem}, {change} {amount}", np.asarray(image), (middle, height)


def found_when_changed(truth: pd.DataFrame, changes: dict = CHANGES) -> pd.DataFrame:
    """Return the share of faces found (0 to 1) in photos of one face each, by change and amount.

    A face counts as found when the middle of a box lies within half the true box's height of where it should.
    """
    rows = []
    for change, (_, amounts) in changes.items():
        for amount in amounts:
            _, images, places = zip(*changed_photos(truth, change, amount), strict=True)
            hit = [
                any(np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - middle) < height / 2 for face in faces)
                for faces, (middle, height) in zip(detector().detect(list(images)), places, strict=True)
            ]
            rows.append((change, amount, np.mean(hit)))
    return pd.DataFrame(rows, columns=["change", "amount", "found"])


def plot_found(table: pd.DataFrame):
    """Draw the share of faces found against turn, size, cut and light, from `found_when_changed`."""
    changes = table["change"].unique()
    picture, axes = figure(1, len(changes), width=2.9, height=3.0, sharey=True)
    for panel, change in zip(axes, changes, strict=True):
        part = table[table["change"] == change]
        panel.plot(part["amount"], part["found"] * 100, color=COLOURS["blue"], marker="o")
        panel.set(xlabel=f"{change}:\n{CHANGES[change][0]}", ylim=(-3, 103))
    axes[0].set_ylabel("photos with a face found (%)")
    return picture
