"""Detection beside facenet-pytorch's MTCNN: the same faces, photos per second, memory, and how far from the floor."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from facecourse.core.archives import extract
from facecourse.core.paths import DOWNLOADS, ROOT
from facecourse.core.sources import SourceError, lfw_photos
from facecourse.detection.centerface import CenterFace
from facecourse.detection.detector import mtcnn_folder
from facecourse.lessons.floor import multiply_adds_per_second, operations
from facecourse.lessons.stages import trace
from facecourse.lessons.truth import true_faces
from lambda_function.mtcnn import Mtcnn
from lambda_function.photos import open_photo
from tests.conftest import mirror
from tests.reference_mtcnn import Parity, Reference

THREADS, PARITY_PHOTOS, SPEED_PHOTOS, ROUNDS = 2, 1000, 60, 5
LIMIT_MB = 500


def _real_photos() -> tuple[list[Path], list[Path]]:
    """Return 1,000 of LFW's photos and all of people.zip; the rendered ones where these are not here."""
    if mirror() is None:
        return [], []
    try:
        lfw = sorted(lfw_photos().glob("*/*.jpg"))
    except SourceError:
        return [], []
    people = DOWNLOADS / "bench_people"
    if not people.exists():
        extract(mirror() / "people.zip", people, lambda name: name if name.endswith(".jpg") else None)
    step = max(1, len(lfw) // PARITY_PHOTOS)
    return lfw[::step][:PARITY_PHOTOS], sorted(people.glob("**/*.jpg"))


def _sets() -> dict[str, list[Path]]:
    truth = true_faces()
    groups = list(dict.fromkeys(truth.loc[truth["group"], "path"]))
    lfw, people = _real_photos()
    if not lfw:
        return {"sample": list(truth.loc[~truth["group"], "path"]), "groups": groups}
    return {"LFW": lfw, "people": people, "groups": groups}


def rows() -> list[dict]:
    """Return all rows of this room."""
    sets = _sets()
    first = next(iter(sets))
    images = [open_photo(path) for path in sets[first][:: max(1, len(sets[first]) // SPEED_PHOTOS)]]
    groups = [open_photo(path) for path in sets["groups"]]
    ours, theirs = Mtcnn(mtcnn_folder(), threads=THREADS), Reference(THREADS)
    table = [
        _speed(f"MTCNN one by one, {first}", lambda i: [ours.detect([image]) for image in i], theirs, images),
        _speed(f"MTCNN over a folder, {first}", ours.detect, theirs, images),
        _speed(
            "MTCNN one by one, groups 1200 x 800", lambda i: [ours.detect([p]) for p in i], theirs, groups
        ),
        *_newer(first, ours, images),
        *_floor(images, first),
        *_memory(),
    ]
    for name, paths in sets.items():
        table += _parity(name, paths, ours, Reference(THREADS))
    return table


def _seconds(work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _speed(name: str, work, reference, images: list[np.ndarray]) -> dict:
    """Photos per second of both, in turn, medians; the reference takes no list, so it goes photo by photo."""
    work(images[:2]), reference(images[0])
    spent = [
        (_seconds(lambda: work(images)), _seconds(lambda: [reference(image) for image in images]))
        for _ in range(ROUNDS)
    ]
    ours, theirs = (len(images) / median(side) for side in zip(*spent, strict=True))
    return {"name": name, "ours": ours, "reference": theirs, "ratio": ours / theirs, "unit": "photos/s"}


def _newer(first: str, ours: Mtcnn, images: list[np.ndarray]) -> list[dict]:
    """A newer detector, as a reference that MTCNN need not beat; left out where it cannot be had."""
    try:
        newer = CenterFace(THREADS)
    except SourceError:
        return []

    def one(image):
        return newer.detect([image])

    name = f"MTCNN against CenterFace, one by one, {first}"
    return [_speed(name, lambda i: [ours.detect([image]) for image in i], one, images)]


def _floor(images: list[np.ndarray], first: str) -> list[dict]:
    """Milliseconds per photo on one thread beside those of the networks' arithmetic at the core's best speed."""
    speed = multiply_adds_per_second()
    alone = Mtcnn(mtcnn_folder(), threads=1)
    counted = median(sum(operations(trace(image)).values()) for image in images)
    taken = median(_seconds(lambda image=image: alone.detect([image])) for image in images)
    floor = counted / speed
    name = f"MTCNN on one thread, floor of {counted / 1e6:.0f} M multiply-adds, {first}"
    return [
        {
            "name": name,
            "ours": taken * 1000,
            "reference": floor * 1000,
            "ratio": floor / taken,
            "unit": "ms/photo",
        }
    ]


_OURS = """
from pathlib import Path
from lambda_function.mtcnn import Mtcnn
from lambda_function.photos import open_photo
paths = sorted(Path("data/people").glob("*/*.jpg"))[:60] + sorted(Path("data/group").glob("*.jpg"))
tool = Mtcnn(FOLDER, threads=2)
for start in range(0, len(paths), 32):
    tool.detect([open_photo(path) for path in paths[start : start + 32]])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
_THEIRS = """
from pathlib import Path
from lambda_function.photos import open_photo
from tests.reference_mtcnn import Reference
paths = sorted(Path("data/people").glob("*/*.jpg"))[:60] + sorted(Path("data/group").glob("*.jpg"))
tool = Reference(2)
for path in paths:
    tool(open_photo(path))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _peak_mb(program: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) / 1e3


def _memory() -> list[dict]:
    """Peak of a process of its own that searches 64 photos, groups among them, chunk by chunk; on Linux only.

    getrusage would not do: a child's peak begins with that of the process that started it.
    """
    if not sys.platform.startswith("linux"):
        return []
    ours = _peak_mb(_OURS.replace("FOLDER", repr(str(mtcnn_folder()))))
    theirs = _peak_mb(_THEIRS)
    name = f"MTCNN, peak memory of the process (limit {LIMIT_MB})"
    return [{"name": name, "ours": ours, "reference": theirs, "ratio": theirs / ours, "unit": "MB"}]


def _parity(name: str, paths: list[Path], ours: Mtcnn, theirs: Reference) -> list[dict]:
    """Share of photos with as many faces, and of faces in the same place, beside the least that is asked."""
    parity = Parity()
    for path in paths:
        image = open_photo(path)
        parity.add(path.name, ours.detect([image])[0], theirs(image))
    for line in parity.differences:
        print(f"  differs: {line}", file=sys.stderr, flush=True)
    shares = (
        (f"same number of faces, {parity.photos} photos of {name}", parity.number),
        (f"IoU >= 0.98, landmarks within 1 px, {parity.faces} faces of {name}", parity.place),
    )
    return [
        {"name": label, "ours": share, "reference": 0.995, "ratio": share / 0.995, "unit": "share (asked)"}
        for label, share in shares
    ]
