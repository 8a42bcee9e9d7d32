"""What a detector finds, whichever it is, and which of several faces a photo is about."""

from dataclasses import dataclass

import numpy as np

SURE = 0.9  # below, a face is only taken for the photo's person where there is no surer one


@dataclass
class Face:
    """One detected face, in pixels of the photo; boxes and landmarks may lie beyond its edge."""

    box: np.ndarray  # (4,) float32: x0 y0 x1 y1
    # (5, 2) float32, x y: image-left eye, image-right eye, nose, left, right mouth corner
    landmarks: np.ndarray
    score: float  # the detector's probability that this is a face


def select_face(faces: list[Face], width: int, height: int, rule: str = "size_and_centre") -> int | None:
    """Return the place of the face that a photo of width x height pixels is about; None without faces.

    Rules: "largest", the largest box; "centre", the box nearest to the photo's middle; "size_and_centre", the
    largest area minus twice the squared distance from the middle (FaceNet's align_dataset_mtcnn). With every
    rule, faces below SURE are only chosen where there is no surer one: most of them are no faces.

    Raises ValueError if there is no such rule.
    """
    if rule not in ("largest", "centre", "size_and_centre"):
        raise ValueError(f"no rule {rule!r}: take 'largest', 'centre' or 'size_and_centre'")
    if not faces:
        return None
    boxes = np.stack([face.box for face in faces]).astype(np.float64)
    sure = np.array([face.score >= SURE for face in faces])
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    away = (((boxes[:, :2] + boxes[:, 2:]) / 2 - (width / 2, height / 2)) ** 2).sum(axis=1)
    merit = {"largest": area, "centre": -away, "size_and_centre": area - 2 * away}[rule]
    return int(np.argmax(np.where(sure | ~sure.any(), merit, -np.inf)))
