"""The deployed function against the same handler written with torch and facenet-pytorch, both on one thread."""

import shutil
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from tqdm import tqdm

from facecourse.core.paths import DATA, ROOT
from facecourse.deployment.package import (
    SCRIPT,
    FunctionSpeed,
    build_package,
    example_photo,
    run_alone,
    unzipped_size,
)
from facecourse.embedding.backbones import find_backbone
from tests.benchmarks.peers import installed_files
from tests.sample_bundle import build_sample_bundle

PERSON = "Alva_Abrentis"  # data/people is the reader's own
TURNS, RUNS = 5, 15
LARGE, LARGE_RUNS = (5760, 4320), 2  # 25 megapixels, the most that the function takes
TORCH_LIBRARIES = ("torch", "torchvision", "facenet-pytorch", "numpy", "pillow", "python-multipart")


def rows() -> list[dict]:
    """Return the rows {name, ours, reference, ratio, unit}; both sides take turns, medians."""
    ours, reference = [], []
    with tempfile.TemporaryDirectory() as work:
        unpacked, torch_bundle = Path(work) / "package", Path(work) / "torch"
        with zipfile.ZipFile(build_package()) as package:
            package.extractall(unpacked)
        bundle = build_sample_bundle(Path(work), "others")
        torch_bundle.mkdir()
        for name in ("model.json", "gallery.npz"):
            shutil.copyfile(bundle / name, torch_bundle / name)
        torch.save(find_backbone("msceleb1m").network().state_dict(), torch_bundle / "backbone.pt")
        photo = example_photo(DATA / "others" / PERSON / f"{PERSON}_0001.jpg")
        mine = [sys.executable, "-I", "-S", "-c", SCRIPT, str(unpacked)]
        theirs = [sys.executable, str(Path(__file__).parent / "torch_function.py"), str(ROOT)]
        for turn in tqdm(range(TURNS + 1), desc="function", unit="turn"):
            pair = run_alone(mine, bundle, photo, RUNS), run_alone(theirs, torch_bundle, photo, RUNS)
            if turn:  # the first one brings the files into memory
                ours.append(pair[0])
                reference.append(pair[1])
        photo = example_photo(DATA / "others" / PERSON / f"{PERSON}_0001.jpg", *LARGE)
        # One turn: the other side needs half a minute, and is so far away that more would not change the picture.
        large = [run_alone(*side, photo, LARGE_RUNS) for side in ((mine, bundle), (theirs, torch_bundle))]
    _check(ours[0], reference[0])
    figures = {
        "function: cold start to the first answer": ("cold_s", "s"),
        "function: warm answer, 640x480 photo, one face, one thread": ("warm_ms", "ms"),
        "function: peak memory": ("peak_mb", "MB"),
    }
    table = []
    for name, (figure, unit) in figures.items():
        a, b = (statistics.median(getattr(run, figure) for run in side) for side in (ours, reference))
        table.append({"name": name, "ours": a, "reference": b, "ratio": b / a, "unit": unit})
    for name, figure, unit in (("warm answer", "warm_ms", "ms"), ("peak memory", "peak_mb", "MB")):
        a, b = (getattr(side, figure) for side in large)
        name = f"function: {name}, photo of 25 megapixels"
        table.append({"name": name, "ours": a, "reference": b, "ratio": b / a, "unit": unit})
    theirs = sum(path.stat().st_size for path in installed_files(*TORCH_LIBRARIES))
    a, b = unzipped_size(build_package()) / 2**20, theirs / 2**20
    name = "function: unpacked package"
    return [*table, {"name": name, "ours": a, "reference": b, "ratio": b / a, "unit": "MB"}]


def _check(ours: FunctionSpeed, reference: FunctionSpeed) -> None:
    """Two functions with different answers cannot be compared."""
    (a,), (b,) = ours.answer["faces"], reference.answer["faces"]
    apart = max(abs(x - y) for x, y in zip(a["box"], b["box"], strict=True))
    assert a["name"] == b["name"] == PERSON and apart < 2, (a, b)
