"""What the function is told by its environment, read and checked in this one place."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from .access import parse_keys


class SettingsError(ValueError):
    """An environment variable holds something that makes no sense; the message names it."""


def _number(default: int, low: int, high: int) -> int:
    """Make a field that takes whole numbers from `low` to `high`."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class Settings:
    """The function's configuration: each field is the environment variable of its name in capitals."""

    model_bundle: str = ""  # folder of a model bundle on disk; wins over S3
    model_bucket: str = ""  # or its zip in S3, which needs boto3; Lambda brings that
    model_key: str = ""
    model_sha256: str = ""  # of the zip
    face_threads: int = _number(1, 1, 64)
    face_max_bytes: int = _number(4_500_000, 1, 10**9)  # Lambda takes 6 MB, and base64 adds a third
    face_max_pixels: int = _number(25_000_000, 1, 10**9)  # width times height
    face_max_faces: int = _number(50, 1, 1000)  # of a photo that are named, the surest first
    face_retry_seconds: int = _number(30, 0, 86_400)  # until a model that could not be loaded is tried again
    face_keys: str = ""  # who may ask: entries NAME:SCOPE+SCOPE:SHA256 with spaces between them, see `access`
    face_open: str = "recognise"  # without a key, or "none"; scope manage always takes a key
    # Where people are who may change: s3://bucket/key, or a path; else the bundle's stay
    face_gallery: str = ""
    face_gallery_seconds: int = _number(5, 0, 3_600)  # without asking whether they have changed
    bucket_owner: str = ""  # account of the buckets; S3 refuses any other's
    face_operator: str = ""  # the page says who runs this,
    face_contact: str = ""  # how to reach them,
    face_purpose: str = ""  # what for,
    face_retention: str = ""  # and how long people stay enrolled
    face_metrics: str = ""  # CloudWatch namespace of the log's figures; empty: none, since each has a price
    code_version: str = ""  # of the deployed code, for the health check
    # Set by Lambda: the model is loaded at start-up then, when a full core is there whatever the memory.
    aws_lambda_function_name: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; a variable that is unset or empty leaves the default.

        Raises SettingsError if a number is none or out of range, MODEL_SHA256 is no SHA-256, or FACE_KEYS or FACE_OPEN
        is none.
        """
        given = {known: environment.get(known.name.upper(), "").strip() for known in fields(cls)}
        values = {
            known.name: _integer(known, text) if known.metadata else text
            for known, text in given.items()
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


def _integer(known, text: str) -> int:
    low, high = known.metadata["range"]
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(
            f"{known.name.upper()} must be an integer from {low} to {high}, not {text[:20]!r}"
        )
    return value
