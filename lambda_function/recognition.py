"""What is done with a photo: its faces named, cut out, or two of them compared."""

import base64
import contextlib
import time
from collections.abc import Iterator

import numpy as np

from . import responses
from .bodies import read_upload
from .events import HttpError, Request
from .faces import Face
from .gallery import UNKNOWN, Gallery
from .photos import PhotoError, open_photo
from .pipeline import Recogniser, describe

PHOTO_STATUS = {"empty": 400, "damaged": 400, "not_an_image": 415}  # every other code says "too much": 413
MOST_CANDIDATES = 20


def recognise(function, request: Request) -> dict:
    """POST /v1/recognize: any photo; every face with its name or "unknown".

    Of somebody below the threshold nothing is told, and of a name only how sure it is, to two digits. A key that may
    manage people gets scores and the best candidates with ?top=5. With ?faces=largest no other face is embedded.
    """
    top, which = _parameters(function, request)
    image = _opened(function, request, read_upload(request, function.settings.face_max_bytes).photos[0])
    recogniser = function.store.get()
    gallery = function.register.gallery(recogniser)
    with timed(request, "detect"):
        look = recogniser.look(image, function.settings.face_max_faces)
    request.facts.update(model=recogniser.version, faces=look.found)
    if which == "largest" and look.faces:
        look.faces = [look.faces[look.main("largest")]]
    with timed(request, "embed"):
        faces = look.names(gallery, top=max(1, top))
    content = {
        "model": recogniser.version,
        "width": image.shape[1],
        "height": image.shape[0],
        "faces_found": look.found,
        "faces": faces if top else [told_to_all(face) for face in faces],
    }
    if top:
        content["threshold"] = round(float(gallery.threshold), 4)
    return responses.as_json(content)


def told_to_all(face: dict) -> dict:
    """Return of a named face what says nothing about anybody else."""
    told = {key: face[key] for key in ("box", "landmarks", "detection_score", "name")}
    return told if face["name"] == UNKNOWN else told | {"confidence": round(face["confidence"], 2)}


def align(function, request: Request) -> dict:
    """POST /v1/align: a photo with exactly one face; that face as the backbone sees it, JPEG or JSON by Accept."""
    image = _opened(function, request, read_upload(request, function.settings.face_max_bytes).photos[0])
    recogniser = function.store.get()
    face = only_face(recogniser, image, request)
    crop = recogniser.align(image, face)
    jpeg, vary = responses.jpeg_of(crop), {"Vary": "Accept"}
    if responses.prefers_jpeg(request.headers.get("accept", "")):
        return responses.as_jpeg(jpeg, vary)
    content = {
        "model": recogniser.version,
        "width": image.shape[1],
        "height": image.shape[0],
        "face": describe(face),
        "size": crop.shape[0],
        "media_type": "image/jpeg",
        "image": base64.b64encode(jpeg).decode(),
    }
    return responses.as_json(content, headers=vary)


def verify(function, request: Request) -> dict:
    """POST /v1/verify: two photos with one face each; whether they show one person. Nobody's name is looked up.

    The second photo is scored as if its person were enrolled from it: with the gallery's threshold, which was chosen
    for a search among many people and is strict for two.
    """
    photos = read_upload(request, function.settings.face_max_bytes, 2).photos
    if len(photos) != 2:
        raise HttpError(400, "two_photos", f"two photos are compared, and {len(photos)} came")
    recogniser = function.store.get()
    gallery = function.register.gallery(recogniser)
    one, other = embeddings_of(function, request, recogniser, photos)
    score = float(score_of_pair(gallery, one, other))
    content = {
        "model": recogniser.version,
        "same_person": bool(score >= gallery.threshold),
        "similarity": round(score, 2),
        "threshold": round(float(gallery.threshold), 2),
    }
    return responses.as_json(content)


def score_of_pair(gallery: Gallery, one: np.ndarray, other: np.ndarray) -> float:
    """Return the score of one embedding with another, taken into the gallery for a moment."""
    vectors = np.vstack([gallery.vectors, other]) if len(gallery.labels) else other[None]
    people = [str(number) for number in range(len(vectors))]
    return Gallery(people, vectors, cohort_weight=gallery.cohort_weight).scores(one[None])[0, -1]


def embeddings_of(function, request: Request, recogniser: Recogniser, photos: list[bytes]) -> np.ndarray:
    """Embed photos that show one face each: (n, d) float32; HttpError 422 that numbers the one that does not."""
    rows = []
    for number, data in enumerate(photos, 1):
        image = _opened(function, request, data)
        face = only_face(recogniser, image, request, number if len(photos) > 1 else None)
        with timed(request, "embed"):
            rows.append(recogniser.embed(image, [face])[0])
    request.facts["photos"] = len(photos)
    return np.stack(rows)


def only_face(recogniser: Recogniser, image: np.ndarray, request: Request, number: int | None = None) -> Face:
    """Return the one face of a photo; HttpError 422 if there is another number of them."""
    with timed(request, "detect"):
        faces = recogniser.detect(image)
    request.facts.update(model=recogniser.version, faces=len(faces))
    if len(faces) == 1:
        return faces[0]
    found = f"are {len(faces)} faces" if faces else "is no face"
    which, details = ("this photo", {}) if number is None else (f"photo {number}", {"photo": number})
    message = f"there {found} in {which}; exactly one is needed"
    raise HttpError(422, "not_one_face", message, faces=len(faces), **details)


@contextlib.contextmanager
def timed(request: Request, stage: str) -> Iterator[None]:
    """Add the time of a stage to what the request's line in the log says."""
    started = time.perf_counter()
    yield
    before = request.facts.get(f"{stage}_ms", 0)
    request.facts[f"{stage}_ms"] = round(before + (time.perf_counter() - started) * 1000, 1)


def _parameters(function, request: Request) -> tuple[int, str]:
    top, which = request.query.get("top", "0"), request.query.get("faces", "all")
    if not (top.isascii() and top.isdigit() and int(top[:4]) <= MOST_CANDIDATES):
        raise HttpError(400, "bad_parameter", f"top must be a number from 0 to {MOST_CANDIDATES}")
    if which not in ("all", "largest"):
        raise HttpError(400, "bad_parameter", "faces must be all or largest")
    if int(top):
        function.access.demand(request, "manage")
    return int(top), which


def _opened(function, request: Request, data: bytes) -> np.ndarray:
    """Decode a photo within the limits."""
    request.facts["bytes"] = request.facts.get("bytes", 0) + len(data)
    try:
        with timed(request, "decode"):
            image = open_photo(data, function.settings.face_max_pixels)
    except PhotoError as error:
        raise HttpError(PHOTO_STATUS.get(error.code, 413), error.code, error.message) from None
    request.facts.update(width=image.shape[1], height=image.shape[0])
    return image
