"""msceleb1m comes as a Keras file: its tensors under facenet-pytorch's names."""

import re
from pathlib import Path

import h5py
import numpy as np
import torch
from facenet_pytorch import InceptionResnetV1
from torch import nn

from facecourse.embedding.backbones import BackboneError

NORMS = (nn.BatchNorm2d, nn.BatchNorm1d)


def keras_state(path: Path) -> dict[str, torch.Tensor]:
    """Map all 490 tensors of facenet_keras.h5 onto facenet-pytorch's names.

    Convolutions turn from (height, width, in, out) to (out, in, height, width). The Keras network has no scale in its
    batch norms (gamma is 1) and keeps moving averages under other names. Raises BackboneError if a tensor of the file
    finds no place, or a place no tensor.
    """
    return state_from(_read_h5(path), path.name)


def state_from(stored: dict[str, np.ndarray], file: str) -> dict[str, torch.Tensor]:
    """Turn the tensors of `file`, under their names in Keras, into a state_dict.

    Raises BackboneError if a tensor finds no place, or a place no tensor.
    """
    state, taken = {}, set()
    for name, module in InceptionResnetV1().named_modules():
        if isinstance(module, (nn.Conv2d, *NORMS)) or name == "last_linear":
            layer = keras_name(name)
            for part, tensor_name in _parts(module).items():
                key = f"{layer}/{tensor_name}:0"
                if key not in stored:
                    raise BackboneError(f"{file} has no tensor {key}")
                taken.add(key)
                state[f"{name}.{part}"] = _turn(stored[key])
            if isinstance(module, NORMS):
                state[f"{name}.weight"] = torch.ones_like(state[f"{name}.bias"])
                state[f"{name}.num_batches_tracked"] = torch.tensor(0)
    if taken != stored.keys():
        raise BackboneError(f"{file} holds tensors without a place: {sorted(stored.keys() - taken)[:3]}")
    return state


def _read_h5(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found["/".join(name.split("/")[-2:])] = item[()]

    try:
        with h5py.File(path) as file:
            file["model_weights"].visititems(note)
    except (OSError, KeyError) as error:
        raise BackboneError(f"{path.name} is not a Keras weights file: {error}") from error
    return found


def _parts(module: nn.Module) -> dict[str, str]:
    """Name the tensors of a layer: here -> in Keras."""
    if isinstance(module, NORMS):
        return {"bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    return {"weight": "kernel"} | ({"bias": "bias"} if module.bias is not None else {})


def _turn(values: np.ndarray) -> torch.Tensor:
    values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
    return torch.from_numpy(np.array(values, np.float32, order="C"))


STEM = {
    "conv2d_1a": "Conv2d_1a_3x3",
    "conv2d_2a": "Conv2d_2a_3x3",
    "conv2d_2b": "Conv2d_2b_3x3",
    "conv2d_3b": "Conv2d_3b_1x1",
    "conv2d_4a": "Conv2d_4a_3x3",
    "conv2d_4b": "Conv2d_4b_3x3",
    "last_linear": "Bottleneck",
    "last_bn": "Bottleneck_BatchNorm",
}
BLOCKS = {"repeat_1": "Block35", "repeat_2": "Block17", "repeat_3": "Block8"}
# Names of the convolutions in each branch of each kind of block, in order.
BRANCHES = {
    "Block35": (("1x1",), ("0a_1x1", "0b_3x3"), ("0a_1x1", "0b_3x3", "0c_3x3")),
    "Block17": (("1x1",), ("0a_1x1", "0b_1x7", "0c_7x1")),
    "Block8": (("1x1",), ("0a_1x1", "0b_1x3", "0c_3x1")),
    "Mixed_6a": (("1a_3x3",), ("0a_1x1", "0b_3x3", "1a_3x3")),
    "Mixed_7a": (("0a_1x1", "1a_3x3"), ("0a_1x1", "1a_3x3"), ("0a_1x1", "0b_3x3", "1a_3x3")),
}


def keras_name(name: str) -> str:
    """Translate a layer's name: repeat_1.0.branch1.0.conv -> Block35_1_Branch_1_Conv2d_0a_1x1."""
    if name in STEM:
        return STEM[name]
    path, _, kind = name.rpartition(".")
    if path in STEM:
        return STEM[path] + ("_BatchNorm" if kind == "bn" else "")
    block, rest = _block(name)
    if rest == "conv2d":
        return f"{block}_Conv2d_1x1"
    branch, step, kind = re.fullmatch(r"branch(\d)(?:\.(\d))?\.(conv|bn)", rest).groups()
    layers = BRANCHES[block if block.startswith("Mixed") else block.split("_")[0]][int(branch)]
    return f"{block}_Branch_{branch}_Conv2d_{layers[int(step or 0)]}" + ("_BatchNorm" if kind == "bn" else "")


def _block(name: str) -> tuple[str, str]:
    """repeat_2.3.branch0.conv -> (Block17_4, branch0.conv); block8 is the sixth Block8."""
    first, _, rest = name.partition(".")
    if first == "block8":
        return "Block8_6", rest
    if first in BLOCKS:
        number, _, rest = rest.partition(".")
        return f"{BLOCKS[first]}_{int(number) + 1}", rest
    return first.capitalize(), rest
