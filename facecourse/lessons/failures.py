"""Where MTCNN goes wrong on real photos: found by code, with a measured reason for each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facecourse.core.paths import ROOT
from facecourse.core.sources import SourceError
from facecourse.detection.centerface import second_opinion
from facecourse.detection.detector import detect_photos
from facecourse.embedding.embeddings import embed_faces
from facecourse.lessons.second_detector import DOUBTFUL, unconfirmed
from facecourse.lessons.stages import lost_at
from lambda_function.faces import Face, select_face
from lambda_function.photos import open_photo

SURE = 0.6  # the second detector's probability from which a face that MTCNN lacks counts as missed
STRANGE = 0.25  # cosine similarity to the person's other photos below which the chosen face may be another's
EDGE = 3  # pixels from the photo's edge within which a face counts as cut off
KINDS = ("missed", "false alarm", "wrong face")


@dataclass
class Failure:
    """A photo where detection failed.

    Attributes
    ----------
    path : path
    kind : str
        "missed", "false alarm" or "wrong face".
    why : str
        In words, with the figures that say so.
    faces : list of Face
        All that MTCNN found.
    marked : ndarray of shape (4,)
        The box that the failure is about.
    weight : float
        How clear the case is: larger first.
    """

    path: Path
    kind: str
    why: str
    faces: list[Face]
    marked: np.ndarray
    weight: float


def failures(manifest: pd.DataFrame, backbone: str, most: int = 1500, progress: bool = True) -> list[Failure]:
    """Look for faces that were missed, boxes without a face, and photos where another person was chosen.

    A second detector is the witness for the first two; the person's other photos for the third.

    Parameters
    ----------
    manifest : DataFrame
        path, sha256, person, width, height of photos, as a manifest has them.
    backbone : str
        Its embeddings say who resembles whom.
    most : int
        Photos that the second detector looks at, at half a minute a thousand: the reader's own, then others evenly.
    progress : bool

    Returns
    -------
    list of Failure
        By kind; within a kind the clearest first.
    """
    readable = manifest[manifest["width"] > 0].reset_index(drop=True)
    found = detect_photos([ROOT / path for path in readable["path"]], readable["sha256"].tolist(), progress)
    faces = [found[sha] for sha in readable["sha256"]]
    seen = _looked_at(readable, most)
    failed = _against_witness(readable.iloc[seen], [faces[i] for i in seen], progress)
    failed += _wrong_people(readable, faces, backbone, progress)
    return sorted(failed, key=lambda failure: (KINDS.index(failure.kind), -failure.weight))


def _looked_at(photos: pd.DataFrame, most: int) -> list[int]:
    """Return the places of at most `most` photos: the reader's own first, the others spread evenly."""
    own = (photos["source"] == "people").to_numpy() if "source" in photos else np.ones(len(photos), bool)
    mine, others = np.flatnonzero(own)[:most], np.flatnonzero(~own)
    left = min(most - len(mine), len(others))
    return sorted([*mine.tolist(), *others[np.linspace(0, len(others) - 1, left).astype(int)].tolist()])


def _against_witness(photos: pd.DataFrame, faces: list[list[Face]], progress: bool) -> list[Failure]:
    from tqdm.auto import tqdm

    try:
        witness = second_opinion(DOUBTFUL)
    except SourceError as error:
        print(
            f"no second detector, so misses and false alarms are not searched: {str(error).splitlines()[0]}"
        )
        return []
    failed = []
    places = tqdm(photos["path"], desc="second detector", unit="photo", disable=not progress)
    for path, own in zip(places, faces, strict=True):
        image = open_photo(ROOT / path)
        seen = witness.detect([image])[0]
        for face in unconfirmed([face for face in seen if face.score >= SURE], own):
            why = f"{lost_at(image, face.box) or 'overlap'} lost it: {why_missed(image, face)}"
            failed.append(Failure(ROOT / path, "missed", why, own, face.box, face.score))
        for face in unconfirmed(own, seen):
            failed.append(
                Failure(ROOT / path, "false alarm", why_alarm(image, face), own, face.box, face.score)
            )
    return failed


