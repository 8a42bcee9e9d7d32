"""A backbone from torch to ONNX: folded, exported, and compared with the original."""

import copy
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from facecourse.embedding.backbones import BackboneError

PARITY = 1e-4  # largest difference allowed between torch and ONNX Runtime, per number of a unit embedding


def fold(network: nn.Module) -> nn.Module:
    """Return a copy of an Inception-ResNet V1 that computes the same with fewer steps.

    Batch norms become part of the convolution before them, and each block's residual scale part of its last
    convolution. The copy is equal up to rounding, and can no longer be trained.
    """
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        if isinstance(getattr(module, "bn", None), nn.BatchNorm2d):
            module.conv, module.bn = fuse_conv_bn_eval(module.conv, module.bn), nn.Identity()
        scale = getattr(module, "scale", None)
        if scale is not None:
            with torch.no_grad():
                module.conv2d.weight.mul_(scale)
                module.conv2d.bias.mul_(scale)
            module.scale = 1
    network.last_linear = fuse_linear_bn_eval(network.last_linear, network.last_bn)
    network.last_bn = nn.Identity()
    return network


def export_onnx(network: nn.Module, path: Path) -> float:
    """Write a backbone as ONNX, for any number of faces at a time, compare it with torch, and return their `parity`.

    `path` appears only when that is at most PARITY; else BackboneError is raised.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    sample = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        fold(network),
        (sample,),
        input_names=["faces"],
        output_names=["embeddings"],
        dynamic_shapes=({0: torch.export.Dim("n", min=1, max=4096)},),
        opset_version=18,
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    model.graph.doc_string = model.doc_string = ""
    onnx.save(model, str(partial))
    difference = parity(network, partial)
    if difference > PARITY:
        partial.unlink()
        raise BackboneError(f"the ONNX file differs from torch by {difference:.1e}, more than {PARITY:.0e}")
    partial.replace(path)
    return difference


def parity(network: nn.Module, path: Path) -> float:
    """Return the largest absolute difference between a network and its ONNX file on eight random pictures."""
    pixels = torch.randn(8, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(pixels).numpy()
    (found,) = session.run(None, {session.get_inputs()[0].name: pixels.numpy()})
    return float(np.abs(found - expected).max())
