"""The model: fetched once, verified, kept across calls, and tried again later where it was unavailable."""

import hashlib
import logging
import math
import shutil
import tempfile
import threading
import time
from pathlib import Path

from .events import HttpError
from .logs import log, reason_of
from .objects import owned, s3_client
from .pipeline import BundleError, Recogniser, unpack_bundle
from .settings import Settings

ZIP_LIMIT = 240_000_000  # /tmp holds 512 MB, and the zip and what is in it lie there together


class ModelStore:
    """Loads the recogniser when it is first needed, and remembers a failure for `face_retry_seconds`."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._recogniser: Recogniser | None = None
        self._retry_at = 0.0
        self._lock = threading.Lock()

    def get(self) -> Recogniser:
        """Return the recogniser, loading it if need be; HttpError 503 if it is missing or damaged."""
        with self._lock:
            if self._recogniser is None:
                if (wait := self._retry_at - time.monotonic()) > 0:
                    raise _unavailable(wait)
                self._recogniser = self._load()
            return self._recogniser

    def _load(self) -> Recogniser:
        started = time.perf_counter()
        try:
            recogniser = load_model(self._settings)
        except Exception as error:  # boto3, onnxruntime and numpy raise their own kinds
            pause = self._settings.face_retry_seconds
            self._retry_at = time.monotonic() + pause
            log("model_failed", logging.ERROR, reason=reason_of(error), retry_seconds=pause)
            raise _unavailable(pause) from error
        people, ms = len(recogniser.gallery.labels), round((time.perf_counter() - started) * 1000)
        log("model_loaded", model=recogniser.version, people=people, ms=ms)
        return recogniser


def _unavailable(wait: float) -> HttpError:
    seconds = max(1, math.ceil(wait))
    message = f"the model is not available at the moment; try again in {seconds} s"
    return HttpError(503, "model_unavailable", message, headers={"Retry-After": str(seconds)})


def load_model(settings: Settings) -> Recogniser:
    """Open the bundle on disk, or the one in S3, which stays unpacked in /tmp for the next process.

    BundleError if no model is configured, it is damaged, or what S3 has is not the file that MODEL_SHA256 names.
    """
    if settings.model_bundle:
        return Recogniser.load(settings.model_bundle, settings.face_threads)
    if not (settings.model_bucket and settings.model_key and settings.model_sha256):
        raise BundleError("set MODEL_BUNDLE, or MODEL_BUCKET, MODEL_KEY and MODEL_SHA256")
    folder = Path(tempfile.gettempdir()) / f"model-{settings.model_sha256[:32]}"
    try:
        return Recogniser.load(folder, settings.face_threads)
    except BundleError:  # not there yet, or damaged
        _fetch(settings, folder)
        return Recogniser.load(folder, settings.face_threads)


def _fetch(settings: Settings, folder: Path) -> None:
    """Download, verify and unpack; `folder` appears only when all of it is right."""
    work = Path(tempfile.mkdtemp(prefix="fetch-", dir=folder.parent))
    try:
        archive, unpacked = work / "model.zip", work / "model"
        digest = _download(settings, archive)
        if digest != settings.model_sha256:
            raise BundleError(f"the model in S3 has SHA-256 {digest[:12]}..., not the one in MODEL_SHA256")
        unpacked.mkdir()
        unpack_bundle(archive, unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(settings: Settings, target: Path) -> str:
    """Stream the zip to disk and return its SHA-256."""
    place = {"Bucket": settings.model_bucket, "Key": settings.model_key, **owned(settings.bucket_owner)}
    body = s3_client().get_object(**place)["Body"]
    digest, size = hashlib.sha256(), 0
    with open(target, "wb") as file:
        for block in body.iter_chunks(1 << 20):
            size += len(block)
            if size > ZIP_LIMIT:
                raise BundleError(f"the model in S3 has more than {ZIP_LIMIT:,} bytes")
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
