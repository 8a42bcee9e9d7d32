"""A backbone that comes as an ONNX file: what its description says, and whether the file keeps it."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx.reference import ReferenceEvaluator

from facecourse.core.onnx_files import split_prelu, unblocked
from facecourse.embedding.backbones import BackboneError
from lambda_function.crops import NORMALISATIONS, Preprocessing
from lambda_function.pipeline import unit

REQUIRED = ("size", "normalise", "dimension")
SAME = 1e-3  # largest difference of an embedding's number when other faces are in the batch, of its largest


def read_description(path: Path) -> tuple[Preprocessing, int]:
    """Return preprocessing and dimension from the JSON file beside an ONNX file, own.onnx beside own.json.

    Its names are those of `Preprocessing`, and dimension; size, normalise and dimension must be there. A template
    makes crops straightened. Raises BackboneError if the file is missing, is no JSON, or says something else.
    """
    file = path.with_suffix(".json")
    example = '{"size": 112, "normalise": "fixed", "dimension": 512, "template": [[38.3, 51.7], ...]}'
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BackboneError(f"{path.name} needs a description beside it, {file.name}, as {example}") from None
    except ValueError as error:
        raise BackboneError(f"{file.name} is not JSON: {error}") from error
    if not isinstance(said, dict) or (missing := [name for name in REQUIRED if name not in said]):
        what = ", ".join(missing) if isinstance(said, dict) else "everything"
        raise BackboneError(f"{file.name} does not say {what}; as an example: {example}")
    dimension, how = said.pop("dimension"), said["normalise"]
    try:
        preprocessing = Preprocessing(**{"align": "template" in said, **said})
    except (TypeError, ValueError) as error:
        raise BackboneError(f"{file.name}: {error}") from error
    whole = [value for value in (dimension, preprocessing.size) if type(value) is not int or value < 1]
    if whole:
        raise BackboneError(f"{file.name}: size and dimension are whole numbers from 1 on, not {whole[0]!r}")
    if how not in NORMALISATIONS:
        raise BackboneError(
            f"{file.name}: normalise is one of {', '.join(NORMALISATIONS)}, not {how!r} (pixels are RGB)"
        )
    if len(preprocessing.template) not in (0, 5):
        raise BackboneError(f"{file.name}: template has {len(preprocessing.template)} points, not 5")
    return preprocessing, dimension


def adopt(path: Path, size: int, dimension: int) -> bytes:
    """Return an ONNX face network as the course runs it: any number of faces at a time, plain float weights.

    Raises BackboneError if `path` is no ONNX file, or does not turn (n, 3, size, size) into (n, dimension), each face
    by itself.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        unblocked(model)
    except (DecodeError, OSError, ValueError) as error:
        raise BackboneError(f"{path.name} is not an ONNX file: {error}") from error
    graph = model.graph
    if len(graph.input) != 1 or len(graph.output) != 1:
        count = f"{len(graph.input)} inputs and {len(graph.output)} outputs"
        raise BackboneError(
            f"{path.name} is not an ONNX file of one network: it has {count}, not one of each"
        )
    shape = graph.input[0].type.tensor_type.shape.dim
    sides = [axis.dim_value for axis in shape]
    if len(sides) != 4 or any(
        have not in (0, want) for have, want in zip(sides[1:], (3, size, size), strict=True)
    ):
        free = [side or "any" for side in sides]
        raise BackboneError(f"{path.name} takes an input of {free}, not of faces, (n, 3, {size}, {size})")
    for value in (graph.input[0], graph.output[0]):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "n"
    data = split_prelu(model).SerializeToString()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, size, size)).astype(np.float32)
    try:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        both, alone = (session.run(None, {graph.input[0].name: part})[0] for part in (pixels, pixels[1:]))
    except Exception as error:  # ONNX Runtime's errors have no base of their own
        raise BackboneError(f"{path.name} does not run on two faces: {str(error)[:200]}") from error
    if both.shape != (2, dimension):
        raise BackboneError(
            f"{path.name} gives {list(both.shape)} for two faces, not [2, {dimension}] as described"
        )
    if not np.isfinite(both).all() or np.abs(both[1:] - alone).max() > SAME * np.abs(alone).max():
        raise BackboneError(f"{path.name} gives a face other numbers when a second one is beside it")
    return data


def parity(original: Path, adopted: Path, size: int) -> float:
    """Return the largest difference of the adopted file to onnx's own evaluator on the original, of unit embeddings.

    That evaluator shares no code with ONNX Runtime and is slow: one random picture of size x size pixels.
    """
    model = onnx.load(original)
    read = {name for node in model.graph.node for name in node.input}
    inputs = [value for value in model.graph.input if value.name in read]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    weights = {tensor.name for tensor in model.graph.initializer}
    name = next(value.name for value in inputs if value.name not in weights)
    pixels = np.random.default_rng(1).integers(0, 256, (1, 3, size, size)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(adopted), providers=["CPUExecutionProvider"])
    rows = (ReferenceEvaluator(model).run(None, {name: pixels})[0], session.run(None, {name: pixels})[0])
    expected, found = map(unit, rows)
    return float(np.abs(found - expected).max())
