"""The recogniser behind HTTP: `lambda_function.app.handler` for Lambda Function URLs and API Gateway (v1, v2).

    POST /recognize  any photo -> JSON with every face: box, landmarks, name or "unknown", confidence, top 5
    POST /align      a photo with exactly one face -> that face as the backbone sees it, JPEG or JSON by Accept
    GET  /health     the model's version; loads the model, so 200 means that photos will be answered
    GET  /           the web page

A photo comes as the request's body (image/*), in a form (multipart/form-data) or in JSON {"image": base64}.
Errors are {"error": {"code", "message"}} with status 400, 404, 405, 413, 415, 422, 429 or 503.

Environment variables
---------------------
MODEL_BUNDLE            folder or zip of the model bundle on disk; wins over S3
MODEL_BUCKET, MODEL_KEY, MODEL_SHA256
                        the bundle's zip in S3 and the SHA-256 of that zip (needs boto3, which Lambda brings)
FACE_THREADS            threads per network (1)
FACE_MAX_BYTES          largest photo in bytes (4500000: Lambda takes 6 MB after base64)
FACE_MAX_PIXELS         largest photo, width times height (25000000)
FACE_MAX_FACES          faces named per photo, the surest first (50)
FACE_RATE_PER_MINUTE    photos per minute, caller and running copy (0: no limit); the whole function is held in
                        bounds by its reserved concurrency
FACE_RETRY_SECONDS      pause before a model that could not be loaded is tried again (30)
FACE_CORS_ORIGINS       origins whose pages may call from a browser, with commas between them, or * (none);
                        leave CORS off in the Function URL's own configuration then, or headers come twice
"""

import base64
import contextlib
import logging
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import responses
from .bodies import photo_bytes
from .events import HttpError, Request, parse_event
from .logs import log
from .photos import PhotoError, open_photo
from .pipeline import describe
from .rate import RateLimit
from .settings import Settings, SettingsError
from .store import ModelStore, ModelUnavailable

PAGE = Path(__file__).parent / "web" / "index.html"
PHOTO_STATUS = {
    "empty": 400,
    "damaged": 400,
    "not_an_image": 415,
    "too_many_pixels": 413,
    "too_many_scans": 413,
}
TOP = 5


