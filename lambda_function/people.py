"""The enrolled people over HTTP: who there is, whom to add from photos and with what consent, whom to forget."""

import secrets
import unicodedata
from datetime import date
from urllib.parse import unquote

from . import responses
from .bodies import read_upload
from .events import HttpError, Request
from .gallery import UNKNOWN, Gallery
from .recognition import embeddings_of
from .register import forget, log_change, today

MAX_PHOTOS = 20
MARKS = " _-.,'\u2019()"  # beside letters and digits, in a name
TOLD = ("photos", "consent", "expires", "purpose", "enrolled")


def list_people(function, request: Request) -> dict:
    """GET /v1/people: everyone enrolled, by name, with what is known about the consent of those enrolled here."""
    gallery = function.register.gallery(function.store.get())
    known = gallery.about.get("people", {})
    people = [
        {"name": name, **{k: known.get(name, {}).get(k) for k in TOLD}} for name in sorted(gallery.labels)
    ]
    return responses.as_json({"people": people})


def enrol(function, request: Request, name: str) -> dict:
    """PUT /v1/people/{name}: add a person, or replace one of that name, from 1 to 20 photos with one face each.

    The date of the consent is needed (field consent, YYYY-MM-DD); its last day (expires) and its purpose may be given.
    """
    name = checked_name(name)
    upload = read_upload(request, function.settings.face_max_bytes, MAX_PHOTOS)
    known = _consent(upload.fields)
    recogniser = function.store.get()
    rows = embeddings_of(function, request, recogniser, upload.photos)
    known |= {"photos": len(rows), "enrolled": today(), "id": secrets.token_hex(6)}

    def edit(gallery: Gallery) -> tuple[Gallery, bool]:
        new = not forget(gallery, name)
        gallery.enrol(name, rows)
        gallery.about.setdefault("people", {})[name] = known
        return gallery, new

    gallery, new = function.register.change(recogniser, edit)
    _log(request, "enrol" if new else "replace", known, gallery, photos=len(rows))
    content = {"name": name, **{key: known[key] for key in TOLD}, "people": len(gallery.labels)}
    return responses.as_json(content, 201 if new else 200)


def remove(function, request: Request, name: str) -> dict:
    """DELETE /v1/people/{name}: forget a person, and what is known about their consent."""
    name = checked_name(name)

    def edit(gallery: Gallery) -> tuple[Gallery, dict]:
        known = gallery.about.get("people", {}).get(name, {})
        if not forget(gallery, name):
            raise HttpError(404, "no_such_person", "nobody of this name is enrolled")
        return gallery, known

    gallery, known = function.register.change(function.store.get(), edit)
    _log(request, "forget", known, gallery)
    return responses.as_json({"name": name, "people": len(gallery.labels)})


def checked_name(text: str) -> str:
    """Return a name as it is kept, from the path of an address; HttpError 400 if it cannot be one."""
    try:
        name = unicodedata.normalize("NFC", unquote(text, errors="strict")).strip()
    except UnicodeDecodeError:
        name = ""
    kinds = [unicodedata.category(letter)[0] for letter in name]
    fits = all(kind in "LMN" or letter in MARKS for letter, kind in zip(name, kinds, strict=True))
    if not 1 <= len(name) <= 100 or not fits or kinds[0] not in "LN" or name.lower() == UNKNOWN:
        message = (
            f"a name has 1 to 100 letters, digits and {MARKS!r}, begins with a letter, and is not 'unknown'"
        )
        raise HttpError(400, "bad_name", message)
    return name


def _consent(fields: dict[str, str]) -> dict:
    given, expires = _day(fields, "consent"), _day(fields, "expires")
    if given is None:
        message = "say on which day this person agreed to be enrolled: consent=YYYY-MM-DD"
        raise HttpError(400, "no_consent", message)
    if given > today() or (expires and expires < today()):
        raise HttpError(400, "bad_date", "consent is a day that has been, expires one that has not")
    purpose = " ".join(fields.get("purpose", "").split())[:200]
    return {"consent": given, "expires": expires, "purpose": purpose or None}


def _day(fields: dict[str, str], name: str) -> str | None:
    text = fields.get(name, "").strip()
    try:
        return date.fromisoformat(text).isoformat() if text else None
    except ValueError:
        raise HttpError(400, "bad_date", f"{name} must be a day, YYYY-MM-DD") from None


def _log(request: Request, action: str, known: dict, gallery: Gallery, **more) -> None:
    log_change(action, known, gallery, key=request.facts.get("key"), request_id=request.id, **more)
