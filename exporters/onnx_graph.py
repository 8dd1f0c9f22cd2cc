"""An ONNX graph as passes over it ask about it: who makes a tensor, who reads it, what is constant,
how large it is."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, numpy_helper, shape_inference

from measuring.errors import InputError

Constant = NDArray[np.generic]
Shape = tuple[int | None, ...]  # None: the batch


@dataclass(frozen=True)
class Graph:
    """`producers`: tensor -> its node; `consumers`: tensor -> the nodes that read it, in order;
    `shapes` and `types` (of `onnx.TensorProto`): of everything that shape inference tells."""

    nodes: tuple[NodeProto, ...]
    producers: dict[str, NodeProto]
    consumers: dict[str, tuple[NodeProto, ...]]
    constants: dict[str, Constant]
    shapes: dict[str, Shape]
    types: dict[str, int]
    outputs: tuple[str, ...]

    def maker(self, node: NodeProto, index: int = 0) -> NodeProto | None:
        """The node whose output is input `index` of `node`; None for constants and graph inputs."""
        return self.producers.get(node.input[index])

    def readers(self, tensor: str) -> tuple[NodeProto, ...]:
        return self.consumers.get(tensor, ())

    def variable_inputs(self, node: NodeProto) -> list[str]:
        """The inputs that depend on the pictures."""
        return [name for name in node.input if name and name not in self.constants]

    def floats(self) -> list[str]:
        """Every float32 tensor that a node makes, in order of computation."""
        return [
            output
            for node in self.nodes
            for output in node.output
            if output not in self.constants and self.types.get(output) == onnx.TensorProto.FLOAT
        ]

    def elements(self, tensor: str) -> int:
        """Values of `tensor` for one picture; 1 where a size is not known."""
        return int(np.prod([size or 1 for size in self.shapes.get(tensor, ())], dtype=np.int64))


def read_graph(model: ModelProto) -> Graph:
    """Raises InputError for a graph whose types and shapes do not fit one another."""
    try:
        inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except shape_inference.InferenceError as error:
        raise InputError(f"the ONNX graph contradicts itself: {error}") from error
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = tuple(node for node in graph.node if node.op_type != "Constant")
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    consumers: dict[str, list[NodeProto]] = {}
    for node in nodes:
        for name in dict.fromkeys(node.input):
            consumers.setdefault(name, []).append(node)
    infos = [*inferred.value_info, *inferred.input, *inferred.output]
    return Graph(
        nodes=nodes,
        producers={output: node for node in nodes for output in node.output if output},
        consumers={name: tuple(readers) for name, readers in consumers.items()},
        constants=constants,
        shapes={info.name: _shape(info) for info in infos},
        types={info.name: info.type.tensor_type.elem_type for info in infos},
        outputs=tuple(output.name for output in graph.output),
    )


def attribute(node: NodeProto, name: str, default: int) -> int:
    """An integer attribute of `node`."""
    found = [entry for entry in node.attribute if entry.name == name]
    return int(found[0].i) if found else default


def integers(node: NodeProto, name: str) -> Sequence[int] | None:
    """A list of integers among the attributes of `node`."""
    for entry in node.attribute:
        if entry.name == name and entry.type == AttributeProto.INTS:
            return tuple(entry.ints)
    return None


def layer_name(node: NodeProto) -> str:
    """What a person calls the layer: the name of its weights, else of what it answers."""
    for name in node.input[1:2]:
        if name.endswith(".weight"):
            # The prelude and the rewrites wrap the network: "network.", "4.".
            return re.sub(r"^(network|\d+)\.", "", str(name).removesuffix(".weight"))
    return str(node.output[0])


def drop_unused_constants(model: ModelProto) -> None:
    """Initialisers that no node reads any more; in place."""
    used = Counter(name for node in model.graph.node for name in node.input)
    used.update(output.name for output in model.graph.output)
    kept = [tensor for tensor in model.graph.initializer if used[tensor.name]]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _shape(info: onnx.ValueInfoProto) -> Shape:
    sizes = info.type.tensor_type.shape.dim
    return tuple(size.dim_value if size.HasField("dim_value") else None for size in sizes)
