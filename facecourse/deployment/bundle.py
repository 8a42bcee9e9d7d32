"""What is deployed, in one folder: networks, gallery, preprocessing, and a version that names all of it."""

import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

from facecourse.core.paths import outputs_for
from facecourse.core.report import record
from facecourse.deployment.package import write_zip
from facecourse.detection.detector import NETWORKS, mtcnn_folder
from facecourse.embedding.backbones import EIGHT_BITS, Backbone
from facecourse.embedding.galleries import load_gallery
from lambda_function.pipeline import BUNDLE_FILES, bundle_version, check_bundle, sha256_of


def build_bundle(profile: str, backbone: Backbone) -> Path:
    """Put everything that the function needs into outputs/<profile>/model/, which is returned, and model.zip.

    The zip, which is deployed, is the same bundle without people: those are a file of their own in S3, in which they
    can be deleted. `backbone` is that of the gallery, in any precision. The same inputs give the same bytes, and a
    kill leaves the old folder, the new one or none, never a mixture. The report's `export` gets onnx_mb, the deployed
    backbone's size in 10**6 bytes. Raises MissingInput if notebook 03 or 04 has not been run with this profile,
    ValueError if the gallery was made with another backbone.
    """
    gallery = load_gallery(profile, decided=True)
    made_with = gallery.about.get("backbone")
    if made_with not in {replace(backbone, precision=bits).label for bits in ("fp32", "int8")}:
        raise ValueError(f"the gallery holds embeddings of {made_with}, not of {backbone.label}")
    precision = "int8" if made_with.endswith(EIGHT_BITS) else "fp32"
    # A label may be a path of this machine.
    gallery.about["backbone"] = replace(backbone, precision=precision).called
    folder = outputs_for(profile) / "model"
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".model.") as work:
        made = Path(work) / "model"
        made.mkdir()
        for name in NETWORKS:
            shutil.copyfile(mtcnn_folder() / f"{name}.onnx", made / f"{name}.onnx")
        _fuse(backbone.onnx(), made / "backbone.onnx")
        gallery.save(made / "gallery.npz")
        meta = {
            "profile": profile,
            "backbone": backbone.name,
            "variant": backbone.precision,
            "views": backbone.views,
            "preprocessing": asdict(backbone.preprocessing),
        }
        _describe(made, meta)
        check_bundle(made)
        bare = Path(work) / "bare"
        shutil.copytree(made, bare, copy_function=os.link)
        (bare / "gallery.npz").unlink()
        nobody = gallery.emptied()
        nobody.about.pop("people", None)
        nobody.save(bare / "gallery.npz")
        (bare / "model.json").unlink()
        _describe(bare, meta)
        # Weights are noise to a compressor: they shrink by 8 %, and undoing it takes a second of every cold start.
        files = ((name, bare / name) for name in ("model.json", *BUNDLE_FILES))
        write_zip(Path(work) / "model.zip", files, zipfile.ZIP_STORED)
        if folder.exists():
            folder.replace(Path(work) / "before")
        made.replace(folder)
        (Path(work) / "model.zip").replace(folder.with_suffix(".zip"))
    record(profile, export={"onnx_mb": round((folder / "backbone.onnx").stat().st_size / 1e6, 2)})
    return folder


def _fuse(source: Path, target: Path) -> None:
    """Write a network with its layers fused as ONNX Runtime does it on every CPU: half of what each cold start repeats."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _describe(folder: Path, meta: dict) -> None:
    """Write model.json with the files' hashes and the version that follows from all of it."""
    meta = {**meta, "files": {name: sha256_of(folder / name) for name in BUNDLE_FILES}}
    (folder / "model.json").write_text(json.dumps({"version": bundle_version(meta), **meta}, indent=2) + "\n")


def model_version(archive: Path) -> str:
    """Return the version of a bundle's zip, as the deployed function says it in /health."""
    with zipfile.ZipFile(archive) as opened:
        return json.loads(opened.read("model.json"))["version"]


def export_parity(backbone: Backbone) -> pd.DataFrame:
    """Run every network in 32 bits beside the one it was made from, on the same random pixels.

    That is torch's, or for a backbone that came as an ONNX file this file in onnx's own evaluator. Returned are, by
    network, MB and the largest absolute difference over all its outputs (boxes and landmarks in fractions of the
    window, probabilities; numbers of a unit embedding).
    """
    exported = {name: mtcnn_folder() / f"{name}.onnx" for name in NETWORKS}
    differences = {name: _mtcnn_parity(name, path) for name, path in exported.items()}
    exported["backbone"] = replace(backbone, precision="fp32").onnx()
    if backbone.trainable:
        from facecourse.embedding.export import parity

        differences["backbone"] = parity(backbone.network(), exported["backbone"])
    else:
        from facecourse.embedding.onnx_networks import parity

        differences["backbone"] = parity(backbone.path, exported["backbone"], backbone.preprocessing.size)
    sizes = {name: path.stat().st_size / 1e6 for name, path in exported.items()}
    return pd.DataFrame({"MB": sizes, "largest difference": differences}).rename_axis("network")


def _mtcnn_parity(name: str, path: Path) -> float:
    """Compare with facenet-pytorch's own network, which takes (x - 127.5) / 128 and gives two probabilities."""
    import torch
    from facenet_pytorch.models import mtcnn

    network = {"pnet": mtcnn.PNet, "rnet": mtcnn.RNet, "onet": mtcnn.ONet}[name]().eval()
    side = {"pnet": 60, "rnet": 24, "onet": 48}[name]
    pixels = torch.rand(16, 3, side, side, generator=torch.Generator().manual_seed(2)) * 255
    with torch.inference_mode():
        *offsets, faces = network((pixels - 127.5) / 128)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: pixels.numpy()})
    pairs = zip(found, [*offsets, faces[:, 1:]], strict=True)
    return max(float(np.abs(ours - theirs.numpy()).max()) for ours, theirs in pairs)
