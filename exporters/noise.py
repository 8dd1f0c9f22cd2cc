"""How far each tensor of a graph in lower precision is from the same tensor in float32: both graphs
run as one, and only sums leave it."""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from exporters.calibration import batch_that_fits, open_on_cpu
from exporters.onnx_graph import read_graph
from inference.engine import Pixels

_EXACT = "exact/"
_ERROR, _POWER, _MEAN = "#error", "#power", "#mean"


def noise(model: ModelProto, low: ModelProto, pictures: Pixels) -> dict[str, float]:
    """Each float tensor of `model` that `low` has, too -> the mean square of the difference over
    the variance of the exact values; in order of computation."""
    graph = read_graph(model)
    names = {output for node in low.graph.node for output in node.output}
    pairs = {
        tensor: (f"{tensor}_dequantised" if f"{tensor}_dequantised" in names else tensor)
        for tensor in graph.floats()
        if tensor in names
    }
    session = open_on_cpu(_side_by_side(model, low, pairs))
    outputs = [output.name for output in session.get_outputs()]
    step = batch_that_fits(graph)
    parts = [
        dict(zip(outputs, session.run(outputs, {"pixels": pictures[i : i + step]}), strict=True))
        for i in range(0, len(pictures), step)
    ]
    return {tensor: _ratio(tensor, parts) for tensor in pairs}


def _ratio(tensor: str, parts: Iterable[Mapping[str, NDArray[np.float32]]]) -> float:
    """A tensor that never moves has no variance: then any difference counts in full."""
    error, power, mean = (
        float(np.mean([part[tensor + suffix] for part in parts], dtype=np.float64))
        for suffix in (_ERROR, _POWER, _MEAN)
    )
    variance = max(power - mean * mean, 1e-12 * max(power, 1e-12))
    return error / variance


def _side_by_side(model: ModelProto, low: ModelProto, pairs: Mapping[str, str]) -> ModelProto:
    """`low`, and `model` under other names, with the sums over each pair as outputs."""
    both = ModelProto()
    both.CopyFrom(low)
    del both.graph.output[:], both.graph.value_info[:]
    inputs = {info.name for info in model.graph.input}
    for tensor in model.graph.initializer:
        copied = both.graph.initializer.add()
        copied.CopyFrom(tensor)
        copied.name = _EXACT + tensor.name
    for node in model.graph.node:
        both.graph.node.append(_renamed(node, inputs))
    for exact, other in pairs.items():
        both.graph.node.extend(_sums(exact, other))
        both.graph.output.extend(
            helper.make_tensor_value_info(exact + suffix, TensorProto.FLOAT, [])
            for suffix in (_ERROR, _POWER, _MEAN)
        )
    return both


def _renamed(node: NodeProto, inputs: set[str]) -> NodeProto:
    copied = NodeProto()
    copied.CopyFrom(node)
    copied.name = _EXACT + node.name
    copied.input[:] = [n if n in inputs or not n else _EXACT + n for n in node.input]
    copied.output[:] = [name and _EXACT + name for name in node.output]
    return copied


def _sums(exact: str, other: str) -> list[NodeProto]:
    wide, difference = f"{exact}#wide", f"{exact}#difference"
    square, power = f"{exact}#square", f"{exact}#exact-square"
    here = _EXACT + exact
    return [
        helper.make_node("Cast", [other], [wide], to=onnx.TensorProto.FLOAT),
        helper.make_node("Sub", [here, wide], [difference]),
        helper.make_node("Mul", [difference, difference], [square]),
        helper.make_node("ReduceMean", [square], [exact + _ERROR], keepdims=0),
        helper.make_node("Mul", [here, here], [power]),
        helper.make_node("ReduceMean", [power], [exact + _POWER], keepdims=0),
        helper.make_node("ReduceMean", [here], [exact + _MEAN], keepdims=0),
    ]
