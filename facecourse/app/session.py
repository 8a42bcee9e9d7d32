"""Trying the model out: name the faces of photos, move the threshold, enrol and remove people.

Nothing here knows about widgets, so the same works in a script; `facecourse.app.widgets` puts a page in front of it.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from facecourse.app.endpoint import EndpointError, ask, endpoint_url, serve_function
from facecourse.core.paths import THREADS, outputs_for, require
from facecourse.deployment.local_function import LocalFunction
from lambda_function.faces import Face, select_face
from lambda_function.gallery import UNKNOWN
from lambda_function.photos import PhotoError, open_photo
from lambda_function.pipeline import Recogniser

MAX_FILE = 50_000_000
UNLIKE = (
    0.45  # cosine below which two photos are hardly of one person: so are 1 % of LFW's pairs of one person
)


@dataclass
class Result:
    """One photo and who is in it.

    Attributes
    ----------
    photo : str
        File name.
    data : bytes
        The file, kept so that its faces can be enrolled.
    image : ndarray of shape (height, width, 3), uint8, RGB, or None
    faces : list of dict
        As `Recogniser.recognise` gives them.
    found : list of Face
    embeddings : ndarray of shape (faces, d), float32, or None
        What was computed on this computer, so that the faces can be named again; None from the deployed function.
    by : str
        "this computer" or "deployed function".
    seconds : float
        From the file to the names.
    problem : str
        "" or what went wrong, in words.
    """

    photo: str
    data: bytes = field(repr=False)
    image: np.ndarray | None = field(default=None, repr=False)
    faces: list[dict] = field(default_factory=list)
    found: list[Face] = field(default_factory=list, repr=False)
    embeddings: np.ndarray | None = field(default=None, repr=False)
    by: str = "this computer"
    seconds: float = 0.0
    problem: str = ""

    def names(self, threshold: float) -> list[str]:
        """Name every face at `threshold` (a score); the network is not run again."""
        return [name_at(face, threshold) for face in self.faces]


@dataclass
class Enrolment:
    """What came of enrolling a person.

    Attributes
    ----------
    person : str
    photos : int
        Photos that were used; 0 means that nobody was enrolled.
    notes : list of str
        One sentence for each photo left out, and for each doubt.
    """

    person: str
    photos: int
    notes: list[str]


def name_at(face: dict, threshold: float) -> str:
    """Return the name of a recognised face at a threshold (a score), or "unknown"."""
    best = face["top"][0] if face["top"] else None
    return best["name"] if best and best["score"] >= threshold else UNKNOWN


class Desk:
    """The recogniser of one profile, with the people enrolled at it; it keeps no photos.

    Parameters
    ----------
    profile : str
        "sample" or "lfw"; its bundle is the one that notebook 05 deploys.

    Attributes
    ----------
    recogniser : Recogniser

    Raises
    ------
    MissingInput
        If notebook 05 has not built the model bundle yet.
    BundleError
        If the bundle is damaged.
    """

    def __init__(self, profile: str):
        self.profile = profile
        bundle = require(outputs_for(profile) / "model", "05_deploy_lambda")
        self.recogniser = Recogniser.load(bundle, threads=THREADS)
        self._served: LocalFunction | None = None

    @property
    def threshold(self) -> float:
        """The threshold (a score) that was chosen in notebook 04."""
        return self.recogniser.gallery.threshold

    @property
    def people(self) -> list[str]:
        """Names of everyone who can be recognised on this computer, in order."""
        return sorted(self.recogniser.gallery.labels)

    def function_url(self) -> str:
        """Return where the deployed function answers: notebook 05's while it is up, else one served here.

        Raises
        ------
        EndpointError
            If the note that notebook 05 left is damaged.
        """
        if url := endpoint_url(self.profile):
            return url
        self._served = self._served or serve_function(self.profile)
        return self._served.url.rstrip("/")

    def recognise(self, photo: str, data: bytes, deployed: bool = False) -> Result:
        """Name the faces of one photo.

        Parameters
        ----------
        photo : str
            File name.
        data : bytes
            Content of the file: anything at all.
        deployed : bool
            Ask the deployed function instead of this computer.

        Returns
        -------
        Result
            Always; what the reader can do something about is in its `problem`, not raised.
        """
        result = Result(photo, data, by="deployed function" if deployed else "this computer")
        start = time.perf_counter()
        try:
            result.image = open_upload(data)
            if deployed:
                result.faces = _from_left(ask(self.function_url(), data, result.image))
            else:
                result.found = self.recogniser.detect(result.image)
                result.embeddings = self.recogniser.embed(result.image, result.found)
                self.decide(result)
            if not result.faces:
                result.problem = (
                    "no face was found: try a photo with a face of at least 20 pixels, from the front"
                )
        except (PhotoError, EndpointError) as error:
            result.problem = str(error)
        result.seconds = time.perf_counter() - start
        return result

    def decide(self, result: Result) -> None:
        """Name the faces of a result by the gallery as it is now; the networks are not run again."""
        if result.embeddings is not None:
            faces = self.recogniser.decide(result.found, result.embeddings)
            result.faces = _from_left(faces)

    def enrol(self, person: str, photos: list[tuple[str, bytes]]) -> Enrolment:
        """Add a person from one or more photos, or replace one of the same name; no training.

        Parameters
        ----------
        person : str
            As it is to be shown; spaces are kept as underscores, as in the dataset.
        photos : list of (str, bytes)
            File name and content. Of several faces the one that the photo is about is taken.

        Returns
        -------
        Enrolment
            With 0 photos if the name cannot be used or no photo shows a face.
        """
        person = "_".join(person.split())
        if not person or person.lower() == UNKNOWN:
            return Enrolment(
                person,
                0,
                ["type the person's name first" if not person else "nobody can be called 'unknown'"],
            )
        vectors, notes = [], []
        for photo, data in photos:
            vector, note = self._face_of(photo, data)
            notes += [note] if note else []
            vectors += [vector] if vector is not None else []
        if not vectors:
            return Enrolment(person, 0, notes or ["choose at least one photo of this person"])
        notes += self._doubts(person, np.stack(vectors))
        self.recogniser.gallery.enrol(person, np.stack(vectors))
        return Enrolment(person, len(vectors), notes)

    def remove(self, person: str) -> bool:
        """Forget a person on this computer; return whether there was one of that name."""
        return self.recogniser.gallery.remove("_".join(person.split()))

    def _face_of(self, photo: str, data: bytes) -> tuple[np.ndarray | None, str]:
        try:
            image = open_upload(data)
        except PhotoError as error:
            return None, f"{photo} was left out: {error}"
        faces = self.recogniser.detect(image)
        chosen = select_face(faces, image.shape[1], image.shape[0])
        if chosen is None:
            return None, f"{photo} was left out: no face was found"
        vector = self.recogniser.embed(image, [faces[chosen]])[0]
        note = f"{photo} shows {len(faces)} faces: the most prominent one was taken" if len(faces) > 1 else ""
        return vector, note

    def _doubts(self, person: str, vectors: np.ndarray) -> list[str]:
        """Say where photos do not look like one person, or like somebody who is enrolled already."""
        notes, gallery = [], self.recogniser.gallery
        if len(vectors) > 1:
            pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
            if pairs.min() < UNLIKE:
                notes.append(
                    f"are these all the same person? Two photos have a similarity of only {pairs.min():.2f}"
                )
        match = gallery.identify(vectors.mean(0, keepdims=True) / np.linalg.norm(vectors.mean(0)))[0]
        if match.name not in (UNKNOWN, person):
            notes.append(f"this face is very like {match.name} (similarity {match.score:.2f})")
        return notes


def _from_left(faces: list[dict]) -> list[dict]:
    return sorted(faces, key=lambda face: face["box"][0])


def open_upload(data: bytes) -> np.ndarray:
    """Decode an uploaded photo after a look at the file's size.

    Raises
    ------
    PhotoError
        If the file is over 50 MB, empty, no picture, too large or damaged.
    """
    if len(data) > MAX_FILE:
        raise PhotoError(
            "too_large", f"the file has {len(data) / 1e6:.0f} MB; at most {MAX_FILE / 1e6:.0f} MB are taken"
        )
    return open_photo(data)


def photos_at(path: str | Path) -> list[tuple[str, bytes]]:
    """Read a photo, or every file of a folder, as the uploader would deliver it: (file name, content).

    Parameters
    ----------
    path : path
        A photo or a folder.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    """
    path = Path(path).expanduser()
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"there is no photo in {path}; folders in it are not searched")
    if not path.exists():
        raise FileNotFoundError(f"there is no photo and no folder {path}, seen from {Path.cwd()}")
    return [(file.name, file.read_bytes()) for file in files]


def names_at(results: list[Result], people: dict[str, set[str]], thresholds: list[float]) -> pd.DataFrame:
    """Count what each threshold does to the faces of photos of which one knows who is in them.

    Parameters
    ----------
    results : list of Result
    people : dict of str to set of str
        Who is in a photo, by its file name.
    thresholds : list of float
        Scores.

    Returns
    -------
    DataFrame
        Index: threshold, rising. Columns: rightly named (that person is in the photo), wrongly named, unknown.
    """
    rows = []
    for threshold in sorted(thresholds):
        named = [(name, people[result.photo]) for result in results for name in result.names(threshold)]
        rows.append(
            {
                "rightly named": sum(name in there for name, there in named),
                "wrongly named": sum(name not in there and name != UNKNOWN for name, there in named),
                "unknown": sum(name == UNKNOWN for name, _ in named),
            }
        )
    return pd.DataFrame(rows, index=pd.Index([round(t, 2) for t in sorted(thresholds)], name="threshold"))
