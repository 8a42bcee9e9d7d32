"""The recogniser behind HTTP: `lambda_function.app.handler` for Lambda Function URLs and HTTP APIs.

    POST /recognize  any photo -> JSON with every face: box, landmarks, name or "unknown", confidence, top 5
    POST /align      a photo with exactly one face -> that face as the backbone sees it, JPEG or JSON by Accept
    GET  /health     the model's version; loads the model, so 200 means that photos will be answered
    GET  /           the web page

A photo comes as the request's body (image/*), in a form (multipart/form-data) or in JSON {"image": base64}.
Errors are {"error": {"code", "message"}} with status 400, 404, 405, 413, 415, 422 or 503. How many photos may be
sent is the reserved concurrency's business (Lambda itself answers 429), and other origins are the Function URL's
(CORS). `settings.Settings` lists the environment variables.
"""

import base64
import contextlib
import logging
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
from .settings import Settings, SettingsError
from .store import ModelStore

PAGE = Path(__file__).parent / "web" / "index.html"
PHOTO_STATUS = {"empty": 400, "damaged": 400, "not_an_image": 415}  # every other code says "too much": 413
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
TOP = 5


class Application:
    """The function for one configuration."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.store = ModelStore(settings)
        self.routes = {
            "/": {"GET": self._page},
            "/health": {"GET": self._health},
            "/recognize": {"POST": self._recognise},
            "/align": {"POST": self._align},
        }

    def handle(self, event: object, context: object = None) -> dict:
        """Answer one event, whatever it is, and never raise: statusCode, headers, body and isBase64Encoded."""
        started = time.perf_counter()
        request = Request()
        try:
            request = parse_event(event)
            answer = self._route(request)
        except HttpError as error:
            request.facts["code"] = error.code
            answer = responses.as_error(error)
        except Exception as error:
            # Where it went wrong, and not with what: a message could hold a part of the photo or a name.
            places = [
                f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)
            ]
            log("crash", logging.ERROR, kind=type(error).__name__, at=places[-5:])
            message = "something went wrong in the function; it has been logged"
            answer = responses.as_error(HttpError(500, "internal", message))
        if request.method == "HEAD":
            answer |= {"body": "", "isBase64Encoded": False}
        log(
            "request",
            method=request.method if request.method in METHODS else "other",
            route=request.path if request.path in self.routes else "other",
            status=answer["statusCode"],
            ms=round((time.perf_counter() - started) * 1000, 1),
            request_id=getattr(context, "aws_request_id", None),
            **request.facts,
        )
        return answer

    def _route(self, request: Request) -> dict:
        actions = self.routes.get(request.path)
        if actions is None:
            known = ", ".join(self.routes)
            raise HttpError(404, "not_found", f"there is nothing at this path; there are {known}")
        allow = {"Allow": ", ".join([*actions, *["HEAD"] * ("GET" in actions), "OPTIONS"])}
        if request.method == "OPTIONS":
            return responses.answer(204, "", allow)
        action = actions.get("GET" if request.method == "HEAD" else request.method)
        if action is None:
            message = f"{request.path} answers to {allow['Allow']} only"
            raise HttpError(405, "method_not_allowed", message, headers=allow)
        return action(request)

    def _page(self, request: Request) -> dict:
        return responses.as_page(PAGE.read_text(encoding="utf-8"))

    def _health(self, request: Request) -> dict:
        recogniser = self.store.get()
        people = len(recogniser.gallery.labels)
        return responses.as_json({"status": "ok", "model": recogniser.version, "people": people})

    def _recognise(self, request: Request) -> dict:
        image = self._photo(request)
        recogniser = self.store.get()
        look = recogniser.look(image, self.settings.face_max_faces)
        request.facts.update(model=recogniser.version, faces=look.found)
        content = {
            "model": recogniser.version,
            "width": image.shape[1],
            "height": image.shape[0],
            "threshold": round(float(recogniser.gallery.threshold), 4),
            "faces_found": look.found,
            "faces": look.names(top=TOP),
        }
        return responses.as_json(content)

    def _align(self, request: Request) -> dict:
        image = self._photo(request)
        recogniser = self.store.get()
        faces = recogniser.detect(image)
        request.facts.update(model=recogniser.version, faces=len(faces))
        if len(faces) != 1:
            found = f"are {len(faces)} faces" if faces else "is no face"
            message = f"there {found} in this photo; exactly one is needed"
            raise HttpError(422, "not_one_face", message, faces=len(faces))
        crop = recogniser.align(image, faces[0])
        jpeg, vary = responses.jpeg_of(crop), {"Vary": "Accept"}
        if responses.prefers_jpeg(request.headers.get("accept", "")):
            return responses.as_jpeg(jpeg, vary)
        content = {
            "model": recogniser.version,
            "width": image.shape[1],
            "height": image.shape[0],
            "face": describe(faces[0]),
            "size": crop.shape[0],
            "media_type": "image/jpeg",
            "image": base64.b64encode(jpeg).decode(),
        }
        return responses.as_json(content, headers=vary)

    def _photo(self, request: Request) -> np.ndarray:
        """Decode the request's photo within the limits."""
        data = photo_bytes(request, self.settings.face_max_bytes)
        request.facts["bytes"] = len(data)
        try:
            image = open_photo(data, self.settings.face_max_pixels)
        except PhotoError as error:
            raise HttpError(PHOTO_STATUS.get(error.code, 413), error.code, error.message) from None
        request.facts.update(width=image.shape[1], height=image.shape[0])
        return image


def _start() -> Callable[..., dict]:
    """Return what answers; settings that make no sense are answered too, since a crash would only be repeated."""
    try:
        application = Application(Settings.from_environment())
    except SettingsError as error:
        log("misconfigured", logging.ERROR, reason=str(error))
        refusal = HttpError(503, "misconfigured", "the function's settings are wrong; see its log")
        return lambda event, context=None: responses.as_error(refusal)
    if application.settings.aws_lambda_function_name:
        with contextlib.suppress(HttpError):  # answered with 503, and tried again, when a photo comes
            application.store.get()
    return application.handle


handler = _start()
