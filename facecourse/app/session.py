"""Trying the model out: name the faces of photos, move the threshold, enrol and remove people.

Nothing here knows about widgets, so the same works in a script; `facecourse.app.widgets` puts a page in front of it.
"""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from facecourse.app.endpoint import Endpoint, EndpointError, ask, find_endpoint, serve_function
from facecourse.core.paths import THREADS, outputs_for, require
from facecourse.deployment.local_function import LocalFunction
from lambda_function.gallery import UNKNOWN
from lambda_function.photos import PhotoError, open_photo
from lambda_function.pipeline import Recogniser, Recognition

MAX_FILE = 50_000_000  # bytes
MIN_SAME_PERSON_SIMILARITY = 0.45  # 1 % of LFW's pairs of one person are below


@dataclass
class Result:
    """A photo and who is in it: what this computer saw (`recognition`) or what the deployed function answered (`faces`)."""

    photo: str  # file name
    data: bytes = field(repr=False)  # the file, so that its faces can be enrolled
    image: np.ndarray | None = field(default=None, repr=False)  # (height, width, 3) uint8 RGB
    faces: list[dict] = field(default_factory=list)  # as `Recogniser.recognise` gives them
    by: str = "this computer"  # or "deployed function"
    recognition: Recognition | None = None
    seconds: float = 0.0  # from the file to the names
    problem: str = ""  # what went wrong, in words

    def named(self, threshold: float) -> list[dict]:
        """Return every face, from left to right, with the name that holds at `threshold` (a score).

        No network runs again, and whoever has been enrolled or removed meanwhile counts. A deployed function that gave no
        candidates, since it was asked without a key, has named the faces itself, at its own threshold.
        """
        if self.recognition is not None:
            faces = self.recognition.names(threshold=threshold)
        else:
            faces = [dict(face) for face in self.faces]
            for face in faces:
                if face["top"]:
                    best = face["top"][0]
                    face["name"] = best["name"] if best["score"] >= threshold else UNKNOWN
        return sorted(faces, key=lambda face: face["box"][0])

    def names(self, threshold: float) -> list[str]:
        """Return the name of every face, from left to right, at `threshold` (a score)."""
        return [face["name"] for face in self.named(threshold)]


@dataclass
class Enrolment:
    """What came of enrolling a person."""

    person: str
    photos: int  # that were used; 0: nobody was enrolled
    notes: list[str]  # a sentence for each photo left out, and for each doubt


