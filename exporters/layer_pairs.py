"""The layers of a network in the order in which they run, each with its node in the graph that was
exported from it."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper
from torch import Tensor, nn

from exporters.calibration import open_on_cpu
from exporters.int8_plan import COMPUTE
from exporters.onnx_graph import Graph, read_graph
from exporters.rewrites.prelude import Float
from inference.engine import Pixels
from inference.manifest import Precision
from measuring.errors import CheckError

Tensors = Mapping[str, NDArray[np.float32]]
Run = Callable[[Pixels], Tensors]

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Call:
    """A layer as it ran, with the BatchNorm that alone may follow it: exporters fold the two.
    `read`: the shape of its input."""

    name: str
    layer: nn.Conv2d | nn.Linear
    read: tuple[int, ...]
    answer: Tensor
    norm: nn.Module | None = None

    def compute(self, x: Tensor) -> Tensor:
        """The answer to another input."""
        answer: Tensor = self.layer(x) if self.norm is None else self.norm(self.layer(x))
        return answer


@dataclass(frozen=True)
class Pass:
    """The layers of a network in the order in which they ran, and its logits."""

    calls: tuple[Call, ...]
    logits: Tensor


@dataclass(frozen=True)
class Pair:
    """A layer's name in the network, its node's in the graph, and the tensors at its ends."""

    name: str
    node: str
    reads: str
    answers: str

    def __str__(self) -> str:
        return f"{self.name} (node {self.node})"


def pairs(model: ModelProto, done: Pass) -> tuple[Pair, ...]:
    """Raises CheckError where graph and network have not the same number of layers."""
    graph = read_graph(model)
    nodes = [node for node in graph.nodes if node.op_type in COMPUTE]
    if len(nodes) != len(done.calls):
        raise CheckError(
            f"the graph has {len(nodes)} layers ({', '.join(sorted(COMPUTE))}), expected the "
            f"{len(done.calls)} (Conv2d, Linear) that the network runs"
        )
    return tuple(
        Pair(call.name, node.name, node.input[0], _answer(graph, node, call))
        for node, call in zip(nodes, done.calls, strict=True)
    )


def in_dtype(chain: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of a chain from pixels to logits that computes in `dtype` with the same weights."""
    copied = copy.deepcopy(chain).to(dtype).eval()
    for module in copied.modules():
        if isinstance(module, Float):
            module.dtype = dtype
    return copied


def run_network(chain: nn.Module, pixels: Pixels) -> Pass:
    """`chain`: uint8 (N, H, W, 3) to logits."""
    calls: list[Call] = []
    last: Tensor | None = None
    # The network stands behind its prelude in the chain: "4.".
    names = {module: re.sub(r"^\d+\.", "", name) for name, module in chain.named_modules()}

    def record(module: nn.Module, arguments: tuple[Any, ...], answer: Tensor) -> None:
        nonlocal last
        # Cloned: an activation may write into its input.
        if isinstance(module, nn.Conv2d | nn.Linear):
            calls.append(Call(names[module], module, tuple(arguments[0].shape), answer.clone()))
            last = answer
        elif isinstance(module, _NORMS) and arguments[0] is last:
            calls[-1] = replace(calls[-1], answer=answer.clone(), norm=module)

    hooks = [module.register_forward_hook(record) for module in names]
    try:
        with torch.inference_mode():
            logits = chain(torch.tensor(pixels))
    finally:
        for hook in hooks:
            hook.remove()
    return Pass(tuple(calls), logits)


def open_exposed(
    model: ModelProto, layers: tuple[Pair, ...], runtime: str, precision: Precision
) -> Run:
    """The graph on the CPU, giving the logits and the tensors at both ends of every layer."""
    exposed = ModelProto()
    exposed.CopyFrom(model)
    there = {port.name for port in model.graph.output}
    ends = dict.fromkeys(tensor for layer in layers for tensor in (layer.reads, layer.answers))
    exposed.graph.output.extend(
        helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None)
        for tensor in ends
        if tensor not in there
    )
    return _OPEN[runtime](exposed, precision)


def _answer(graph: Graph, node: NodeProto, call: Call) -> str:
    """The tensor behind what of the layer became nodes of their own: its bias, its BatchNorm."""
    tensor = str(node.output[0])
    apart = ["Add"] if node.op_type == "MatMul" and call.layer.bias is not None else []
    if call.norm is not None:
        apart.append("BatchNormalization")
    for operator in apart:
        readers = [reader for reader in graph.readers(tensor) if reader.op_type == operator]
        tensor = str(readers[0].output[0]) if len(readers) == 1 else tensor
    return tensor


def _with_onnxruntime(model: ModelProto, _: Precision) -> Run:
    session = open_on_cpu(model)
    names = [output.name for output in session.get_outputs()]
    return lambda pixels: dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))


def _with_openvino(model: ModelProto, precision: Precision) -> Run:
    from inference.openvino_engine import open_outputs

    return open_outputs(model.SerializeToString(), precision, threads=torch.get_num_threads())


_OPEN: dict[str, Callable[[ModelProto, Precision], Run]] = {
    "onnxruntime": _with_onnxruntime,
    "openvino": _with_openvino,
}
