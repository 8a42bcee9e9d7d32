"""facenet-pytorch's MTCNN as the reference, and how two detectors' answers are compared."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from lambda_function.boxes import iou
from lambda_function.faces import Face

EMPTY_STAGE = (RuntimeError, ValueError, IndexError, TypeError)  # what it raises where a stage finds nothing


class Reference:
    """facenet-pytorch's MTCNN with its defaults, asked for one photo at a time, answering as ours does."""

    def __init__(self, threads: int = 2):
        import torch
        from facenet_pytorch import MTCNN

        torch.set_num_threads(threads)
        self.network = MTCNN(keep_all=True, device="cpu", min_face_size=20)

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Return the faces of one photo; empty where it returns None or raises for want of a face."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                boxes, scores, points = self.network.detect(image, landmarks=True)
            except EMPTY_STAGE:
                return []
        if boxes is None:
            return []
        # It returns arrays of objects under numpy 2.
        boxes, points = np.asarray(boxes, np.float32), np.asarray(points, np.float32)
        return [Face(box, p, float(score)) for box, p, score in zip(boxes, points, scores, strict=True)]


@dataclass
class Parity:
    """Agreement over many photos."""

    photos: int = 0
    same_number: int = 0  # photos with the same number of faces from both
    faces: int = 0  # the reference's
    same_place: int = 0  # of these, met by one of ours with IoU >= 0.98 and landmarks within 1 pixel
    differences: list[str] = field(default_factory=list)  # a line for each photo or face that differs

    def add(self, name: str, ours: list[Face], theirs: list[Face]) -> None:
        """Count one photo."""
        self.photos += 1
        self.same_number += len(ours) == len(theirs)
        if len(ours) != len(theirs):
            scores = [sorted(round(float(f.score), 4) for f in faces) for faces in (ours, theirs)]
            self.differences.append(f"{name}: {len(ours)} faces, reference {len(theirs)}; scores {scores}")
        self.faces += len(theirs)
        if not ours or not theirs:
            return
        shared = iou(*(np.stack([f.box for f in faces]).astype(float) for faces in (theirs, ours)))
        for number, (face, place) in enumerate(zip(theirs, shared.argmax(axis=1), strict=True)):
            row = shared[number, place]
            error = float(np.linalg.norm(face.landmarks - ours[place].landmarks, axis=1).max())
            if row >= 0.98 and error <= 1:
                self.same_place += 1
            else:
                self.differences.append(f"{name}: IoU {row:.3f}, worst landmark {error:.2f} px off")

    @property
    def number(self) -> float:
        """Share of photos with the same number of faces, 0 to 1."""
        return self.same_number / max(self.photos, 1)

    @property
    def place(self) -> float:
        """Share of the reference's faces that ours has in the same place, 0 to 1."""
        return self.same_place / max(self.faces, 1)