class RecognitionSession:
    """The recogniser of one profile, with the people enrolled in this session; it keeps no photos.

    Raises MissingInput if notebook 05 has not built the model bundle yet, BundleError if the bundle is damaged.
    """

    def __init__(self, profile: str):
        self.profile = profile
        bundle = require(outputs_for(profile) / "model", "05_deploy_lambda")
        self.recogniser = Recogniser.load(bundle, threads=THREADS)
        self._served: tuple[LocalFunction, Endpoint] | None = None

    @property
    def threshold(self) -> float:
        """The threshold (a score) that was chosen in notebook 04."""
        return self.recogniser.gallery.threshold

    @property
    def people(self) -> list[str]:
        """Names of everyone who can be recognised on this computer, in order."""
        return sorted(self.recogniser.gallery.labels)

    def function(self) -> Endpoint:
        """Return the deployed function: notebook 05's while it is up, else one served here.

        Raises EndpointError if the note that notebook 05 left is damaged.
        """
        if endpoint := find_endpoint(self.profile):
            return endpoint
        self._served = self._served or serve_function(self.profile)
        return self._served[1]

    def function_url(self) -> str:
        """Return where the deployed function answers."""
        return self.function().url

    def recognise(self, photo: str, data: bytes, deployed: bool = False) -> Result:
        """Look at one photo, on this computer or by the deployed function; a problem is in the result, not raised."""
        result = Result(photo, data, by="deployed function" if deployed else "this computer")
        start = time.perf_counter()
        try:
            result.image = open_photo(data, max_bytes=MAX_FILE)
            if deployed:
                result.faces = ask(self.function(), data, result.image)
            else:
                result.recognition = self.recogniser.look(result.image)
            if not result.named(self.threshold):
                result.problem = (
                    "no face was found: try a photo with a face of at least 20 pixels, from the front"
                )
        except (PhotoError, EndpointError) as error:
            result.problem = str(error)
        result.seconds = time.perf_counter() - start
        return result

    def enrol(self, person: str, photos: list[tuple[str, bytes]]) -> Enrolment:
        """Add a person from photos, (file name, content), or replace one of the same name; no training.

        Spaces in the name are kept as underscores, as in the dataset. Of several faces the one that the photo is about
        is taken. Nobody is enrolled if the name cannot be used or no photo shows a face.
        """
        person = "_".join(person.split())
        if not person or person.lower() == UNKNOWN:
            note = "type the person's name first" if not person else "nobody can be called 'unknown'"
            return Enrolment(person, 0, [note])
        vectors, notes = [], []
        for photo, data in photos:
            try:
                look = self.recogniser.look(open_photo(data, max_bytes=MAX_FILE))
            except PhotoError as error:
                notes.append(f"{photo} was left out: {error}")
                continue
            if (chosen := look.main()) is None:
                notes.append(f"{photo} was left out: no face was found")
                continue
            if len(look.faces) > 1:
                notes.append(f"{photo} shows {len(look.faces)} faces: the most prominent one was taken")
            vectors.append(look.embeddings[chosen])
        if not vectors:
            return Enrolment(person, 0, notes or ["choose at least one photo of this person"])
        notes += self._doubts(person, np.stack(vectors))
        self._change(lambda gallery: gallery.enrol(person, np.stack(vectors)))
        return Enrolment(person, len(vectors), notes)

    def remove(self, person: str) -> bool:
        """Forget a person on this computer; return whether there was one of that name."""
        return self._change(lambda gallery: gallery.remove("_".join(person.split())))

    def _change(self, change):
        """Change a copy of the gallery and put it in place in one step: the slider may be naming faces meanwhile."""
        gallery = replace(self.recogniser.gallery)
        outcome = change(gallery)
        self.recogniser.gallery = gallery
        return outcome

    def _doubts(self, person: str, vectors: np.ndarray) -> list[str]:
        """Say where photos do not look like one person, or like somebody who is enrolled already."""
        notes = []
        if (least := (vectors @ vectors.T).min()) < MIN_SAME_PERSON_SIMILARITY:
            notes.append(f"are these all the same person? Two photos have a similarity of only {least:.2f}")
        mean = vectors.mean(0, keepdims=True)
        match = self.recogniser.gallery.identify(mean / np.linalg.norm(mean))[0]
        if match.name not in (UNKNOWN, person):
            notes.append(f"this face is very like {match.name} (similarity {match.score:.2f})")
        return notes


def photos_at(path: str | Path) -> list[tuple[str, bytes]]:
    """Read a photo, or every file of a folder, as the uploader would deliver it: (file name, content).

    Raises FileNotFoundError if nothing is there.
    """
    path = Path(path).expanduser()
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"there is no photo in {path}; folders in it are not searched")
    if not path.exists():
        raise FileNotFoundError(f"there is no photo and no folder {path}, seen from {Path.cwd()}")
    return [(file.name, file.read_bytes()) for file in files]


def names_at(
    results: list[Result], people: dict[str, dict[str, np.ndarray]], thresholds: list[float]
) -> pd.DataFrame:
    """Count faces by threshold (a score): with their own name, with somebody else's, unknown.

    `people` has by a photo's file name who is in it and where: {name: box in pixels}. A face is whose box has the nearest
    middle: somebody else's name is wrong, too, where that person is in the photo as well.
    """
    rows = {}
    for threshold in sorted(thresholds):
        faces = [
            (face["name"], whose(face["box"], people[result.photo]))
            for result in results
            for face in result.named(threshold)
        ]
        rows[round(threshold, 2)] = {
            "rightly named": sum(name == own for name, own in faces),
            "wrongly named": sum(name not in (own, UNKNOWN) for name, own in faces),
            "unknown": sum(name == UNKNOWN for name, _ in faces),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("threshold")


def whose(box: np.ndarray, people: dict[str, np.ndarray]) -> str:
    """Return who of `people`, {name: box}, has the middle of the face nearest to that of `box`; all are x0, y0, x1, y1."""
    corners = np.array(list(people.values())) - np.asarray(box)
    return list(people)[np.linalg.norm(corners[:, :2] + corners[:, 2:], axis=1).argmin()]
