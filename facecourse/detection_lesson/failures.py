"""Where MTCNN goes wrong: counted beside a newer detector, and photo by photo with a measured reason."""

import textwrap
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from facecourse.core.figures import figure
from facecourse.core.paths import ROOT
from facecourse.detection.detector import detector
from facecourse.detection.yunet import reference_detector
from facecourse.detection_lesson.stages import boxes_of, draw_boxes, draw_faces, hits, trace
from facecourse.detection_lesson.truth import roll_of
from lambda_function.boxes import overlapping
from lambda_function.faces import Face
from lambda_function.photos import open_photo

ON_FACE = 0.3  # IoU from which a box lies on a face
SUSPICION = 0.2  # probability at which a detector has at least a suspicion
SURE = 0.6  # the reference detector's probability from which a face that MTCNN lacks counts as missed
YUNET_SCORES = (0.9, 0.5)  # from which its boxes are taken as faces: OpenCV's default, and half
EDGE = 3  # pixels from the photo's edge within which a face counts as cut off


def compare_on_truth(truth: pd.DataFrame) -> pd.DataFrame:
    """Return what both detectors find in the photos of `true_faces`, and their median milliseconds per photo."""
    boxes = truth.groupby("path", sort=False)["box"].apply(lambda own: np.stack(list(own)))
    images = [open_photo(path) for path in boxes.index]
    rows = []
    for name, faces, spent in _both(images):
        counts = [hits(boxes_of(own), true, ON_FACE) for own, true in zip(faces, boxes, strict=True)]
        found, wrong, _ = zip(*counts, strict=True)
        rows.append((name, len(images), len(truth), sum(found), sum(wrong), spent))
    columns = ["detector", "photos", "faces", "found", "false alarms", "milliseconds"]
    return pd.DataFrame(rows, columns=columns)


def compare_on_portraits(files: list[Path]) -> pd.DataFrame:
    """Compare the detectors on photos of which is known only that each shows a person.

    Unmatched are boxes that the other detector does not even suspect: most are false alarms. Milliseconds are the
    median per photo.
    """
    images = [open_photo(path) for path in files]
    both, careless = _both(images, SUSPICION), detector(thresholds=(0.6, 0.4, SUSPICION))
    ours, seen, most = both[0][1], both[-1][1], both[-2][1]
    # What MTCNN finds it suspects as well, so that the slow search is for boxes that it did not find.
    suspected = [
        careless.detect([image])[0] if unmatched(own, found) else found
        for image, own, found in zip(images, most, ours, strict=True)
    ]
    rows = []
    for name, faces, spent in both[:-1]:
        others = seen if faces is ours else suspected
        alone = [unmatched(*pair) for pair in zip(faces, others, strict=True)]
        with_face = sum(len(own) > 0 for own in faces)
        rows.append((name, len(images), with_face, sum(map(len, faces)), sum(map(len, alone)), spent))
    columns = ["detector", "photos", "with a face", "boxes", "unmatched", "milliseconds"]
    return pd.DataFrame(rows, columns=columns)


def _both(images: list[np.ndarray], *more: float) -> list[tuple[str, list[list[Face]], float]]:
    """Return MTCNN, then YuNet from each least score, highest first: name, faces of every photo, milliseconds."""
    rows, scores = [("MTCNN", *_timed(detector(), images))], (*YUNET_SCORES, *more)
    found, spent = _timed(
        reference_detector(scores[-1]), images
    )  # NMS goes by score: the others are its first faces
    for least in scores:
        faces = [[face for face in own if face.score >= least] for own in found]
        rows.append((f"YuNet from {least}", faces, spent))
    return rows


def _timed(tool, images: list[np.ndarray]) -> tuple[list[list[Face]], float]:
    """Return a detector's faces of every photo, and its median milliseconds per photo."""
    faces, spent = [], []
    for image in images:
        begin = time.perf_counter()
        faces += tool.detect([image])
        spent.append((time.perf_counter() - begin) * 1000)
    return faces, float(np.median(spent))


def unmatched(faces: list[Face], others: list[Face]) -> list[Face]:
    """Return the faces that share half of the smaller of both boxes with none of the other detector's."""
    near = overlapping(boxes_of(faces), boxes_of(others), 0.5, smaller=True).any(axis=1)
    return [face for face, matched in zip(faces, near, strict=True) if not matched]


@dataclass
class Failure:
    """A photo where detection failed."""

    name: str  # of the photo
    image: np.ndarray
    kind: str  # "missed" or "false alarm"
    why: str  # in words, with the figures that say so
    faces: list[Face]  # all that MTCNN found
    marked: Face  # the one that the failure is about


