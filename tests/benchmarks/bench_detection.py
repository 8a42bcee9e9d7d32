"""Detection beside facenet-pytorch's MTCNN: the same faces, photos per second, memory, and the arithmetic's lower bound."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from facecourse.core.paths import DATA, ROOT
from facecourse.core.sources import SourceError, lfw_photos
from facecourse.detection.detector import mtcnn_folder
from facecourse.detection.yunet import YuNet
from lambda_function.mtcnn import Mtcnn
from lambda_function.photos import open_photo
from tests.conftest import mirror
from tests.reference_mtcnn import Parity, Reference

THREADS, PARITY_PHOTOS, SPEED_PHOTOS, ROUNDS = 2, 1000, 60, 5
LIMIT_MB = 500


def photo_sets() -> dict[str, list[Path]]:
    """Return 1,000 of LFW's photos, or the rendered strangers where LFW is not here, and the group pictures."""
    groups = sorted((DATA / "group").glob("*.jpg"))
    if mirror() is None:
        return {"sample": sorted((DATA / "others").glob("*/*.jpg")), "groups": groups}
    lfw = sorted(lfw_photos().glob("*/*.jpg"))
    return {"LFW": lfw[:: max(1, len(lfw) // PARITY_PHOTOS)][:PARITY_PHOTOS], "groups": groups}


def rows() -> list[dict]:
    """Return the rows of `make bench`."""
    sets = photo_sets()
    first = next(iter(sets))
    images = [open_photo(path) for path in sets[first][:: max(1, len(sets[first]) // SPEED_PHOTOS)]]
    groups = [open_photo(path) for path in sets["groups"]]
    mtcnn, reference = Mtcnn(mtcnn_folder(), threads=THREADS), Reference(THREADS)

    def ours(images):
        return [mtcnn.detect([image]) for image in images]

    def theirs(images):
        return [reference(image) for image in images]

    table = [
        _speed(f"MTCNN one by one, {first}", ours, theirs, images),
        _speed(f"MTCNN over a folder, {first}", mtcnn.detect, theirs, images),
        _speed("MTCNN one by one, groups 1200 x 800", ours, theirs, groups),
    ]
    try:
        newer = YuNet(threads=THREADS).detect  # MTCNN need not beat it
        table.append(_speed(f"MTCNN against YuNet, one by one, {first}", ours, newer, images))
    except SourceError:
        pass
    table += [_lower_bound(images, first), *_memory()]
    for name, paths in sets.items():
        table += _parity(name, paths, mtcnn, reference)
    return table


def _seconds(work, *arguments) -> float:
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def _speed(name: str, ours, theirs, images: list[np.ndarray]) -> dict:
    """Photos per second of both, in turn, medians."""
    ours(images[:2]), theirs(images[:2])
    spent = [(_seconds(ours, images), _seconds(theirs, images)) for _ in range(ROUNDS)]
    left, right = (len(images) / median(side) for side in zip(*spent, strict=True))
    return {"name": name, "ours": left, "reference": right, "ratio": left / right, "unit": "photos/s"}


def _lower_bound(images: list[np.ndarray], first: str) -> dict:
    """Milliseconds per photo on one thread, beside those that the multiply-accumulates of its networks alone take.

    Each number that a layer of facenet-pytorch's networks gives costs one per weight behind it. What a core does per
    second at its best is measured by matrix products.
    """
    import torch

    reference, count = Reference(threads=1), 0

    def add(layer, _, answer):
        nonlocal count
        count += answer.numel() * layer.weight[0].numel()

    for layer in reference.network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(add)
    alone, counts, spent = Mtcnn(mtcnn_folder(), threads=1), [], []
    for image in images:
        count = 0
        reference(image)
        counts.append(count)
        spent.append(_seconds(alone.detect, [image]) * 1000)
    matrix = torch.rand(768, 768)
    product = min(_seconds(torch.matmul, matrix, matrix) for _ in range(15))
    torch.set_num_threads(THREADS)
    least = median(counts) * product / 768**3 * 1000
    name = f"MTCNN on one thread, lower bound of {median(counts) / 1e6:.0f} M multiply-accumulates, {first}"
    taken = median(spent)
    return {"name": name, "ours": taken, "reference": least, "ratio": least / taken, "unit": "ms/photo"}


_PROGRAM = """
from pathlib import Path
from lambda_function.mtcnn import Mtcnn
from lambda_function.photos import open_photo
from tests.benchmarks.peers import peak_mb
from tests.reference_mtcnn import Reference
paths = sorted(Path("data/others").glob("*/*.jpg"))[:60] + sorted(Path("data/group").glob("*.jpg"))
TOOL
for start in range(0, len(paths), 32):
    detect([open_photo(path) for path in paths[start : start + 32]])
print(peak_mb())
"""


def _memory() -> list[dict]:
    """Peak of a process of its own that searches 64 photos, groups among them, chunk by chunk; on Linux only.

    getrusage would not do: a child's peak begins with that of the process that started it.
    """
    if not sys.platform.startswith("linux"):
        return []
    peaks = []
    for tool in (
        f"detect = Mtcnn({str(mtcnn_folder())!r}, threads=2).detect",
        "tool = Reference(2); detect = lambda images: [tool(image) for image in images]",
    ):
        command = [sys.executable, "-c", _PROGRAM.replace("TOOL", tool)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout.split()[-1]))
    name = f"MTCNN, peak memory of the process (limit {LIMIT_MB})"
    return [
        {"name": name, "ours": peaks[0], "reference": peaks[1], "ratio": peaks[1] / peaks[0], "unit": "MB"}
    ]


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
