"""Photos to the deployed function, and its answers and failures back, in words."""

import io
import json
import logging
from urllib.parse import urlsplit

import numpy as np
import requests
from PIL import Image

from facecourse.core.paths import outputs_for, require
from facecourse.deployment.local_function import LocalFunction
from lambda_function.app import Application
from lambda_function.logs import LOGGER
from lambda_function.photos import shrink
from lambda_function.settings import Settings

MAX_BYTES = 4_000_000  # Lambda takes 6 MB a request, and the photo grows by a third on its way (base64)
SENT_SIDE = 1600
SECONDS = (5, 60)  # to connect; to wait for an answer, which includes a cold start


class EndpointError(RuntimeError):
    """The deployed function could not be asked, or did not answer as it should; the message says what to do."""


def endpoint_url(profile: str) -> str:
    """Return the address of the function that notebook 05 has deployed; "" if none is up.

    An address on this computer ends with the kernel that serves it, and the note of it may be left: it is asked
    first. Raises EndpointError if that note is damaged.
    """
    path = outputs_for(profile) / "endpoint.json"
    try:
        url = str(json.loads(path.read_text())["url"]).rstrip("/")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        raise EndpointError(
            f"{path.name} is damaged: delete it and run notebook 05_deploy_lambda again"
        ) from None
    try:
        here = urlsplit(url).hostname in ("127.0.0.1", "localhost")
        return url if not here or _request("GET", f"{url}/health").ok else ""
    except requests.RequestException:
        return ""


def serve_function(profile: str) -> LocalFunction:
    """Put the function's own code behind HTTP on this computer, until the kernel stops.

    What answers is what notebook 05 deploys: the handler and the bundle; only AWS between is missing. Raises
    MissingInput if notebook 05 has not built the bundle yet.
    """
    bundle = require(outputs_for(profile) / "model", "05_deploy_lambda")
    LOGGER.setLevel(logging.WARNING)  # a line of JSON for every photo would come out under the photos
    return LocalFunction(Application(Settings(model_bundle=str(bundle))).handle).__enter__()


def ask(url: str, data: bytes, image: np.ndarray) -> list[dict]:
    """Have the deployed function name the faces of a photo: as `Recogniser.recognise` gives them, in pixels of
    `image`.

    `image`, (height, width, 3) uint8 RGB, is the file `data` decoded: of one over MAX_BYTES a smaller copy is sent.
    Raises EndpointError if the function is down, too slow, refuses the photo or answers something else.
    """
    kind, scale = Image.open(io.BytesIO(data)).get_format_mimetype() or "application/octet-stream", 1.0
    if len(data) > MAX_BYTES:
        small, scale = shrink(image, SENT_SIDE)
        packed = io.BytesIO()
        Image.fromarray(small).save(packed, "JPEG", quality=92)
        data, kind = packed.getvalue(), "image/jpeg"
    try:
        response = _request("POST", f"{url}/recognize", data=data, headers={"Content-Type": kind})
    except requests.Timeout:
        raise EndpointError(f"the deployed function did not answer within {SECONDS[1]} seconds") from None
    except requests.RequestException:
        raise EndpointError(
            f"the deployed function does not answer at {url}: deploy it again (notebook 05_deploy_lambda),"
            " or choose this computer"
        ) from None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not response.ok:
        error = answer.get("error") if isinstance(answer, dict) else None
        reason = error.get("message") if isinstance(error, dict) else f"HTTP status {response.status_code}"
        raise EndpointError(f"the deployed function refused the photo: {reason}")
    try:
        return [_in_pixels_of_the_photo(face, scale) for face in answer["faces"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise EndpointError(f"what answers at {url} is not the course's function") from None


def _request(method: str, address: str, **options) -> requests.Response:
    from facecourse.deployment.cloud import signature_for  # boto3, which only this needs

    with requests.Session() as http:
        http.trust_env = "://127.0.0.1" not in address  # a proxy has no way to this machine's own address
        return http.request(method, address, auth=signature_for(address), timeout=SECONDS, **options)


def _in_pixels_of_the_photo(face: dict, scale: float) -> dict:
    if len(face["box"]) != 4 or not all({"name", "score", "confidence"} <= one.keys() for one in face["top"]):
        raise ValueError("not a face")
    landmarks = [[float(x) / scale, float(y) / scale] for x, y in face["landmarks"]]
    return {**face, "box": [float(value) / scale for value in face["box"]], "landmarks": landmarks}
