"""Photos to the deployed function, and its answers and failures back, in words."""

import io
import json

import numpy as np
import requests
from PIL import Image

from facecourse.cloud import signature_for
from facecourse.settings import outputs_for
from lambda_function.photos import shrink

# Lambda takes 6 MB a request, and the photo grows by a third on its way (base64).
MAX_BYTES = 4_000_000
SENT_SIDE = 1600
# To connect; to wait for an answer, which includes a cold start.
SECONDS = (5, 60)


class EndpointError(RuntimeError):
    """The deployed function could not be asked, or did not answer as it should; the message says what to do."""


def endpoint_url(profile: str) -> str:
    """Return the address of the deployed function, as notebook 05 left it.

    Raises
    ------
    EndpointError
        If no function is deployed at the moment.
    """
    path = outputs_for(profile) / "endpoint.json"
    try:
        return str(json.loads(path.read_text())["url"]).rstrip("/")
    except FileNotFoundError:
        raise EndpointError(
            "no function is deployed: run notebook 05_deploy_lambda up to its tear-down, or stay with this computer"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise EndpointError(
            f"{path.name} is damaged: delete it and run notebook 05_deploy_lambda again"
        ) from None


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
        headers, auth = {"Content-Type": kind}, signature_for(address)
        response = requests.post(address, data=data, headers=headers, auth=auth, timeout=SECONDS)
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
