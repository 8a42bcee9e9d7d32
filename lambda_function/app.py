"""The recogniser behind HTTP: `lambda_function.app.handler` for Lambda Function URLs and HTTP APIs.

    POST   /v1/recognize      any photo -> JSON with every face: box, landmarks, name or "unknown", confidence
    POST   /v1/align          a photo with exactly one face -> that face as the backbone sees it, JPEG or JSON
    POST   /v1/verify         two photos with one face each -> whether they show one person
    GET    /v1/people         who is enrolled, with what is known about their consent
    PUT    /v1/people/{name}  photos and the day of the consent -> enrolled, seconds later in every running copy
    DELETE /v1/people/{name}  forgotten as quickly
    GET    /health            versions of model and code; loads model and people, so 200 means that photos will be answered
    GET    /openapi.json      all of this for programs
    GET    /                  the web page

A photo comes as the request's body (image/*), in a form (multipart/form-data) or in JSON {"image": base64}.
Errors are {"error": {"code", "message", "request_id"}}. Keys come in the header X-Api-Key, see `access`. How many
photos may be sent is the reserved concurrency's business (Lambda itself answers 429), and other origins are the
Function URL's (CORS). `settings.Settings` lists the environment variables.
"""

import contextlib
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from . import people, recognition, responses
from .access import Access, parse_keys
from .assets import asset
from .events import HttpError, Request, parse_event
from .logs import log, metrics_of
from .register import Register
from .settings import Settings, SettingsError
from .store import ModelStore

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


class Route(NamedTuple):
    """A method and a path with {parts}, what answers it, and the scope that it takes ("": open to all)."""

    method: str
    path: str
    action: Callable[..., dict]
    scope: str = ""

    def match(self, path: str) -> list[str] | None:
        """Return the parts of a path that this route leaves open, or None if it is another path."""
        own, given = self.path.split("/"), path.split("/")
        fits = len(own) == len(given) and all(
            a == b or a.startswith("{") for a, b in zip(own, given, strict=True)
        )
        return [b for a, b in zip(own, given, strict=True) if a.startswith("{")] if fits else None


def health(function: "Application", request: Request) -> dict:
    """GET /health: versions of model and code; how many people there are is told to who may manage them."""
    recogniser, scopes = function.store.get(), function.access.scopes(request)
    people = function.register.gallery(recogniser).labels  # whoever asks: without them no photo is answered
    content = {"status": "ok", "model": recogniser.version, "code": function.settings.code_version[:12]}
    if "manage" in scopes:
        content["people"] = len(people)
    return responses.as_json(content)


ROUTES = (
    Route("GET", "/", asset),
    Route("GET", "/page.css", partial(asset, name="page.css")),
    Route("GET", "/page.js", partial(asset, name="page.js")),
    Route("GET", "/openapi.json", partial(asset, name="openapi.json")),
    Route("GET", "/health", health),
    Route("POST", "/v1/recognize", recognition.recognise, "recognise"),
    Route("POST", "/v1/align", recognition.align, "recognise"),
    Route("POST", "/v1/verify", recognition.verify, "recognise"),
    Route("GET", "/v1/people", people.list_people, "manage"),
    Route("PUT", "/v1/people/{name}", people.enrol, "manage"),
    Route("DELETE", "/v1/people/{name}", people.remove, "manage"),
    # As they were called before there was a v1.
    Route("POST", "/recognize", recognition.recognise, "recognise"),
    Route("POST", "/align", recognition.align, "recognise"),
)


class Application:
    """The function for one configuration."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.store = ModelStore(settings)
        self.register = Register(settings)
        self.access = Access(parse_keys(settings.face_keys), frozenset({settings.face_open} - {"none"}))
        self._new = True

    def handle(self, event: object, context: object = None) -> dict:
        """Answer one event, whatever it is, and never raise: statusCode, headers, body and isBase64Encoded."""
        started = time.perf_counter()
        request = Request()
        try:
            request = parse_event(event)
            request = replace(request, id=getattr(context, "aws_request_id", None) or request.id)
            answer = self._route(request)
        except HttpError as error:
            request.facts["code"] = error.code
            answer = responses.as_error(error, request.id)
        except Exception as error:
            # Where it went wrong, and not with what: a message could hold a part of the photo or a name.
            places = [
                f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)
            ]
            log("crash", logging.ERROR, kind=type(error).__name__, at=places[-5:], request_id=request.id)
            message = "something went wrong in the function; it has been logged"
            answer = responses.as_error(HttpError(500, "internal", message), request.id)
        if request.method == "HEAD":
            answer |= {"body": "", "isBase64Encoded": False}
        self._log(request, answer["statusCode"], (time.perf_counter() - started) * 1000)
        return answer

    def _log(self, request: Request, status: int, ms: float) -> None:
        facts = {"route": "other", "ms": round(ms, 1), **request.facts}
        if self._new:
            self._new, facts["cold_start"] = False, 1
        log(
            "request",
            method=request.method if request.method in METHODS else "other",
            status=status,
            request_id=request.id or None,
            **facts,
            **metrics_of(facts, self.settings.face_metrics, self.settings.aws_lambda_function_name),
        )

    def _route(self, request: Request) -> dict:
        found = {route.method: route for route in ROUTES if route.match(request.path) is not None}
        if not found:
            raise HttpError(
                404, "not_found", "there is nothing at this path; /openapi.json says what there is"
            )
        request.facts["route"] = next(iter(found.values())).path
        allow = {"Allow": ", ".join([*found, *["HEAD"] * ("GET" in found), "OPTIONS"])}
        if request.method == "OPTIONS":
            return responses.answer(204, "", allow)
        route = found.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            message = f"this path answers to {allow['Allow']} only"
            raise HttpError(405, "method_not_allowed", message, headers=allow)
        if route.scope:
            self.access.demand(request, route.scope)
        return route.action(self, request, *route.match(request.path))


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
            application.register.gallery(application.store.get())
    return application.handle


handler = _start()
