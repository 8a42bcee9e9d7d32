"""What is deployed, in one folder: networks, gallery, threshold, preprocessing, and a version that names them."""

import functools
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

from facecourse.core.paths import outputs_for
from facecourse.core.report import record
from facecourse.detection.detector import NETWORKS, mtcnn_folder
from facecourse.embedding import embeddings
from facecourse.embedding.backbones import EIGHT_BITS, default_backbone, find_weights, load_backbone
from facecourse.heads.saved_head import load_head
from facecourse.metrics.open_set import load_decision
from lambda_function.pipeline import BUNDLE_FILES, BundleError, check_bundle, sha256_of

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: the same content gives the same bytes


def build_bundle(profile: str, backbone_file: Path | None = None, variant: str = "fp32") -> Path:
    """Put everything that the function needs into outputs/<profile>/model/ and model.zip.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".
    backbone_file : Path, optional
        Another ONNX file of the same backbone, for example a quantised one; by default the fp32 export.
    variant : str
        How that file stores its numbers, noted in model.json.

    Returns
    -------
    Path
        The folder, with model.json and the files it lists. The same inputs give the same bytes, in the folder
        and in model.zip beside it. The report's `export` gets onnx_mb, the backbone's size as it is deployed,
        in megabytes (10**6 bytes); and parity_max_abs_diff, of the fp32 export.

    Raises
    ------
    facecourse.core.paths.MissingInput
        If notebook 03 or 04 has not been run with this profile.
    """
    labels, vectors, about = load_head(profile)
    decision = load_decision(profile)
    backbone = (about.get("backbone") or default_backbone(profile)).removesuffix(EIGHT_BITS)
    exported = embeddings.onnx_backbone(backbone)
    folder = outputs_for(profile) / "model"
    partial = folder.with_name(f".model.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        for name in NETWORKS:
            shutil.copyfile(mtcnn_folder() / f"{name}.onnx", partial / f"{name}.onnx")
        shutil.copyfile(backbone_file or exported, partial / "backbone.onnx")
        np.savez(partial / "gallery.npz", labels=np.array(labels), vectors=vectors.astype(np.float32))
        _write_description(partial, profile, backbone, decision, about["views"], variant)
        check_bundle(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    zip_bundle(folder)
    size = (folder / "backbone.onnx").stat().st_size
    difference = _export_parity(backbone, exported)
    record(profile, export={"onnx_mb": round(size / 1e6, 2), "parity_max_abs_diff": difference})
    return folder


@functools.cache
def _export_parity(backbone: str, exported: Path) -> float:
    from facecourse.embedding.export import parity

    return parity(load_backbone(backbone)[0], exported)


def _write_description(
    folder: Path, profile: str, backbone: str, decision: dict, views: int, variant: str
) -> None:
    """Write model.json; its version is a hash of all that changes an answer."""
    weights = find_weights(backbone)
    content = {
        "profile": profile,
        "backbone": weights.name,
        "variant": variant,
        "threshold": float(decision["threshold"]),
        "crowd": float(decision["crowd"]),
        "calibration": [float(value) for value in decision["calibration"]],
        "views": views,
        "preprocessing": asdict(weights.preprocessing),
        "files": {name: sha256_of(folder / name) for name in BUNDLE_FILES},
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    version = f"{profile}-{weights.name}-{variant}-{digest}"
    (folder / "model.json").write_text(json.dumps({"version": version, **content}, indent=2) + "\n")


def zip_bundle(folder: Path) -> Path:
    """Pack a bundle into <folder>.zip, which appears only when it is whole.

    Weights are noise to a compressor: they shrink by 8 %, and undoing it takes a second of every cold start,
    so the files are stored as they are.
    """
    archive = folder.with_suffix(".zip")
    partial = archive.with_name(f".{archive.name}.{os.getpid()}.part")
    write_zip(partial, ((name, folder / name) for name in ("model.json", *BUNDLE_FILES)), zipfile.ZIP_STORED)
    partial.replace(archive)
    return archive


def write_zip(target: Path | io.BytesIO, files: Iterable[tuple[str, Path]], method: int) -> None:
    """Write a zip whose bytes depend on names and contents only, not on dates, owners or the system."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type, entry.external_attr, entry.create_system = method, 0o644 << 16, 3
            with open(path, "rb") as source, archive.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed, 1 << 20)


# ---- is it what torch computes? ------------------------------------------------------------------------


def bundle_parity(folder: Path) -> pd.DataFrame:
    """Run every fp32 network of a bundle beside the torch network it came from, on the same random pixels.

    Parameters
    ----------
    folder : Path
        The bundle, unpacked.

    Returns
    -------
    DataFrame
        By network: MB, and the largest absolute difference over all its outputs (boxes in fractions of the
        window, landmarks likewise, probabilities; numbers of a unit embedding).

    Raises
    ------
    BundleError
        If the bundle is damaged.
    """
    from facecourse.embedding.export import parity

    meta = check_bundle(folder)
    network = load_backbone(meta["backbone"])[0]
    differences = {name: _mtcnn_parity(name, folder / f"{name}.onnx") for name in NETWORKS}
    differences["backbone"] = parity(network, folder / "backbone.onnx")
    sizes = {name: (folder / f"{name}.onnx").stat().st_size / 1e6 for name in differences}
    return pd.DataFrame({"MB": sizes, "largest difference to torch": differences}).rename_axis("network")


def _mtcnn_parity(name: str, path: Path) -> float:
    """Compare with facenet-pytorch's own network, which takes (x - 127.5) / 128 and gives two probabilities."""
    import torch
    from facenet_pytorch.models import mtcnn

    network = {"pnet": mtcnn.PNet, "rnet": mtcnn.RNet, "onet": mtcnn.ONet}[name]().eval()
    side = {"pnet": 60, "rnet": 24, "onet": 48}[name]
    pixels = torch.rand(16, 3, side, side, generator=torch.Generator().manual_seed(2)) * 255
    with torch.inference_mode():
        *moves, faces = network((pixels - 127.5) / 128)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: pixels.numpy()})
    pairs = zip(found, [*moves, faces[:, 1:]], strict=True)
    return max(float(np.abs(ours - theirs.numpy()).max()) for ours, theirs in pairs)


__all__ = ["BundleError", "build_bundle", "bundle_parity", "write_zip", "zip_bundle"]
