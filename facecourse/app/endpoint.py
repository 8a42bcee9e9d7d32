"""Photos to the deployed function, and its answers and failures back, in words."""

import io
import json
import logging

import numpy as np
import requests
from PIL import Image

from facecourse.core.paths import outputs_for, require
from facecourse.deployment.cloud import signature_for
from facecourse.deployment.local_function import LocalFunction
from lambda_function.app import Application
from lambda_function.logs import LOGGER
from lambda_function.photos import shrink
from lambda_function.settings import Settings

# Lambda takes 6 MB a request, and the photo grows by a third on its way (base64).
MAX_BYTES = 4_000_000
SENT_SIDE = 1600
# To connect; to wait for an answer, which includes a cold start.
SECONDS = (5, 60)


class EndpointError(RuntimeError):
    """The deployed function could not be asked, or did not answer as it should; the message says what to do."""


def endpoint_url(profile: str) -> str:
    """Return the address of the function that notebook 05 has deployed; "" if none is up.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".

    Raises
    ------
    EndpointError
        If the note that notebook 05 left is damaged.
    """
    path = outputs_for(profile) / "endpoint.json"
    try:
        return str(json.loads(path.read_text())["url"]).rstrip("/")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        raise EndpointError(
            f"{path.name} is damaged: delete it and run notebook 05_deploy_lambda again"
        ) from None


def serve_function(profile: str) -> LocalFunction:
    """Put the function's own code behind HTTP on this computer, until the kernel stops.

    What answers is what notebook 05 deploys: the handler and the bundle; only AWS between is missing.

    Raises
    ------
    MissingInput
        If notebook 05 has not built the model bundle yet.
    """
    bundle = require(outputs_for(profile) / "model", "05_deploy_lambda")
    LOGGER.setLevel(logging.WARNING)  # a line of JSON for every photo would come out under the photos
    return LocalFunction(Application(Settings(model_bundle=str(bundle))).handle).__enter__()


def ask(url: str, data: bytes, image: np.ndarray) -> list[dict]:
    """Have the deployed function name the faces of one photo.

    Parameters
    ----------
    url : str
        Of the function, without /recognize.
    data : bytes
        The photo's file.
    image : ndarray of shape (height, width, 3), uint8, RGB
        The same photo, decoded; if the file is over MAX_BYTES, a smaller copy is sent in its place.

    Returns
    -------
    list of dict
        As `Recogniser.recognise` gives them, in pixels of `image`.

    Raises
    ------
    EndpointError
        If the function is down, too slow, refuses the photo or answers something else.
    """
    kind = Image.open(io.BytesIO(data)).get_format_mimetype() or "application/octet-stream"
    scale = 1.0
    if len(data) > MAX_BYTES:
        small, scale = shrink(image, SENT_SIDE)
        packed = io.BytesIO()
        Image.fromarray(small).save(packed, "JPEG", quality=92)
        data, kind = packed.getvalue(), "image/jpeg"
    answer = _post(f"{url}/recognize", data, kind)
    try:
        return [_scaled(face, scale) for face in answer["faces"]]
    except (KeyError, TypeError, ValueError):
        raise EndpointError(f"what answers at {url} is not the course's function") from None


def _post(address: str, data: bytes, kind: str) -> dict:
    try:
        with requests.Session() as http:
            http.trust_env = "://127.0.0.1" not in address  # a proxy has no way to this machine's own address
            response = http.post(
                address, data, headers={"Content-Type": kind}, auth=signature_for(address), timeout=SECONDS
            )
    except requests.Timeout:
        raise EndpointError(f"the deployed function did not answer within {SECONDS[1]} seconds") from None
    except requests.RequestException:
        raise EndpointError(
            f"the deployed function does not answer at {address}: deploy it again (notebook 05_deploy_lambda),"
            " or choose this computer"
        ) from None
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    if response.ok and isinstance(answer, dict):
        return answer
    error = answer.get("error") if isinstance(answer, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    raise EndpointError(
        f"the deployed function refused the photo: {said or f'HTTP status {response.status_code}'}"
    )


def _scaled(face: dict, scale: float) -> dict:
    """Bring a face from the pixels that were sent back to those of the photo."""
    if not isinstance(face["top"], list) or len(face["box"]) != 4:
        raise ValueError("not a face")
    return {
        **face,
        "box": [float(value) / scale for value in face["box"]],
        "landmarks": [[float(x) / scale, float(y) / scale] for x, y in face["landmarks"]],
    }
