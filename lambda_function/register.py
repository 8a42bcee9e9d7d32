"""The enrolled people while the function runs: one gallery that all its copies share, read and changed together."""

import copy
import io
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import TypeVar

from .events import HttpError
from .gallery import Gallery
from .logs import log, reason_of
from .objects import shared_object
from .pipeline import Recogniser
from .settings import Settings

TRIES = 30  # of a change that others overtake: with the pauses between, about six seconds
TRUSTED_SECONDS = 60  # how long a gallery is used whose newest state cannot be asked for
Result = TypeVar("Result")


class Register:
    """The gallery at FACE_GALLERY, or the bundle's own, which nobody changes, where that is not set."""

    def __init__(self, settings: Settings):
        self._object = (
            shared_object(settings.face_gallery, settings.bucket_owner) if settings.face_gallery else None
        )
        self._pause = settings.face_gallery_seconds
        self._gallery: Gallery | None = None
        self._tag, self._asked, self._seen = "", -float("inf"), -float("inf")
        self._lock = threading.Lock()

    def gallery(self, recogniser: Recogniser) -> Gallery:
        """Return the people as they are, at most `face_gallery_seconds` late, without those whose time is over.

        HttpError 503 if they cannot be read, or belong to another backbone.
        """
        if self._object is None:
            return recogniser.gallery
        with self._lock:
            if time.monotonic() - self._asked >= self._pause:
                self._refresh(recogniser)
            gallery = self._gallery
        if not lapsed(gallery):
            return gallery
        try:
            return self.change(recogniser, lambda gallery: gallery)
        except HttpError:  # written another time; nobody is named by it until then
            return without_lapsed(gallery)[0]

    def change(self, recogniser: Recogniser, edit: Callable[[Gallery], Result]) -> Result:
        """Apply `edit` to a copy of the newest gallery and put it in place; again if somebody else was quicker.

        HttpError 409 if people are fixed here, 503 if too many others write at once; what `edit` raises, unchanged.
        """
        if self._object is None:
            message = "the people of this function came with its model and stay: it has no FACE_GALLERY"
            raise HttpError(409, "people_are_fixed", message)
        for attempt in range(TRIES):
            with self._lock:
                self._refresh(recogniser)
                (gallery, over), tag = without_lapsed(self._gallery), self._tag
            result = edit(gallery)
            written = self._write(gallery.packed(), tag)
            if written:
                with self._lock:
                    self._gallery, self._tag = gallery, written
                    self._asked = self._seen = time.monotonic()
                for known in over:
                    log_change("expire", known, gallery)
                return result
            time.sleep(random.uniform(0, min(0.02 * 1.5**attempt, 0.5)))
        message = "others are changing the people at the moment; try again in a second"
        raise HttpError(503, "people_are_busy", message, headers={"Retry-After": "1"})

    def _write(self, content: bytes, tag: str) -> str | None:
        try:
            return self._object.write(content, tag)
        except Exception as error:
            raise _unavailable(error) from error

    def _refresh(self, recogniser: Recogniser) -> None:
        """Read the object if it has changed; its absence means that nobody has changed the bundle's people yet.

        S3 calls an object absent only to who may list the bucket. The template's role may not, and is refused (503): so a
        gallery that went missing never brings back the bundle's people, of whom some may have been erased.
        """
        self._asked = time.monotonic()
        try:
            found = self._object.read(self._tag)
            if found:
                self._gallery, self._tag = _unpacked(found[0], recogniser), found[1]
        except FileNotFoundError:
            self._gallery, self._tag = recogniser.gallery, ""
        except Exception as error:  # boto3 has its own kinds, numpy and the network theirs
            refusal = _unavailable(error)
            if self._gallery is None or self._asked - self._seen > TRUSTED_SECONDS:
                self._gallery, self._tag, self._asked = None, "", -float("inf")
                raise refusal from error
            return
        self._seen = self._asked


def today() -> str:
    """Return the date in UTC, as YYYY-MM-DD."""
    return datetime.now(timezone.utc).date().isoformat()


def lapsed(gallery: Gallery) -> list[str]:
    """Return the people whose consent has ended: the day in `expires` is the last one."""
    people, now = gallery.about.get("people", {}), today()
    return [name for name, known in people.items() if known.get("expires") and known["expires"] < now]


def without_lapsed(gallery: Gallery) -> tuple[Gallery, list[dict]]:
    """Return a copy, which may be changed, without the people whose consent has ended, and what was known about those."""
    kept, over = replace(gallery, about=copy.deepcopy(gallery.about)), []
    for name in lapsed(gallery):
        over.append(kept.about["people"][name])
        forget(kept, name)
    return kept, over


def forget(gallery: Gallery, name: str) -> bool:
    """Take a person out, with all that is known about them; return whether there was one."""
    gallery.about.get("people", {}).pop(name, None)
    return gallery.remove(name)


def log_change(action: str, known: dict, gallery: Gallery, **more) -> None:
    """Log that somebody was enrolled, replaced, forgotten or has expired: by a number that leaves with the person."""
    log("people_changed", action=action, person=known.get("id"), people=len(gallery.labels), **more)


def _unavailable(error: Exception) -> HttpError:
    log("people_failed", logging.ERROR, reason=reason_of(error))
    message = "the enrolled people are not available at the moment; try again in a few seconds"
    return HttpError(503, "people_unavailable", message, headers={"Retry-After": "5"})


def _unpacked(content: bytes, recogniser: Recogniser) -> Gallery:
    gallery = Gallery.load(io.BytesIO(content))
    own = recogniser.gallery.about.get("backbone"), recogniser.embedder.dimension
    if (gallery.about.get("backbone"), gallery.vectors.shape[1]) != own:
        raise ValueError("the gallery was made with another backbone than this model's")
    return gallery
