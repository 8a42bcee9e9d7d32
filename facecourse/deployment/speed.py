"""How fast the packed function starts and answers, and how much memory it takes: measured in a process of its own."""

import base64
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facecourse.deployment.package import PackageError

# Runs with nothing on Python's path but the package, one thread, and a photo as a Function URL sends it.
SCRIPT = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from lambda_function.app import handler
event = json.load(open(sys.argv[2]))
first = handler(event)
ready, times = time.time(), []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    handler(event)
    times.append(time.perf_counter() - start)
try:
    lines = open("/proc/self/status").read().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
except OSError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
print("RESULT" + json.dumps({"ready": ready, "times": times, "peak": peak, "answer": first}))
"""


@dataclass(frozen=True)
class FunctionSpeed:
    """One process's life.

    Attributes
    ----------
    cold_s : float
        Seconds from the start of Python to the first answer.
    warm_ms : float
        Median milliseconds of the further answers.
    peak_mb : float
        Most memory held, in 10**6 bytes.
    answer : dict
        The first answer's JSON.
    """

    cold_s: float
    warm_ms: float
    peak_mb: float
    answer: dict


def example_photo(face: Path, width: int = 640, height: int = 480) -> bytes:
    """Return a JPEG of `width` x `height` pixels with one photo in its middle, as high as the picture.

    Parameters
    ----------
    face : Path
        The photo to put in the middle.
    width, height : int
        Of the picture, in pixels.
    """
    with Image.open(face) as opened:
        inner = opened.convert("RGB")
        inner = inner.resize((round(inner.width * height / inner.height), height))
    picture = Image.new("RGB", (width, height), (96, 112, 128))
    picture.paste(inner, ((width - inner.width) // 2, 0))
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=90)
    return packed.getvalue()


def photo_event(photo: bytes) -> dict:
    """Return the event that a Function URL makes of POST /recognize with a JPEG."""
    return {
        "version": "2.0",
        "rawPath": "/recognize",
        "headers": {"content-type": "image/jpeg"},
        "requestContext": {"http": {"method": "POST", "path": "/recognize", "sourceIp": "127.0.0.1"}},
        "body": base64.b64encode(photo).decode(),
        "isBase64Encoded": True,
    }


def measure_function(package: Path, bundle: Path, photo: bytes, runs: int = 10) -> FunctionSpeed:
    """Unpack the function's zip, start it in a clean Python on one thread, and let it recognise one photo.

    Parameters
    ----------
    package : Path
        From `build_package`; for this machine's Python.
    bundle : Path
        Folder of the model: its way from S3 is not part of the figures.
    photo : bytes
    runs : int
        Further answers after the first.

    Raises
    ------
    PackageError
        If it ends without an answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(package) as opened:
            opened.extractall(folder)
        return run_alone([sys.executable, "-I", "-S", "-c", SCRIPT, folder], bundle, photo, runs)


def run_alone(command: list[str], bundle: Path, photo: bytes, runs: int) -> FunctionSpeed:
    """Run a command that takes the event's file and the number of runs, and prints SCRIPT's RESULT line."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "MODEL_BUNDLE": str(bundle),
        "FACE_THREADS": "1",
        **one,
    }
    with tempfile.TemporaryDirectory() as folder:
        event = Path(folder) / "event.json"
        event.write_text(json.dumps(photo_event(photo)))
        start = time.time()
        done = subprocess.run(
            [*command, str(event), str(runs)], env=environment, capture_output=True, text=True, cwd=folder
        )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    if done.returncode or line is None:
        raise PackageError(f"the function does not run on its own:\n{done.stderr.strip()[-1500:]}")
    found = json.loads(line.removeprefix("RESULT"))
    if found["answer"]["statusCode"] != 200:
        raise PackageError(f"the function answered {found['answer']['body'][:300]}")
    warm = float(np.median(found["times"])) * 1000 if found["times"] else float("nan")
    answer = json.loads(found["answer"]["body"])
    return FunctionSpeed(found["ready"] - start, warm, found["peak"] / 1e6, answer)