def pose(face: Face) -> tuple[float, float]:
    """Estimate how a head is turned from its landmarks.

    Parameters
    ----------
    face : Face
        With its landmarks in pixels.

    Returns
    -------
    (float, float)
        Roll in degrees (positive: the head leans to the picture's right), and how far the nose lies from
        the middle of the eyes, in distances of the eyes along their line: 0 from the front, about 0.5 in
        three-quarter view.
    """
    right, left, nose = face.landmarks[:3].astype(float)
    across = left - right
    length = max(float(np.hypot(*across)), 1e-6)
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    return roll, abs(float((nose - (left + right) / 2) @ across)) / length**2


def _surface(image: np.ndarray, box: np.ndarray) -> tuple[float, float]:
    """Return mean brightness (0 to 255) and mean step between neighbouring pixels within a box."""
    height, width = image.shape[:2]
    x0, y0 = (int(v) for v in np.clip(box[:2], 0, (width - 2, height - 2)))
    x1, y1 = (int(v) for v in np.clip(box[2:], (x0 + 2, y0 + 2), (width, height)))
    grey = image[y0:y1, x0:x1].mean(axis=2)
    return float(grey.mean()), float(np.abs(np.diff(grey, axis=1)).mean())


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
        return f"tilted by {roll:.0f} degrees"
    if light < 50:
        return f"dark, {light:.0f} of 255"
    if detail < 3:
        return f"blurred, {detail:.1f} between pixels"
    return "covered, or an unusual expression"


def why_alarm(image: np.ndarray, face: Face) -> str:
    """Say what speaks against a box that the second detector does not see, not even doubtfully."""
    side = float(face.box[3] - face.box[1])
    light, detail = _surface(image, face.box)
    return f"score {face.score:.2f}, {side:.0f} px, light {light:.0f}, {detail:.0f} between pixels"


def _wrong_people(
    photos: pd.DataFrame, faces: list[list[Face]], backbone: str, progress: bool
) -> list[Failure]:
    """Find photos whose chosen face is unlike the person's other photos while another face in them is like."""
    rows = [i for i, own in enumerate(faces) if own]
    size = photos[["width", "height"]].to_numpy()
    chosen = {i: select_face(faces[i], *size[i]) for i in rows}
    vectors = _embed(photos, [(i, faces[i][chosen[i]]) for i in rows], backbone, progress)
    sums = pd.DataFrame(vectors).groupby(photos["person"].to_numpy()[rows]).transform("sum").to_numpy()
    count = photos["person"].iloc[rows].map(photos["person"].iloc[rows].value_counts()).to_numpy()
    others = sums - vectors
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-9)
    likeness = np.einsum("nd,nd->n", vectors, others)
    failed = []
    for place, i in enumerate(rows):
        if count[place] < 3 or likeness[place] >= STRANGE or len(faces[i]) < 2:
            continue
        rivals = [face for j, face in enumerate(faces[i]) if j != chosen[i]]
        alike = _embed(photos, [(i, face) for face in rivals], backbone, False) @ others[place]
        best = int(alike.argmax())
        if alike[best] > likeness[place] + 0.2:
            why = f"{likeness[place]:.2f} like the others; the marked face {alike[best]:.2f}"
            failed.append(
                Failure(
                    ROOT / photos["path"][i],
                    "wrong face",
                    why,
                    faces[i],
                    rivals[best].box,
                    float(alike[best] - likeness[place]),
                )
            )
    return failed


def _embed(photos: pd.DataFrame, chosen: list[tuple[int, Face]], backbone: str, progress: bool) -> np.ndarray:
    part = photos.iloc[[i for i, _ in chosen]]
    return embed_faces(
        [ROOT / path for path in part["path"]],
        part["sha256"].tolist(),
        [face for _, face in chosen],
        backbone,
        progress=progress,
    )
