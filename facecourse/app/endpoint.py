"""Photos to the deployed function, and its answers and failures back, in words."""

import atexit
import contextlib
import hashlib
import io
import json
import logging
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import numpy as np
import requests
from PIL import Image

from facecourse.core.paths import outputs_for, require
from facecourse.deployment.local_function import LocalFunction
from lambda_function.access import HEADER
from lambda_function.app import Application
from lambda_function.logs import LOGGER
from lambda_function.photos import PhotoError, open_photo, shrink
from lambda_function.settings import Settings

MAX_BYTES = 4_000_000  # Lambda takes 6 MB a request, and the photo grows by a third on its way (base64)
SENT_SIDE = 1600
SECONDS = (5, 60)  # to connect; to wait for an answer, which includes a cold start


class EndpointError(RuntimeError):
    """The deployed function could not be asked, or did not answer as it should; the message says what to do."""


@dataclass(frozen=True)
class Endpoint:
    """Where a function answers, and what it takes to be let in.

    Attributes
    ----------
    url : str
        Without a slash at its end.
    key : str
        For the scopes recognise and manage; "" where there is none.
    account : str
        Of the local cloud that it runs in, whose requests are signed with it; "" for every other.
    """

    url: str
    key: str = field(default="", repr=False)
    account: str = field(default="", repr=False)

    def request(self, method: str, path: str, **options) -> requests.Response:
        """Call it; options as in requests."""
        from facecourse.deployment.cloud import signature_for  # boto3, which only this needs

        headers = options.pop("headers", {}) | ({HEADER: self.key} if self.key else {})
        with requests.Session() as http:
            http.trust_env = (
                "://127.0.0.1" not in self.url
            )  # a proxy has no way to this machine's own address
            auth = signature_for(self.url, self.account)
            return http.request(
                method, self.url + path, auth=auth, timeout=SECONDS, headers=headers, **options
            )


def find_endpoint(profile: str) -> Endpoint | None:
    """Return the function that notebook 05 has deployed: in its local cloud, else in AWS; None if none is up.

    A local cloud ends with the kernel that started it, and the note of it may be left: it is asked first. The key of one
    in AWS is on no disk: set FACECOURSE_API_KEY to it. Raises EndpointError if a note is damaged.
    """
    for name in ("endpoint.local.json", "endpoint.json"):
        path = outputs_for(profile) / name
        try:
            note = json.loads(path.read_text())
            url = str(note["url"]).rstrip("/")
            here = urlsplit(url).hostname in ("127.0.0.1", "localhost")
            key = note.get("key", "") if here else os.environ.get("FACECOURSE_API_KEY", "")
            found = Endpoint(url, key, note.get("account", "") if here else "")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError):
            raise EndpointError(
                f"{path.name} is damaged: delete it and run notebook 05_deploy_lambda again"
            ) from None
        with contextlib.suppress(requests.RequestException):
            if not here or found.request("GET", "/health").ok:
                return found
    return None


