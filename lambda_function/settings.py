"""What the function is told by its environment, read and checked in this one place."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from .access import parse_keys


class SettingsError(ValueError):
    """An environment variable holds something that makes no sense; the message names it."""


@dataclass(frozen=True)
class Settings:
    """The function's configuration: each field is the environment variable of its name in capitals.

    Attributes
    ----------
    model_bundle : str
        Folder or zip of a model bundle on disk; wins over S3.
    model_bucket, model_key, model_sha256 : str
        A bundle's zip in S3 and the SHA-256 of that zip (needs boto3, which Lambda brings).
    face_threads : int
        Threads per network.
    face_max_bytes : int
        Largest photo in bytes: Lambda takes 6 MB, and base64 adds a third.
    face_max_pixels : int
        Largest photo, width times height.
    face_max_faces : int
        At most this many faces of a photo are named, the surest first.
    face_retry_seconds : int
        Pause before a model that could not be loaded is tried again.
    face_keys : str
        Who may ask: entries NAME:SCOPE+SCOPE:SHA256 with spaces between them, see `access`.
    face_open : str
        What is open without a key: "recognise", or "none". Scope manage always takes a key.
    face_gallery : str
        Where the people are who may be changed: s3://bucket/key, or a path. Empty: the bundle's, for good.
    face_gallery_seconds : int
        How long a copy of the function goes without asking whether they have changed.
    bucket_owner : str
        Account that the buckets belong to; S3 refuses any other's.
    face_base_path : str
        What a domain's path mapping puts in front of every path.
    face_operator, face_contact, face_purpose, face_retention : str
        Who runs this, how to reach them, what for, and how long people stay enrolled: the page says it.
    face_metrics : str
        CloudWatch namespace of the figures in the log; empty: none, since each of them has a price.
    code_version : str
        Names the deployed code; the health check returns it.
    aws_lambda_function_name : str
        Set by Lambda: the model is loaded at start-up, when a full core is there whatever the memory.
    """

    model_bundle: str = ""
    model_bucket: str = ""
    model_key: str = ""
    model_sha256: str = ""
    face_threads: int = 1
    face_max_bytes: int = 4_500_000
    face_max_pixels: int = 25_000_000
    face_max_faces: int = 50
    face_retry_seconds: int = 30
    face_keys: str = ""
    face_open: str = "recognise"
    face_gallery: str = ""
    face_gallery_seconds: int = 5
    bucket_owner: str = ""
    face_base_path: str = ""
    face_operator: str = ""
    face_contact: str = ""
    face_purpose: str = ""
    face_retention: str = ""
    face_metrics: str = ""
    code_version: str = ""
    aws_lambda_function_name: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; a variable that is unset or empty leaves the default.

        Raises
        ------
        SettingsError
            If a number is none or out of range, MODEL_SHA256 is no SHA-256, or FACE_KEYS or FACE_OPEN is none.
        """
        given = {field: environment.get(field.name.upper(), "").strip() for field in fields(cls)}
        values = {
            field.name: _integer(field.name, text) if field.type is int else text
            for field, text in given.items()
            if text
        }
        digest = values["model_sha256"] = values.get("model_sha256", "").lower()
        if digest and not re.fullmatch("[0-9a-f]{64}", digest):
            raise SettingsError(f"MODEL_SHA256 must be 64 hexadecimal digits, not {digest[:20]!r}")
        try:
            parse_keys(values.get("face_keys", ""))
        except ValueError as error:
            raise SettingsError(f"FACE_KEYS: {error}") from None
        if values.get("face_open", "none") not in ("recognise", "none"):
            raise SettingsError(f"FACE_OPEN must be recognise or none, not {values['face_open'][:20]!r}")
        return cls(**values)


RANGES = {
    "face_threads": (1, 64),
    "face_max_bytes": (1, 1_000_000_000),
    "face_max_pixels": (1, 1_000_000_000),
    "face_max_faces": (1, 1000),
    "face_retry_seconds": (0, 86_400),
    "face_gallery_seconds": (0, 3_600),
}


def _integer(name: str, text: str) -> int:
    low, high = RANGES[name]
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(f"{name.upper()} must be an integer from {low} to {high}, not {text[:20]!r}")
    return value
