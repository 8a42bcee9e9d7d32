"""casia-webface comes as a frozen TensorFlow graph, built with TF-Slim: its tensors under facenet-pytorch's names."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from facecourse.embedding.backbones import BackboneError
from facecourse.embedding.keras import state_from

PARTS = {  # of a tensor's name: there -> in Keras
    "weights": "/kernel:0",
    "biases": "/bias:0",
    "Conv2D_bn_offset": "_BatchNorm/beta:0",
    "beta": "_BatchNorm/beta:0",
    "moving_mean": "_BatchNorm/moving_mean:0",
    "moving_variance": "_BatchNorm/moving_variance:0",
}
EPSILON = 0.001  # that a batch norm adds to the variance


def slim_state(path: Path) -> dict[str, torch.Tensor]:
    """Map all tensors of the graph onto facenet-pytorch's names.

    Its batch norms are multiplied into the convolutions, and of each an offset is left: it becomes a batch norm of
    mean 0 and deviation 1. Raises BackboneError if the file is no such graph, or a tensor finds no place.
    """
    try:
        constants = dict(_constants(memoryview(path.read_bytes())))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise BackboneError(f"{path.name} is not a frozen TensorFlow graph") from error
    stored = {}
    for name, values in constants.items():
        layer, _, part = name.rpartition("/")
        if part not in PARTS:
            continue
        layer = re.sub(r"InceptionResnetV1/|Repeat(_\d)?/|/BatchNorm", "", layer).replace("block", "Block")
        key = layer.replace("Block8/", "Block8_6/").replace("/", "_") + PARTS[part]
        stored[key] = values
        if part == "Conv2D_bn_offset":
            stored[key.replace("beta", "moving_mean")] = np.zeros_like(values)
            stored[key.replace("beta", "moving_variance")] = np.full_like(values, 1 - EPSILON)
    return state_from(stored, path.name)


def _constants(graph: memoryview) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values of each float32 tensor in a GraphDef."""
    # Numbers of TensorFlow's .proto files. Graph: 1 node. Node: 1 name, 5 attribute (1 key, 2 value). Value: 8 tensor.
    # Tensor: 1 type, of which 1 is float32; 2 shape, whose sides have 1 size; 4 content.
    for node in (node for number, node in _fields(graph) if number == 1):
        said = list(_fields(node))
        for attribute in (dict(_fields(entry)) for number, entry in said if number == 5):
            value = dict(_fields(attribute[2]))
            tensor = dict(_fields(value[8])) if bytes(attribute[1]) == b"value" and 8 in value else {}
            if tensor.get(1) == 1 and 4 in tensor:
                sides = [dict(_fields(side)).get(1, 0) for _, side in _fields(tensor[2])]
                yield bytes(said[0][1]).decode(), np.frombuffer(tensor[4], "<f4").reshape(sides)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a protobuf message."""
    place = 0

    def whole() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place, value, shift = place + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while place < len(message):
        number, kind = divmod(whole(), 8)
        if kind == 0:
            value = whole()
        else:
            length = {1: 8, 5: 4}[kind] if kind != 2 else whole()
            value, place = message[place : place + length], place + length
        yield number, value
