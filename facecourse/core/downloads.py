"""One file over HTTP: progress, resume after an interruption, retries with back-off."""

import random
import re
import time
from pathlib import Path

import requests
from tqdm import tqdm

from facecourse.core.paths import ROOT

# The address is in pyproject only; Wikimedia wants to know whom to write to.
ADDRESS = re.search(r'repository = "(.+?)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
USER_AGENT = f"facecourse/2.0 ({ADDRESS})"
ATTEMPTS = 5
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
BLOCK = 1 << 16  # bytes written at a time: what an interruption can cost
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
INTERRUPTED = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class DownloadError(RuntimeError):
    """One address did not deliver the file; the message says why."""


def download(url: str, part: Path, size: int | None = None) -> None:
    """Fetch `url` into the file `part`, going on where an earlier try stopped (RFC 9110, section 14: Range requests).

    What is in `part` is taken as the file's beginning: the caller compares the hash. `size`, in bytes, is for the
    bar. Raises DownloadError after ATTEMPTS tries, or at once where trying again cannot help (404, 403); OSError if
    the disk is full. What has arrived stays in `part`.
    """
    for attempt in range(ATTEMPTS):
        before = _length(part)
        try:
            return _attempt(url, part, size)
        except _Refused as error:
            if error.status not in TRY_AGAIN:
                raise DownloadError(str(error)) from None
            reason, wait = str(error), error.wait
        except INTERRUPTED as error:
            reason, wait = _plain(error), None
            if _length(part) == before and attempt >= 1 and not isinstance(error, requests.Timeout):
                break  # twice no connection at all: the network is off, waiting longer rarely helps
        except requests.RequestException as error:  # a malformed address, endless redirects
            raise DownloadError(_plain(error)) from error
        if attempt < ATTEMPTS - 1:
            time.sleep(wait if wait is not None else min(2**attempt, 30) * random.uniform(0.5, 1.0))
    raise DownloadError(reason)


class _Refused(Exception):
    """The server answered, but not with the file."""

    def __init__(self, status: int, wait: float | None):
        super().__init__(f"the server answered {status}")
        self.status, self.wait = status, wait


def _attempt(url: str, part: Path, size: int | None) -> None:
    have = _length(part)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        # Content-Range: "bytes 100-199/200", or "bytes */200" where nothing is left to send.
        delivered = response.headers.get("Content-Range", "").removeprefix("bytes ")
        if response.status_code == 416 and delivered.rpartition("/")[2] == str(have):
            return
        resumed = response.status_code == 206 and delivered.startswith(f"{have}-")
        if response.status_code == 416 or (response.status_code == 206 and not resumed):
            part.unlink()  # what we have is no part of this file
            raise _Refused(503, 0.0)
        if response.status_code not in (200, 206):
            raise _Refused(response.status_code, retry_after(response, 60.0))
        have = have if resumed else 0
        expected = response.headers.get("Content-Length")
        total = have + int(expected) if expected else size
        bar = tqdm(
            desc=part.stem, initial=have, total=total, unit="B", unit_scale=True, mininterval=0.5, leave=False
        )
        with open(part, "ab" if resumed else "wb") as file, bar:
            for block in response.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
        if expected and _length(part) < total:
            raise requests.ConnectionError("the connection ended early")


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def retry_after(response: requests.Response, longest: float) -> float | None:
    """Return for how many seconds the server asks to wait, at most `longest`; None if it does not say."""
    value = response.headers.get("Retry-After", "")
    return min(float(value), longest) if value.isdigit() else None


def _plain(error: Exception) -> str:
    """Say in a few words what requests wraps in four layers."""
    text = str(error)
    if "resolve" in text or "getaddrinfo" in text or "Name or service" in text:
        return "its name cannot be looked up (no network?)"
    if "refused" in text:
        return "the connection was refused"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return f"{type(error).__name__}: {text[:120]}"