def photos_of(manifest: pd.DataFrame, most: int = 1500) -> Iterator[tuple[str, np.ndarray]]:
    """Open at most `most` photos of a manifest: the reader's own first, then others, spread evenly."""
    readable = manifest[manifest["width"] > 0]
    own, others = (readable[(readable["source"] == "people") == mine] for mine in (True, False))
    spread = np.linspace(0, len(others) - 1, min(max(most - len(own), 0), len(others))).astype(int)
    for path in [*own["path"][:most], *others["path"].iloc[spread]]:
        yield Path(path).name, open_photo(ROOT / path)


def failures(photos: Iterable[tuple], progress: bool = True) -> list[Failure]:
    """Look for faces that MTCNN missed and boxes without a face in photos, (name, image, ...) each.

    The reference detector tells: it sees a face that MTCNN lacks, or has not even a suspicion. Returned are the
    missed ones first; within a kind, the clearest first.
    """
    found = []
    for name, image, *_ in tqdm(photos, desc="failures", unit="photo", disable=not progress):
        (faces,), (seen,) = detector().detect([image]), reference_detector(SUSPICION).detect([image])
        for face in unmatched([face for face in seen if face.score >= SURE], faces):
            why = f"{lost_at(image, face.box) or 'NMS'} lost it: {why_missed(image, face)}"
            found.append(Failure(name, image, "missed", why, faces, face))
        for face in unmatched(faces, seen):
            light, detail = _surface(image, face.box)
            height = face.box[3] - face.box[1]
            why = f"score {face.score:.2f}, {height:.0f} px, light {light:.0f}, {detail:.0f} between pixels"
            found.append(Failure(name, image, "false alarm", why, faces, face))
    return sorted(found, key=lambda failure: (failure.kind != "missed", -failure.marked.score))


def lost_at(image: np.ndarray, box: np.ndarray) -> str:
    """Return the network at which MTCNN loses a face whose box is known; "" where the face is found."""
    stages = zip(("P-Net", "R-Net", "O-Net"), trace(image).stages().values(), strict=True)
    return next((name for name, boxes in stages if not hits(boxes, box[None], ON_FACE)[0]), "")


def pose(face: Face) -> tuple[float, float]:
    """Estimate how a head is turned from its landmarks.

    Returned are roll in degrees (positive: the head leans to the picture's right), and how far the nose lies from
    the middle of the eyes, in distances of the eyes along their line: 0 from the front, about 0.5 in three-quarter
    view.
    """
    first, second, nose = face.landmarks[:3].astype(float)
    eyes = second - first
    return roll_of(face.landmarks), abs(float((nose - (first + second) / 2) @ eyes)) / max(eyes @ eyes, 1e-12)


def why_missed(image: np.ndarray, face: Face) -> str:
    """Say what is measurably unusual about a face that was missed: edge, size, turn, light, sharpness."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = face.box
    roll, aside = pose(face)
    light, detail = _surface(image, face.box)
    if min(x0, y0) < EDGE or x1 > width - EDGE or y1 > height - EDGE:
        return "cut off by the edge"
    if y1 - y0 < 24:
        return f"small, {y1 - y0:.0f} px high"
    if aside > 0.35:
        return f"in profile, nose {aside:.1f} eye distances aside"
    if abs(roll) > 25:
        return f"tilted, {roll:.0f} degrees"
    if light < 50:
        return f"dark, {light:.0f} of 255"
    if detail < 3:
        return f"blurred, {detail:.1f} between pixels"
    return "covered, or an unusual expression"


def _surface(image: np.ndarray, box: np.ndarray) -> tuple[float, float]:
    """Return mean brightness (0 to 255) and mean step between neighbouring pixels within a box."""
    height, width = image.shape[:2]
    x0, y0 = (int(v) for v in np.clip(box[:2], 0, (width - 2, height - 2)))
    x1, y1 = (int(v) for v in np.clip(box[2:], (x0 + 2, y0 + 2), (width, height)))
    grey = image[y0:y1, x0:x1].mean(axis=2)
    return float(grey.mean()), float(np.abs(np.diff(grey, axis=1)).mean())


def show_failures(found: list[Failure], most: int = 8, columns: int = 4):
    """Draw up to `most` photos of either kind of failure: in red what it is about, in yellow what was found."""
    part = [f for kind in ("missed", "false alarm") for f in [f for f in found if f.kind == kind][:most]]
    if not part:
        return None
    columns = min(columns, len(part))
    picture, axes = figure(-(-len(part) // columns), columns, width=2.7, height=2.95, squeeze=False)
    for panel in axes.ravel():
        panel.axis("off")
    for panel, failure in zip(axes.ravel(), part, strict=False):
        title = f"{failure.kind}\n" + textwrap.fill(failure.why, 36)
        draw_faces(panel, failure.image, failure.faces, title)
        draw_boxes(panel, [failure.marked.box], "red", 2, linestyle="--")
    return picture