class Application:
    """The function for one configuration.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.store = ModelStore(settings)
        self._rate = RateLimit(settings.face_rate_per_minute)
        self._routes: dict[str, dict[str, Callable[[Request, dict], dict]]] = {
            "/": {"GET": self._page},
            "/health": {"GET": self._health},
            "/recognize": {"POST": self._recognise},
            "/align": {"POST": self._align},
        }

    def handle(self, event: object, context: object = None) -> dict:
        """Answer one event; never raises.

        Parameters
        ----------
        event : dict
            As a Function URL or an API Gateway sends it.
        context : object, optional
            Lambda's context.

        Returns
        -------
        dict
            statusCode, headers, body and isBase64Encoded.
        """
        started = time.perf_counter()
        facts: dict = {"request_id": getattr(context, "aws_request_id", None)}
        request = Request("", "")
        try:
            request = parse_event(event)
            answer = self._route(request, facts)
        except HttpError as error:
            facts["code"] = error.code
            answer = responses.as_error(error)
        except ModelUnavailable as error:
            facts["code"] = "model_unavailable"
            answer = responses.as_error(_unavailable(error.retry_after))
        except Exception as error:
            facts["code"] = "internal"
            _log_crash(error)
            answer = responses.as_error(
                HttpError(500, "internal", "something went wrong in here; it has been logged")
            )
        answer = self._finish(request, answer)
        log(
            "request",
            method=request.method if request.method in ("GET", "HEAD", "POST", "OPTIONS") else "other",
            route=request.path if request.path in self._routes else "other",
            status=answer["statusCode"],
            ms=round((time.perf_counter() - started) * 1000, 1),
            **facts,
        )
        return answer

    def _finish(self, request: Request, answer: dict) -> dict:
        cors = responses.cors_headers(request, self.settings.face_cors_origins, self._methods(request.path))
        answer = {**answer, "headers": {**answer["headers"], **cors}}
        return responses.without_body(answer) if request.method == "HEAD" else answer

    def _methods(self, path: str) -> list[str]:
        methods = list(self._routes.get(path, {}))
        return methods + ["HEAD"] * ("GET" in methods) + ["OPTIONS"]

    def _route(self, request: Request, facts: dict) -> dict:
        actions = self._routes.get(request.path)
        if actions is None:
            known = ", ".join(self._routes)
            raise HttpError(404, "not_found", f"there is nothing at this path; there are {known}")
        allow = {"Allow": ", ".join(self._methods(request.path))}
        if request.method == "OPTIONS":
            return responses.no_content(allow)
        action = actions.get("GET" if request.method == "HEAD" else request.method)
        if action is None:
            message = f"{request.path} answers to {allow['Allow']} only"
            raise HttpError(405, "method_not_allowed", message, headers=allow)
        return action(request, facts)

    def _page(self, request: Request, facts: dict) -> dict:
        return responses.as_page(PAGE.read_text(encoding="utf-8"))

    def _health(self, request: Request, facts: dict) -> dict:
        recogniser = self.store.get()
        people = len(recogniser.gallery.labels)
        return responses.as_json(200, {"status": "ok", "model": recogniser.version, "people": people})

    def _recognise(self, request: Request, facts: dict) -> dict:
        image = self._photo(request, facts)
        recogniser = self.store.get()
        found = recogniser.detect(image)
        faces = recogniser.name(image, found[: self.settings.face_max_faces], TOP)
        facts.update(model=recogniser.version, faces=len(found))
        content = {
            "model": recogniser.version,
            "width": image.shape[1],
            "height": image.shape[0],
            "threshold": round(float(recogniser.gallery.threshold), 4),
            "faces_found": len(found),
            "faces": faces,
        }
        return responses.as_json(200, content)

    def _align(self, request: Request, facts: dict) -> dict:
        image = self._photo(request, facts)
        recogniser = self.store.get()
        faces = recogniser.detect(image)
        facts.update(model=recogniser.version, faces=len(faces))
        if len(faces) != 1:
            message = (
                "there is no face in this photo"
                if not faces
                else f"there are {len(faces)} faces in this photo"
            )
            raise HttpError(422, "not_one_face", message + "; exactly one is needed", faces=len(faces))
        crop = recogniser.align(image, faces[0])
        jpeg = responses.jpeg_of(crop)
        if responses.prefers_jpeg(request.headers.get("accept", "")):
            return responses.as_jpeg(jpeg, {"Vary": "Accept"})
        content = {
            "model": recogniser.version,
            "width": image.shape[1],
            "height": image.shape[0],
            "face": describe(faces[0]),
            "size": crop.shape[0],
            "media_type": "image/jpeg",
            "image": base64.b64encode(jpeg).decode(),
        }
        return responses.as_json(200, content, {"Vary": "Accept"})

    def _photo(self, request: Request, facts: dict) -> np.ndarray:
        """Decode the request's photo within the limits."""
        wait = self._rate.wait(request.client)
        if wait:
            seconds = int(wait) + 1
            message = f"too many photos from here; try again in {seconds} s"
            raise HttpError(429, "too_many_requests", message, headers={"Retry-After": str(seconds)})
        data = photo_bytes(request, self.settings.face_max_bytes)
        facts["bytes"] = len(data)
        try:
            image = open_photo(data, self.settings.face_max_pixels)
        except PhotoError as error:
            raise HttpError(PHOTO_STATUS[error.code], error.code, error.message) from None
        facts.update(width=image.shape[1], height=image.shape[0])
        return image


def _unavailable(retry_after: int) -> HttpError:
    message = f"the model is not available at the moment; try again in {retry_after} s"
    return HttpError(503, "model_unavailable", message, headers={"Retry-After": str(retry_after)})


def _log_crash(error: Exception) -> None:
    """Log where it went wrong, and not with what: a message could hold a part of the photo or a name."""
    places = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    log("crash", logging.ERROR, kind=type(error).__name__, at=places[-5:])


class _Misconfigured:
    """Answers 503 until the environment is put right: a crash at import would only be started again and again."""

    def __init__(self, error: SettingsError):
        log("misconfigured", logging.ERROR, reason=str(error))

    def handle(self, event: object, context: object = None) -> dict:
        return responses.as_error(
            HttpError(503, "misconfigured", "the function's settings are wrong; see its log")
        )


def _start() -> "Application | _Misconfigured":
    try:
        application = Application(Settings.from_environment())
    except SettingsError as error:
        return _Misconfigured(error)
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        # Lambda gives the start-up a full core, whatever the memory; a failure here is answered with 503 later.
        with contextlib.suppress(ModelUnavailable):
            application.store.get()
    return application


_application = _start()


def handler(event: object, context: object = None) -> dict:
    """Answer one event of a Function URL or an API Gateway; see `Application.handle`."""
    return _application.handle(event, context)
