"""A float32 ONNX graph to one with fp16 weights and feature maps; pixels stay uint8 and logits
float32. Every operator reads and answers one type, as strongly typed networks demand.

In float32 remain the prelude, whose values are pixels minus a mean, and means over long axes,
whose sums would be rounded as they grow.
"""

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from exporters.calibration import Ranges
from exporters.onnx_graph import Graph, drop_unused_constants, layer_name, read_graph
from measuring.errors import CheckError, InputError

LARGEST = float(np.finfo(np.float16).max)
LONGEST_MEAN = 64  # values that a mean may add up in fp16

_MEANS = frozenset({"AveragePool", "GlobalAveragePool", "ReduceMean"})
# Inputs that are float32 whatever the others are.
_FLOAT32_INPUTS = {"Resize": (2,)}


def to_half(model: ModelProto, ranges: Ranges | None = None) -> ModelProto:
    """The float32 `model` in fp16; the one given is not touched.

    Raises InputError for a weight that fp16 cannot hold, or a feature map of `ranges` that would
    overflow; CheckError if the result is not valid ONNX.
    """
    graph = read_graph(model)
    _require_in_range(graph, ranges or {})
    wide = _wide_nodes(graph)
    writer = _Writer(graph, wide)
    half = ModelProto()
    half.CopyFrom(model)
    del half.graph.node[:], half.graph.value_info[:]
    half.graph.node.extend(writer.nodes())
    half.graph.initializer.extend(writer.constants.values())
    drop_unused_constants(half)
    try:
        onnx.checker.check_model(half, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CheckError(f"the fp16 graph is not valid ONNX: {error}") from error
    return half


def _require_in_range(graph: Graph, ranges: Ranges) -> None:
    for node in graph.nodes:
        for name in node.input:
            value = graph.constants.get(name)
            if value is None or value.dtype != np.float32 or not value.size:
                continue
            largest = float(np.abs(value).max())
            if not largest <= LARGEST:
                raise _out_of_range(f"the constant {name} of layer {layer_name(node)}", largest)
    for tensor, observed in ranges.items():
        largest = max(-observed.low, observed.high)
        if largest > LARGEST and tensor in graph.producers:
            layer = layer_name(graph.producers[tensor])
            raise _out_of_range(f"the feature map {tensor} of layer {layer}", largest)


def _out_of_range(what: str, largest: float) -> InputError:
    return InputError(
        f"{what} reaches {largest:.4g}, expected at most {LARGEST:.0f}, the largest number of "
        "fp16; export in bf16 or fp32 instead"
    )


def _wide_nodes(graph: Graph) -> frozenset[str]:
    """First outputs of the nodes that stay in float32: what lies before the first layer with
    weights, and long means."""
    reached: set[str] = set()  # tensors behind a layer with weights
    wide: set[str] = set()
    for node in graph.nodes:
        layer = any(graph.constants[n].ndim > 1 for n in node.input if _is_weight(graph, n))
        if node.op_type in {"Conv", "Gemm", "MatMul"} and layer:
            reached.update(node.output)
        elif reached.intersection(node.input):
            reached.update(node.output)
            if node.op_type in _MEANS and _summed(graph, node) > LONGEST_MEAN:
                wide.add(node.output[0])
        else:
            wide.add(node.output[0])
    return frozenset(wide)


def _is_weight(graph: Graph, name: str) -> bool:
    return name in graph.constants and graph.constants[name].dtype == np.float32


def _summed(graph: Graph, node: NodeProto) -> int:
    """How many values one mean is over."""
    return graph.elements(node.input[0]) // max(1, graph.elements(node.output[0]))


class _Writer:
    """Nodes of the fp16 graph in order, and the constants they need.

    A float tensor keeps its name in fp16; where it is also needed or made in float32, that one is
    called `<name>_wide`. Outputs of the graph are made under another name and cast at the end.
    """

    def __init__(self, graph: Graph, wide: frozenset[str]) -> None:
        self.constants: dict[str, TensorProto] = {}
        self._graph, self._wide = graph, wide
        self._made: set[str] = set()

    def nodes(self) -> list[NodeProto]:
        written: list[NodeProto] = []
        for node in self._graph.nodes:
            written += self._converted(node)
        for output in self._graph.outputs:
            if self._is_float(output):
                written += self._cast(self._half(output), output, TensorProto.FLOAT)
        return written

    def _converted(self, node: NodeProto) -> list[NodeProto]:
        is_wide = node.output[0] in self._wide
        kept = _FLOAT32_INPUTS.get(node.op_type, ())
        copied, written = NodeProto(), []
        copied.CopyFrom(node)
        for index, name in enumerate(node.input):
            if not self._is_float(name) or index in kept:
                continue
            if name in self._graph.constants:
                copied.input[index] = name if is_wide else self._constant(name)
            elif is_wide:
                written += self._cast(self._half(name), f"{name}_wide", TensorProto.FLOAT)
                copied.input[index] = f"{name}_wide"
            else:
                written += self._cast(f"{name}_wide", self._half(name), TensorProto.FLOAT16)
                copied.input[index] = self._half(name)
        for index, name in enumerate(node.output):
            if self._is_float(name):
                copied.output[index] = f"{name}_wide" if is_wide else self._half(name)
        self._made.update(copied.output)
        return [*written, copied]

    def _is_float(self, name: str) -> bool:
        if name in self._graph.constants:
            return self._graph.constants[name].dtype == np.float32
        return self._graph.types.get(name) == TensorProto.FLOAT

    def _half(self, name: str) -> str:
        return f"{name}_half" if name in self._graph.outputs else name

    def _cast(self, source: str, target: str, to: int) -> list[NodeProto]:
        """Nothing where `target` is there already."""
        if target in self._made:
            return []
        self._made.add(target)
        return [helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=to)]

    def _constant(self, name: str) -> str:
        half = f"{name}_fp16"
        value = self._graph.constants[name].astype(np.float16)
        self.constants.setdefault(half, numpy_helper.from_array(value, half))
        return half
