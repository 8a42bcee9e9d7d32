"""The deployed function against the same handler written with torch and facenet-pytorch, both on one thread."""

import importlib.metadata
import shutil
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from tqdm import tqdm

from facecourse.core import paths
from facecourse.core.paths import outputs_for, require
from facecourse.deployment.package import build_package, unzipped_size
from facecourse.deployment.speed import SCRIPT, FunctionSpeed, example_photo, run_alone
from facecourse.embedding.backbones import load_backbone
from lambda_function.pipeline import check_bundle

PHOTO = paths.PEOPLE_DIR / "Ada_Ferro" / "Ada_Ferro_0001.jpg"
TURNS, RUNS = 5, 15
TORCH_LIBRARIES = ("torch", "torchvision", "facenet-pytorch", "numpy", "pillow", "python-multipart")
TORCH_NEEDS = (
    "filelock",
    "fsspec",
    "jinja2",
    "markupsafe",
    "mpmath",
    "networkx",
    "sympy",
    "typing_extensions",
)


def rows() -> list[dict]:
    """Return the rows {name, ours, reference, ratio, unit}; both sides take turns, medians."""
    bundle = require(outputs_for("sample") / "model", "05_deploy_lambda")
    ours, reference = [], []
    with tempfile.TemporaryDirectory() as work:
        unpacked, torch_bundle = Path(work) / "package", Path(work) / "bundle"
        with zipfile.ZipFile(build_package()) as package:
            package.extractall(unpacked)
        _torch_bundle(bundle, torch_bundle)
        photo = example_photo(PHOTO)
        mine = [sys.executable, "-I", "-S", "-c", SCRIPT, str(unpacked)]
        theirs = [sys.executable, str(Path(__file__).parent / "torch_function.py"), str(paths.ROOT)]
        for turn in tqdm(range(TURNS + 1), desc="function", unit="turn"):
            pair = run_alone(mine, bundle, photo, RUNS), run_alone(theirs, torch_bundle, photo, RUNS)
            if turn:  # the first one brings the files into memory
                ours.append(pair[0])
                reference.append(pair[1])
    _check(ours[0], reference[0])
    sizes = unzipped_size(build_package()) / 2**20, _torch_size() / 2**20
    return [
        _row("function: cold start to the first answer", ours, reference, "cold_s", "s"),
        _row("function: warm answer, 640x480 photo, one face, one thread", ours, reference, "warm_ms", "ms"),
        _row("function: peak memory", ours, reference, "peak_mb", "MB"),
        {
            "name": "function: unpacked package",
            "ours": sizes[0],
            "reference": sizes[1],
            "ratio": sizes[1] / sizes[0],
            "unit": "MB",
        },
    ]


def _row(
    name: str, ours: list[FunctionSpeed], reference: list[FunctionSpeed], figure: str, unit: str
) -> dict:
    a, b = (statistics.median(getattr(speed, figure) for speed in side) for side in (ours, reference))
    return {"name": name, "ours": a, "reference": b, "ratio": b / a, "unit": unit}


def _torch_bundle(bundle: Path, target: Path) -> None:
    meta = check_bundle(bundle)
    target.mkdir()
    for name in ("model.json", "gallery.npz"):
        shutil.copyfile(bundle / name, target / name)
    torch.save(load_backbone(meta["backbone"])[0].state_dict(), target / "backbone.pt")


def _check(ours: FunctionSpeed, reference: FunctionSpeed) -> None:
    """Two functions with different answers cannot be compared."""
    (a,), (b,) = ours.answer["faces"], reference.answer["faces"]
    apart = max(abs(x - y) for x, y in zip(a["box"], b["box"], strict=True))
    assert a["name"] == b["name"] == "Ada_Ferro" and apart < 2, (a, b)


def _torch_size() -> int:
    """Return the bytes of the other side's libraries; CUDA's, which a CPU build leaves out, do not count."""
    total = 0
    for name in (*TORCH_LIBRARIES, *TORCH_NEEDS):
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in distribution.files or ():
            path = Path(distribution.locate_file(file))
            if "cuda" not in path.name and "nccl" not in path.name and path.is_file():
                total += path.stat().st_size
    return total
