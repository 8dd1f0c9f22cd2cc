"""A float32 ONNX graph to one with QuantizeLinear/DequantizeLinear pairs, which every runtime turns
into its own int8 kernels. Scales are per channel for weights and per tensor for feature maps.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from exporters.calibration import Means, Ranges, covering
from exporters.int8_plan import COMPUTE, Int8Plan, plan_int8
from exporters.onnx_graph import Graph, attribute, drop_unused_constants, integers, read_graph
from measuring.errors import CheckError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Scheme:
    """One kind of int8 file. `features`: processor features of which any one suffices, none where
    it is empty; `weight_bits`: 7 where a processor adds pairs of products in 16 bits, which eight
    would overflow; `symmetric`: feature maps as S8 around zero instead of U8 from least to
    largest; `rounds_before_curves`: see `plan_int8`."""

    file: str
    runtimes: tuple[str, ...]
    devices: tuple[str, ...]
    features: tuple[str, ...] = ()
    symmetric: bool = False
    weight_bits: int = 8
    rounds_before_curves: bool = False


_VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")
SCHEMES: dict[str, Scheme] = {
    "vnni": Scheme("vnni.onnx", ("openvino",), ("cpu",), _VNNI),
    "vnni-ort": Scheme(
        "vnni-ort.onnx", ("onnxruntime",), ("cpu",), _VNNI, rounds_before_curves=True
    ),
    "reduced": Scheme(
        "reduced.onnx",
        ("openvino", "onnxruntime"),
        ("cpu",),
        weight_bits=7,
        rounds_before_curves=True,
    ),
    "symmetric": Scheme("symmetric.onnx", ("onnxruntime",), ("cuda", "cpu"), symmetric=True),
}


def quantise(
    model: ModelProto, ranges: Ranges, scheme: Scheme, *, keep: frozenset[str] = frozenset()
) -> ModelProto:
    """The float32 `model` with the pairs of `scheme`; `keep`: first outputs of convolutions and
    products that stay in float. The model given is not touched.

    Raises CheckError if `ranges` lack a tensor or the result is not valid ONNX.
    """
    merged_means = pool_once(model)
    graph = read_graph(merged_means)
    plan = plan_int8(graph, keep=keep, rounds_before_curves=scheme.rounds_before_curves)
    writer = _Writer(graph, plan, scheme, ranges)
    quantised = ModelProto()
    quantised.CopyFrom(merged_means)
    del quantised.graph.node[:], quantised.graph.value_info[:]
    quantised.graph.node.extend(writer.nodes())
    quantised.graph.initializer.extend(writer.constants.values())
    drop_unused_constants(quantised)
    try:
        onnx.checker.check_model(quantised, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CheckError(f"the int8 graph is not valid ONNX: {error}") from error
    return quantised


def pool_once(model: ModelProto) -> ModelProto:
    """A mean over rows and then over their means as one GlobalAveragePool: integer sums are exact,
    and integer kernels know this operator alone."""
    graph = read_graph(model)
    pooled = ModelProto()
    pooled.CopyFrom(model)
    dropped: set[str] = set()
    for node in pooled.graph.node:
        chain = _means_behind(graph, node)
        if chain is None:
            continue
        dropped.update(mean.output[0] for mean in chain)
        node.op_type = "GlobalAveragePool"
        node.input[:] = [chain[0].input[0]]
        del node.attribute[:]
    kept = [node for node in pooled.graph.node if node.output[0] not in dropped]
    del pooled.graph.node[:]
    pooled.graph.node.extend(kept)
    drop_unused_constants(pooled)
    return pooled


def _means_behind(graph: Graph, node: NodeProto) -> tuple[NodeProto, NodeProto] | None:
    """The two means of exporters.rewrites.pooling whose result `node` gives its fourth axis."""
    outer = graph.maker(node) if node.op_type == "Unsqueeze" else None
    inner = graph.maker(outer) if outer is not None else None
    if outer is None or inner is None or _axes(graph, node, rank=4) != (3,):
        return None
    means = _is_mean(graph, inner, axis=3, keeps=0) and _is_mean(graph, outer, axis=2, keeps=1)
    alone = all(len(graph.readers(mean.output[0])) == 1 for mean in (inner, outer))
    return (inner, outer) if means and alone else None


def _is_mean(graph: Graph, node: NodeProto, *, axis: int, keeps: int) -> bool:
    rank = axis + 1
    return (
        node.op_type == "ReduceMean"
        and attribute(node, "keepdims", 1) == keeps
        and len(graph.shapes.get(node.input[0], ())) == rank
        and _axes(graph, node, rank=rank) == (axis,)
    )


def _axes(graph: Graph, node: NodeProto, *, rank: int) -> tuple[int, ...] | None:
    axes = graph.constants.get(node.input[1]) if len(node.input) > 1 else None
    given = integers(node, "axes") if axes is None else tuple(int(a) for a in np.ravel(axes))
    return None if given is None else tuple(axis % rank for axis in given)


@dataclass(frozen=True)
class _Scale:
    name: str
    scale: np.float32
    zero_point: int


def _scales(plan: Int8Plan, ranges: Ranges, scheme: Scheme) -> dict[str, _Scale]:
    """Each rounded tensor -> its scale."""
    found: dict[str, _Scale] = {}
    for group, tensors in plan.members().items():
        if missing := [tensor for tensor in tensors if tensor not in ranges]:
            raise CheckError(
                f"calibration saw no values of {', '.join(missing)}; collect the ranges of the "
                "same graph that is quantised"
            )
        low, high = covering((ranges[t] for t in tensors), symmetric=scheme.symmetric)
        if scheme.symmetric:
            scale, zero_point = np.float32(high / 127.0), 0
        else:
            scale = np.float32((high - low) / 255.0)
            zero_point = int(np.clip(np.rint(-low / scale), 0, 255))
        found |= dict.fromkeys(tensors, _Scale(group, scale, zero_point))
    return found


class _Writer:
    """Nodes of the quantised graph in order, and the constants they need."""

    def __init__(self, graph: Graph, plan: Int8Plan, scheme: Scheme, ranges: Ranges) -> None:
        self.constants: dict[str, onnx.TensorProto] = {}
        self._graph, self._plan, self._scheme, self._ranges = graph, plan, scheme, ranges
        self._scales = _scales(plan, ranges, scheme)

    def nodes(self) -> list[NodeProto]:
        written: list[NodeProto] = []
        for node in self._graph.nodes:
            copied = NodeProto()
            copied.CopyFrom(node)
            integer = node.output[0] in self._plan.nodes
            for index, name in enumerate(node.input):
                if name in self._scales and (integer or self._is_integer(name)):
                    copied.input[index] = f"{name}_dequantised"
            if integer and node.op_type in COMPUTE:
                written += self._weights(node, copied)
            written.append(copied)
            for output in node.output:
                if output in self._scales:
                    written += self._pair(output)
        return written

    def _is_integer(self, tensor: str) -> bool:
        return self._graph.producers[tensor].output[0] in self._plan.nodes

    def _pair(self, tensor: str) -> list[NodeProto]:
        scale = self._scales[tensor]
        dtype = np.int8 if self._scheme.symmetric else np.uint8
        parameters = [
            self._constant(f"{scale.name}_scale", np.array(scale.scale, np.float32)),
            self._constant(f"{scale.name}_zero_point", np.array(scale.zero_point, dtype)),
        ]
        rounded = f"{tensor}_quantised"
        return [
            _node("QuantizeLinear", [tensor, *parameters], rounded),
            _node("DequantizeLinear", [rounded, *parameters], f"{tensor}_dequantised"),
        ]

    def _weights(self, node: NodeProto, copied: NodeProto) -> list[NodeProto]:
        """Rounded weights, and a bias that takes back what their rounding adds on average."""
        weights = self._graph.constants[node.input[1]].astype(np.float32)
        bias = self._bias(node, weights)
        axis = _channel_axis(node)
        step = self._scales[node.input[0]].scale
        levels = 2 ** (self._scheme.weight_bits - 1) - 1
        scale = _weight_scales(weights, bias, axis, step, levels)
        shape = [-1 if dimension == axis else 1 for dimension in range(weights.ndim)]
        rounded = np.clip(np.rint(weights / scale.reshape(shape)), -levels, levels)
        error = rounded.astype(np.float64) * scale.reshape(shape) - weights
        bias = bias - _mean_answer(node, error, self._ranges[node.input[0]].means)
        name = node.output[0]
        weights_name, bias_name = f"{name}_weight", f"{name}_bias"
        copied.input[:] = [copied.input[0], f"{weights_name}_dequantised"]
        written = [self._dequantised(weights_name, rounded.astype(np.int8), scale, axis)]
        if node.op_type == "MatMul":  # has no place for a bias
            return written
        if self._scheme.symmetric:
            copied.input.append(self._constant(bias_name, bias.astype(np.float32)))
            return written
        copied.input.append(f"{bias_name}_dequantised")
        counted = np.rint(bias / (scale * step).astype(np.float64)).astype(np.int32)
        return [*written, self._dequantised(bias_name, counted, scale * step, 0)]

    def _bias(self, node: NodeProto, weights: FloatArray) -> Means:
        """(channels,), zeros where the layer has none."""
        if len(node.input) > 2 and node.input[2]:
            return np.ravel(self._graph.constants[node.input[2]]).astype(np.float64)
        return np.zeros(weights.shape[_channel_axis(node)], np.float64)

    def _dequantised(
        self, name: str, values: NDArray[np.signedinteger], scale: FloatArray, axis: int
    ) -> NodeProto:
        inputs = [
            self._constant(f"{name}_quantised", values),
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero_point", np.zeros(scale.shape, values.dtype)),
        ]
        return _node("DequantizeLinear", inputs, f"{name}_dequantised", axis=axis)

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(value, name)
        return name


def _node(operator: str, inputs: list[str], output: str, axis: int | None = None) -> NodeProto:
    # A parameter that is None is left out.
    return helper.make_node(operator, inputs, [output], name=f"node_{output}", axis=axis)


def _channel_axis(node: NodeProto) -> int:
    """The axis of the weights that holds the output channels."""
    if node.op_type == "Conv":
        return 0
    return 0 if node.op_type == "Gemm" and attribute(node, "transB", 0) else 1


def _mean_answer(node: NodeProto, weights: Means, means: Means) -> Means:
    """What each output channel of a layer answers on average to inputs of these channel `means`;
    the border that a convolution pads is taken for inside."""
    if node.op_type == "Conv":
        groups = attribute(node, "group", 1)
        summed = weights.sum(axis=tuple(range(2, weights.ndim)))
        grouped = summed.reshape(groups, -1, summed.shape[1])
        answer: Means = np.einsum("goi,gi->go", grouped, means.reshape(groups, -1))
        return answer.ravel()
    return (weights if _channel_axis(node) == 0 else weights.T) @ means


def _weight_scales(
    weights: FloatArray, bias: Means, axis: int, step: np.float32, levels: int
) -> FloatArray:
    """One per output channel. A channel without weights takes the largest scale of the others, and
    none is so small that its bias would not fit 32 bits."""
    others = tuple(dimension for dimension in range(weights.ndim) if dimension != axis)
    largest = np.abs(weights).max(axis=others)
    scale = largest / np.float32(levels)
    scale[largest == 0.0] = scale.max() or 1.0
    scale = np.maximum(scale, np.abs(bias) / (float(step) * 2.0**30))
    least = float(np.finfo(np.float32).tiny) / min(float(step), 1.0)
    result: FloatArray = np.maximum(scale, least)
    return result.astype(np.float32)
