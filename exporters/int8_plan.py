"""Which nodes of a graph compute in int8, and which tensors are rounded to eight bits for it.

A rounding step belongs where a runtime's integer kernel ends: after a convolution and the
activation it swallows, never between them; data that is only moved keeps the scale it has.
"""

from dataclasses import dataclass

from onnx import NodeProto

from exporters.onnx_graph import Graph

COMPUTE = frozenset({"Conv", "Gemm", "MatMul"})
_MOVEMENT = frozenset(
    {"Concat", "Expand", "Flatten", "Identity", "MaxPool", "Pad", "Reshape", "Slice", "Split"}
) | {"Squeeze", "Transpose", "Unsqueeze"}
_CLAMPS = frozenset({"Clip", "Relu"})
_CURVES = frozenset({"Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Sigmoid", "Tanh"})
CURVES_AND_CLAMPS = _CLAMPS | _CURVES
_MEANS = frozenset({"AveragePool", "GlobalAveragePool", "ReduceMean"})
_ARITHMETIC = frozenset({"Add", "Mul"})


@dataclass(frozen=True)
class Int8Plan:
    """`nodes`: the first outputs of the nodes that compute in int8; `groups`: each tensor rounded
    -> a name that it shares with all that have the same scale."""

    nodes: frozenset[str]
    groups: dict[str, str]

    def members(self) -> dict[str, list[str]]:
        """Each group -> its tensors."""
        found: dict[str, list[str]] = {}
        for tensor, group in self.groups.items():
            found.setdefault(group, []).append(tensor)
        return found


def plan_int8(graph: Graph, *, keep: frozenset[str], rounds_before_curves: bool) -> Int8Plan:
    """`keep`: first outputs of the convolutions and products that stay in float, with the
    activations after them. `rounds_before_curves`: whether a convolution's answer is rounded
    before a curved activation (GELU, SiLU, ...), too, for runtimes that cannot fuse the two."""
    nodes = _integer_nodes(graph, keep)
    rounded = [
        tensor
        for tensor in (*dict.fromkeys(name for node in graph.nodes for name in node.input),)
        if _is_rounded(graph, tensor, nodes, rounds_before_curves)
    ]
    return Int8Plan(nodes, _shared(graph, nodes, rounded))


def is_swish(graph: Graph, sigmoid: NodeProto) -> bool:
    """Whether `sigmoid` is the inside of x * sigmoid(x)."""
    readers = graph.readers(sigmoid.output[0])
    if sigmoid.op_type != "Sigmoid" or len(readers) != 1 or readers[0].op_type != "Mul":
        return False
    return sigmoid.input[0] in readers[0].input


def _integer_nodes(graph: Graph, keep: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for node in graph.nodes:
        makers = [graph.producers.get(name) for name in graph.variable_inputs(node)]
        before = [maker is not None and maker.output[0] in found for maker in makers]
        if _is_layer(graph, node):
            integer = node.output[0] not in keep
        elif node.op_type in _ARITHMETIC:
            integer = len(makers) == 2 and any(before)
        else:
            known = _MOVEMENT | _CLAMPS | _CURVES | _MEANS
            integer = node.op_type in known and any(before)
        if integer:
            found.add(node.output[0])
    return frozenset(found)


def _is_layer(graph: Graph, node: NodeProto) -> bool:
    """A convolution or product with weights that are known."""
    if node.op_type not in COMPUTE or node.input[1] not in graph.constants:
        return False
    bias = node.input[2] if len(node.input) > 2 else ""
    return not bias or bias in graph.constants


def layers(graph: Graph) -> list[NodeProto]:
    """The nodes that can be kept in float one by one: those with weights."""
    return [node for node in graph.nodes if _is_layer(graph, node)]


def _is_rounded(
    graph: Graph, tensor: str, nodes: frozenset[str], rounds_before_curves: bool
) -> bool:
    if tensor in graph.constants or tensor in graph.outputs or tensor not in graph.producers:
        return False
    maker, readers = graph.producers[tensor], graph.readers(tensor)
    if maker.output[0] not in nodes:
        return any(reader.output[0] in nodes for reader in readers)
    if maker.op_type in COMPUTE and _goes_into_a_curve(graph, readers):
        return rounds_before_curves
    return not (
        _leads_out(graph, tensor)
        or is_swish(graph, maker)
        or (
            maker.op_type in COMPUTE | _ARITHMETIC
            and all(reader.op_type in _CLAMPS for reader in readers)
        )
    )


def _goes_into_a_curve(graph: Graph, readers: tuple[NodeProto, ...]) -> bool:
    """Read by one curved activation and by nothing else but the product of a swish."""
    curves = [reader for reader in readers if reader.op_type in _CURVES]
    if len(curves) != 1:
        return False
    if len(readers) == 1:
        return True
    return is_swish(graph, curves[0]) and len(readers) == 2


def _leads_out(graph: Graph, tensor: str) -> bool:
    """Whether a tensor is only moved on its way to the graph's outputs."""
    readers = graph.readers(tensor)
    return bool(readers) and all(
        reader.op_type in _MOVEMENT
        and all(output in graph.outputs or _leads_out(graph, output) for output in reader.output)
        for reader in readers
    )


def _shared(graph: Graph, nodes: frozenset[str], rounded: list[str]) -> dict[str, str]:
    """Tensors joined by movement, under the name of their first."""
    parent = {tensor: tensor for tensor in rounded}

    def root(tensor: str) -> str:
        while parent[tensor] != tensor:
            tensor = parent[tensor]
        return tensor

    for node in graph.nodes:
        if node.op_type not in _MOVEMENT or node.output[0] not in nodes:
            continue
        first, *others = [n for n in (*graph.variable_inputs(node), *node.output) if n in parent]
        for other in others:
            parent[root(other)] = root(first)
    return {tensor: root(tensor) for tensor in rounded}
