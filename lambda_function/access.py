"""Who may ask for what: keys, of which only the SHA-256 is known here, and what each of them opens."""

import hashlib
import hmac
import re
from dataclasses import dataclass

from .events import HttpError, Request

SCOPES = ("recognise", "manage")  # look at photos; see, enrol and forget people, and see who else is similar
HEADER = "X-Api-Key"  # Authorization is taken by AWS's own signature
ENTRY = re.compile(r"([\w-]{1,40}):([a-z+]+):([0-9a-f]{64})")


@dataclass(frozen=True)
class Key:
    """One entry of FACE_KEYS: name:scope+scope:sha256; the name is what the log says."""

    name: str
    scopes: frozenset[str]
    sha256: str


def parse_keys(text: str) -> tuple[Key, ...]:
    """Read entries with spaces or commas between them; ValueError if one is none or names another scope."""
    keys = []
    for entry in text.replace(",", " ").split():
        found = ENTRY.fullmatch(entry)
        scopes = frozenset(found[2].split("+")) if found else frozenset()
        if not scopes or not scopes <= set(SCOPES):
            raise ValueError(f"an entry is not NAME:SCOPE:SHA256 with scopes of {', '.join(SCOPES)}")
        keys.append(Key(found[1], scopes, found[3]))
    return tuple(keys)


@dataclass(frozen=True)
class Access:
    """The keys, and what is open to those who bring none."""

    keys: tuple[Key, ...] = ()
    open: frozenset[str] = frozenset()

    def scopes(self, request: Request) -> frozenset[str]:
        """Return what a request may do; HttpError 401 for a key that is not known. Nothing of the body is read."""
        given = request.headers.get(HEADER.lower(), "").strip()
        if not given:
            return self.open
        digest = hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()
        # Every key is compared, each in constant time: how long it takes says nothing about any of them.
        found = [key for key in self.keys if hmac.compare_digest(key.sha256, digest)]
        if not found:
            raise _unauthorised("bad_key", "this key is not known here")
        request.facts["key"] = found[0].name
        return found[0].scopes | self.open

    def demand(self, request: Request, scope: str) -> None:
        """Let a request pass that may do `scope`; HttpError 401 without a key, 403 with one that does not suffice."""
        if scope in self.scopes(request):
            return
        if not request.headers.get(HEADER.lower(), "").strip():
            raise _unauthorised("no_key", f"this needs a key for {scope!r} in the header {HEADER}")
        raise HttpError(403, "wrong_scope", f"this key does not open {scope!r}")


def _unauthorised(code: str, message: str) -> HttpError:
    return HttpError(401, code, message, headers={"WWW-Authenticate": "ApiKey"})