def serve_function(profile: str) -> tuple[LocalFunction, Endpoint]:
    """Put the function's own code behind HTTP on this computer, until the kernel stops.

    What answers is what notebook 05 deploys: the handler and the bundle; only AWS between is missing. Whom you enrol
    there is forgotten with it. Raises MissingInput if notebook 05 has not built the bundle yet.
    """
    bundle = require(outputs_for(profile) / "model", "05_deploy_lambda")
    LOGGER.setLevel(logging.WARNING)  # a line of JSON for every photo would come out under the photos
    folder = tempfile.mkdtemp(prefix="facecourse-people-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    key = secrets.token_urlsafe(32)
    entry = f"notebook:recognise+manage:{hashlib.sha256(key.encode()).hexdigest()}"
    people = {"face_gallery": f"{folder}/people.npz", "face_gallery_seconds": 0, "face_keys": entry}
    local = LocalFunction(Application(Settings(model_bundle=str(bundle), **people)).handle).__enter__()
    return local, Endpoint(local.url.rstrip("/"), key)


def enrol_there(endpoint: Endpoint, name: str, photos: list[tuple[str, bytes]], consent: str) -> dict:
    """Enrol a person in the deployed function from photos, (file name, content); return its answer.

    `consent` is the day on which they agreed, YYYY-MM-DD. Every photo must show one face; of large ones smaller copies are
    sent. Raises EndpointError, in the function's own words, if it refuses.
    """
    files, most = [], MAX_BYTES // max(1, len(photos))
    for file, data in photos:
        if len(data) > most:
            try:
                data = _smaller(open_photo(data))[0]
            except PhotoError as error:
                raise EndpointError(f"{file}: {error.message}") from None
        files.append(("photo", (file, data, "image/jpeg")))
    path = f"/v1/people/{quote(name, safe='')}"
    return _answer(endpoint, "PUT", path, files=files, data={"consent": consent})


def forget_there(endpoint: Endpoint, name: str) -> dict:
    """Have the deployed function forget a person; EndpointError if it does not know them, or refuses."""
    return _answer(endpoint, "DELETE", f"/v1/people/{quote(name, safe='')}")


def ask(endpoint: Endpoint, data: bytes, image: np.ndarray) -> list[dict]:
    """Have the deployed function name the faces of a photo: as `Recogniser.recognise` gives them, in pixels of
    `image`.

    `image`, (height, width, 3) uint8 RGB, is the file `data` decoded: of one over MAX_BYTES a smaller copy is sent. With a
    key the best five candidates come with each face; without one, of a stranger nothing is told. Raises EndpointError
    if the function is down, too slow, refuses the photo or answers something else.
    """
    kind, scale = Image.open(io.BytesIO(data)).get_format_mimetype() or "application/octet-stream", 1.0
    if len(data) > MAX_BYTES:
        (data, scale), kind = _smaller(image), "image/jpeg"
    path = "/v1/recognize?top=5" if endpoint.key else "/v1/recognize"
    answer = _answer(endpoint, "POST", path, data=data, headers={"Content-Type": kind})
    try:
        return [_in_pixels_of_the_photo(face, scale) for face in answer["faces"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise EndpointError(f"what answers at {endpoint.url} is not the course's function") from None


def _smaller(image: np.ndarray) -> tuple[bytes, float]:
    """Return a photo as a JPEG of at most SENT_SIDE pixels a side, and its scale."""
    small, scale = shrink(image, SENT_SIDE)
    packed = io.BytesIO()
    Image.fromarray(small).save(packed, "JPEG", quality=92)
    return packed.getvalue(), scale


def _answer(endpoint: Endpoint, method: str, path: str, **options) -> dict:
    try:
        response = endpoint.request(method, path, **options)
    except requests.Timeout:
        raise EndpointError(f"the deployed function did not answer within {SECONDS[1]} seconds") from None
    except requests.RequestException:
        raise EndpointError(
            f"the deployed function does not answer at {endpoint.url}: deploy it again (notebook"
            " 05_deploy_lambda), or choose this computer"
        ) from None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not response.ok:
        error = answer.get("error") if isinstance(answer, dict) else None
        reason = error.get("message") if isinstance(error, dict) else f"HTTP status {response.status_code}"
        raise EndpointError(f"the deployed function refused: {reason}")
    return answer


def _in_pixels_of_the_photo(face: dict, scale: float) -> dict:
    told = {"confidence": 0.0, "score": 0.0, "top": [], **face}  # without a key, this is all there is
    if len(face["box"]) != 4 or not all({"name", "score", "confidence"} <= one.keys() for one in told["top"]):
        raise ValueError("not a face")
    landmarks = [[float(x) / scale, float(y) / scale] for x, y in face["landmarks"]]
    return {**told, "box": [float(value) / scale for value in face["box"]], "landmarks": landmarks}
