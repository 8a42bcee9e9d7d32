"""The model: fetched once, verified, kept across calls, and tried again later when it could not be had."""

import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from .logs import log
from .pipeline import BundleError, Recogniser, check_bundle, unpack_bundle
from .settings import Settings

ZIP_LIMIT = 400_000_000  # /tmp holds 512 MB


class ModelUnavailable(RuntimeError):
    """There is no usable model at the moment.

    Attributes
    ----------
    retry_after : int
        Seconds until the next attempt.
    """

    def __init__(self, retry_after: int):
        super().__init__("the model could not be loaded")
        self.retry_after = retry_after


class ModelStore:
    """Loads the recogniser when it is first needed.

    Parameters
    ----------
    settings : Settings
        Where the model is, and how long a failure is remembered.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._recogniser: Recogniser | None = None
        self._retry_at = 0.0
        self._lock = threading.Lock()

    def get(self) -> Recogniser:
        """Return the recogniser, loading it if need be.

        Raises
        ------
        ModelUnavailable
            If it is missing or damaged, or was so less than `face_retry_seconds` ago.
        """
        with self._lock:
            if self._recogniser is None:
                wait = self._retry_at - time.monotonic()
                if wait > 0:
                    raise ModelUnavailable(int(wait) + 1)
                self._recogniser = self._load()
            return self._recogniser

    def _load(self) -> Recogniser:
        started = time.perf_counter()
        try:
            recogniser = Recogniser.load(locate(self._settings), self._settings.face_threads)
        except (
            Exception
        ) as error:  # boto3, onnxruntime and numpy raise their own kinds on damaged or missing files
            pause = self._settings.face_retry_seconds
            self._retry_at = time.monotonic() + pause
            log("model_failed", logging.ERROR, reason=reason_of(error), retry_seconds=pause)
            raise ModelUnavailable(max(pause, 1)) from error
        log(
            "model_loaded",
            model=recogniser.version,
            people=len(recogniser.gallery.labels),
            ms=round((time.perf_counter() - started) * 1000),
        )
        return recogniser


def reason_of(error: Exception) -> str:
    """Say in one line what went wrong: the kind of error, and S3's own code if it has one."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return f"{type(error).__name__}: {code or str(error)}"[:300]


def locate(settings: Settings) -> Path:
    """Return the folder or zip of the model bundle on disk, fetched from S3 if it is there.

    Raises
    ------
    BundleError
        If no model is configured, or what S3 has is not the file that MODEL_SHA256 names.
    """
    if settings.model_bundle:
        return Path(settings.model_bundle)
    if not (settings.model_bucket and settings.model_key and settings.model_sha256):
        raise BundleError("set MODEL_BUNDLE, or MODEL_BUCKET, MODEL_KEY and MODEL_SHA256")
    folder = Path(tempfile.gettempdir()) / f"model-{settings.model_sha256.lower()[:32]}"
    if not _is_whole(folder):
        _fetch(settings, folder)
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        check_bundle(folder)
    except BundleError:
        return False
    return True


def _fetch(settings: Settings, folder: Path) -> None:
    """Download, verify and unpack; `folder` appears only when all of it is right."""
    work = Path(tempfile.mkdtemp(prefix="fetch-", dir=folder.parent))
    try:
        archive, unpacked = work / "model.zip", work / "model"
        digest = _download(settings, archive)
        if digest != settings.model_sha256.lower():
            raise BundleError(f"the model in S3 has SHA-256 {digest[:12]}..., not the one in MODEL_SHA256")
        unpacked.mkdir()
        unpack_bundle(archive, unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(settings: Settings, target: Path) -> str:
    """Stream the zip to disk and return its SHA-256."""
    import boto3  # takes a third of a second to import: only where the model comes from S3
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 3, "mode": "standard"})
    # A region is needed to sign, and Lambda always has one; a local cloud takes any.
    client = boto3.client("s3", config=config, region_name=os.environ.get("AWS_REGION", "us-east-1"))
    digest, size = hashlib.sha256(), 0
    body = client.get_object(Bucket=settings.model_bucket, Key=settings.model_key)["Body"]
    with open(target, "wb") as file:
        for block in body.iter_chunks(1 << 20):
            size += len(block)
            if size > ZIP_LIMIT:
                raise BundleError(f"the model in S3 has more than {ZIP_LIMIT:,} bytes")
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
