"""What an ONNX classifier costs for one picture, from its shapes alone: as `models.cost` counts,
for graphs that no network here made."""

from math import prod

from onnx import ModelProto, NodeProto

from exporters.onnx_graph import Graph, read_graph
from inference.manifest import CostSummary

_ELEMENT_BYTES = 4  # float32
# They move nothing, or fold into what comes before.
_FREE = frozenset(
    ("BatchNormalization", "Constant", "Dropout", "Flatten", "Identity", "Reshape", "Shape",
     "Squeeze", "Unsqueeze")
)  # fmt: skip
_STATISTICS = slice(3, 5)  # mean and variance among the inputs of BatchNormalization


def onnx_cost(model: ModelProto, *, without: str = "") -> CostSummary:
    """MACs of convolutions and matrix products, float parameters, bytes of float32 read and
    written. `without`: a prefix of tensor names; nodes that read one are not counted.

    The batch has to be free. Raises InputError for a graph whose shapes contradict each other.
    """
    graph = read_graph(model)
    nodes = [
        node
        for node in graph.nodes
        if not without or not any(name.startswith(without) for name in node.input)
    ]
    return CostSummary(
        macs=sum(_macs(graph, node) for node in nodes),
        parameters=_parameters(graph, nodes),
        bytes_moved=_ELEMENT_BYTES * sum(_elements_moved(graph, node) for node in nodes),
    )


def _macs(graph: Graph, node: NodeProto) -> int:
    if node.op_type in ("Conv", "ConvTranspose"):
        weights = _shape(graph, node.input[1])
        position = node.output[0] if node.op_type == "Conv" else node.input[0]
        return graph.elements(position) * prod(weights[1:])
    if node.op_type == "Gemm":
        transposed = any(entry.name == "transA" and entry.i for entry in node.attribute)
        return graph.elements(node.output[0]) * _shape(graph, node.input[0])[0 if transposed else 1]
    if node.op_type == "MatMul":
        return graph.elements(node.output[0]) * _shape(graph, node.input[0])[-1]
    return 0


def _parameters(graph: Graph, nodes: list[NodeProto]) -> int:
    """Each once, however many nodes share it. A single number is part of a formula."""
    sizes: dict[str, int] = {}
    for node in nodes:
        statistics = node.input[_STATISTICS] if node.op_type == "BatchNormalization" else ()
        for name in node.input:
            constant = graph.constants.get(name)
            if constant is None or constant.dtype.kind != "f" or name in statistics:
                continue
            if constant.size > 1:
                sizes[name] = constant.size
    return sum(sizes.values())


def _elements_moved(graph: Graph, node: NodeProto) -> int:
    if node.op_type in _FREE:
        return 0
    return sum(_elements(graph, name) for name in (*node.input, *node.output) if name)


def _elements(graph: Graph, name: str) -> int:
    constant = graph.constants.get(name)
    if constant is not None:
        return int(constant.size) if constant.dtype.kind == "f" else 0
    return graph.elements(name) if name in graph.shapes else 0


def _shape(graph: Graph, name: str) -> tuple[int, ...]:
    """1 for the batch."""
    constant = graph.constants.get(name)
    if constant is not None:
        return constant.shape
    return tuple(size or 1 for size in graph.shapes.get(name, (1, 1)))
