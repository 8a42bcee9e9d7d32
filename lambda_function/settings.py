"""What the function is told by its environment, read once and checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields


class SettingsError(ValueError):
    """An environment variable holds something that makes no sense; the message names it."""


@dataclass(frozen=True)
class Settings:
    """The function's configuration; every field is one environment variable, listed at the top of app.py.

    Attributes
    ----------
    model_bundle : str
        Folder or zip of a model bundle on disk; wins over S3.
    model_bucket, model_key, model_sha256 : str
        Zip of a model bundle in S3 and the SHA-256 of that zip, 64 hexadecimal digits.
    face_threads : int
        Threads per network, 1 to 64.
    face_max_bytes : int
        Largest photo in bytes, after base64 is undone.
    face_max_pixels : int
        Largest photo, width times height.
    face_max_faces : int
        At most this many faces of a photo are named, the surest first.
    face_rate_per_minute : int
        Photos that one address may send to one running copy of the function per minute; 0: any number.
    face_retry_seconds : int
        How long a failed attempt to load the model is remembered before the next one.
    face_cors_origins : tuple of str
        Origins whose pages may call the function from a browser; "*" is any; empty: none.
    """

    model_bundle: str = ""
    model_bucket: str = ""
    model_key: str = ""
    model_sha256: str = ""
    face_threads: int = 1
    face_max_bytes: int = 4_500_000
    face_max_pixels: int = 25_000_000
    face_max_faces: int = 50
    face_rate_per_minute: int = 0
    face_retry_seconds: int = 30
    face_cors_origins: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; a variable that is unset or empty leaves the default.

        Raises
        ------
        SettingsError
            If a number is none, or out of range.
        """
        values: dict = {}
        for field in fields(cls):
            text = environment.get(field.name.upper(), "").strip()
            if not text:
                continue
            if field.type is int:
                values[field.name] = _whole_number(field.name, text)
            elif field.type is str:
                values[field.name] = text
            else:
                values[field.name] = tuple(
                    part.strip().rstrip("/") for part in text.split(",") if part.strip()
                )
        return cls(**values)


_LEAST = {"face_rate_per_minute": 0, "face_retry_seconds": 0}


def _whole_number(name: str, text: str) -> int:
    least = _LEAST.get(name, 1)
    try:
        value = int(text.replace("_", ""))
    except ValueError:
        value = least - 1
    if value < least or (name == "face_threads" and value > 64):
        raise SettingsError(f"{name.upper()} must be a whole number from {least} on, not {text[:20]!r}")
    return value
