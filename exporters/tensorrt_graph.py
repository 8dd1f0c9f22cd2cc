"""A pixels-in graph as TensorRT takes it: bytes may be cast and nothing else, so the cast comes
before the transposition. The same arithmetic in another order."""

import onnx
from onnx import helper


def cast_before_transpose(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which Transpose -> Cast behind the uint8 input is Cast -> Transpose.

    Source: TensorRT's `DataType`: uint8 inputs have to be converted to float before any other
    layer uses them. Graphs that begin otherwise come back as they are.
    """
    turned = onnx.ModelProto()
    turned.CopyFrom(model)
    graph = turned.graph
    pixels = graph.input[0].name
    transpose = _only_consumer(graph, pixels, "Transpose")
    cast = transpose and _only_consumer(graph, transpose.output[0], "Cast")
    if transpose is None or cast is None:
        return turned
    between = transpose.output[0]
    cast.input[0], cast_output = pixels, cast.output[0]
    cast.output[0] = between
    transpose.input[0], transpose.output[0] = between, cast_output
    _move_before(graph, cast, transpose)
    # Its type and shape are no longer what was noted.
    kept = [value for value in graph.value_info if value.name != between]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    return turned


def _only_consumer(graph: onnx.GraphProto, name: str, operator: str) -> onnx.NodeProto | None:
    consumers = [node for node in graph.node if name in node.input]
    return consumers[0] if [node.op_type for node in consumers] == [operator] else None


def _move_before(graph: onnx.GraphProto, node: onnx.NodeProto, other: onnx.NodeProto) -> None:
    """Nodes of a graph stand in the order in which they compute."""
    order = list(graph.node)
    order.remove(node)
    order.insert(order.index(other), node)
    copies = [helper.make_node("Identity", [], []) for _ in order]
    for copy, original in zip(copies, order, strict=True):
        copy.CopyFrom(original)
    del graph.node[:]
    graph.node.extend(copies)
