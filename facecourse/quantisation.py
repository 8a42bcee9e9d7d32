"""Smaller numbers for a backbone: 8-bit integers (faster, a quarter of the size) or 16-bit weights (half).

Both lose a little. `lfw_loss` says how much, on the photos that count; neither is worth having without it.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from facecourse.recognition import load_crops
from facecourse.verification import Pairs, similarities, ten_folds
from lambda_function.crops import Preprocessing, normalise
from lambda_function.pipeline import Embedder

BATCH = 16


class _Crops(CalibrationDataReader):
    """Hands out normalised crops in batches, as the quantiser asks for them."""

    def __init__(self, name: str, crops: np.ndarray, preprocessing: Preprocessing):
        self._batches = iter(
            {name: normalise(crops[i : i + BATCH], preprocessing.normalise)}
            for i in range(0, len(crops), BATCH)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, or None when there is none."""
        return next(self._batches, None)


def quantise(onnx_path: Path, calibration_crops: np.ndarray, preprocessing: Preprocessing) -> Path:
    """Write a backbone with 8-bit weights (per output channel) and activations (per tensor) beside it.

    Post-training static quantisation (Jacob et al., 2018, arXiv:1712.05877): each tensor's range is measured on
    the crops. Weights keep 7 of 8 bits: x86 processors without VNNI add pairs of products in 16 bits, which
    full weights would overflow.

    Parameters
    ----------
    onnx_path : Path
        As `backbone_export.export_onnx` writes it.
    calibration_crops : ndarray of shape (n, size, size, 3), uint8
        A hundred faces like those to come; none that a figure is reported on.
    preprocessing : Preprocessing

    Returns
    -------
    Path
        <name>-int8.onnx, with the same input and output.

    Raises
    ------
    ValueError
        Without crops: the ranges cannot be guessed.
    """
    if not len(calibration_crops):
        raise ValueError("quantisation needs a few face crops to measure the ranges of the activations")
    target = onnx_path.with_name(f"{onnx_path.stem}-int8.onnx")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(onnx_path, prepared, skip_symbolic_shape=True)
        name = onnx.load(prepared, load_external_data=False).graph.input[0].name
        quantize_static(
            prepared,
            made,
            _Crops(name, calibration_crops, preprocessing),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
        made.replace(target)
    return target


def halve_weights(onnx_path: Path) -> Path:
    """Write a backbone whose weights are stored as 16-bit numbers, and computed with as 32-bit ones.

    Parameters
    ----------
    onnx_path : Path
        The fp32 backbone.

    Returns
    -------
    Path
        <name>-fp16.onnx: half the size on disk, the same speed once it is loaded.
    """
    model = onnx.load(onnx_path)
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < 1024:
            continue
        name = tensor.name
        half = np.clip(values, -65504, 65504).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    target = onnx_path.with_name(f"{onnx_path.stem}-fp16.onnx")
    partial = target.with_suffix(".part")
    onnx.save(model, str(partial))
    partial.replace(target)
    return target


def agreement(
    first: Path, second: Path, crops: np.ndarray, preprocessing: Preprocessing, threads: int = 1
) -> np.ndarray:
    """Return the cosine similarity between the embeddings of two files, per crop: (n,) float32.

    Parameters
    ----------
    first, second : Path
        ONNX files of two variants of one backbone.
    crops : ndarray of shape (n, size, size, 3), uint8
    preprocessing : Preprocessing
    threads : int
    """
    rows = [Embedder(path, preprocessing, threads).embed(crops) for path in (first, second)]
    return np.einsum("nd,nd->n", *rows)


def lfw_loss(
    first: Path,
    second: Path,
    manifest: pd.DataFrame,
    pairs: Pairs,
    preprocessing: Preprocessing,
    threads: int = 1,
) -> tuple[float, float]:
    """Return the ten-fold accuracy of two files of one backbone on pairs of photos, 0 to 1 each.

    Parameters
    ----------
    first, second : Path
    manifest : DataFrame
    pairs : Pairs
        LFW's, or whole folds of them; pairs with a photo without a face count as wrong for both.
    preprocessing : Preprocessing
    threads : int
    """
    rows = np.unique(np.concatenate([pairs.left, pairs.right]))
    rows = rows[(manifest["faces"].to_numpy()[rows] > 0)]
    accuracies = []
    for path in (first, second):
        tool = Embedder(path, preprocessing, threads)
        embeddings = np.full((len(manifest), tool.dimension), np.nan, np.float32)
        for start in range(0, len(rows), 128):  # all crops at once would be a gigabyte
            part = rows[start : start + 128]
            embeddings[part] = tool.embed(load_crops(manifest.iloc[part], preprocessing))
        accuracies.append(ten_folds(similarities(embeddings, pairs), pairs).mean)
    return accuracies[0], accuracies[1]
