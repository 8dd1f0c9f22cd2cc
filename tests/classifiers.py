"""Small ONNX classifiers as other people export them, made node by node."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 16
CLASSES = 6


@dataclass(frozen=True)
class Foreign:
    """How a classifier of 16 x 16 pictures is made: `end` is what stands after the last product;
    `flatten` how it comes to two dimensions (`none`: it ends as (N, classes, 1, 1))."""

    layout: str = "NCHW"
    uint8: bool = False
    batch: int | str = "batch"
    sides: tuple[int | str, int | str] = (SIZE, SIZE)
    flatten: str = "Flatten"
    end: str | None = None
    opset: int = 17
    seed: int = 0

    def model(self) -> onnx.ModelProto:
        """float pictures are expected normalised, bytes as they are."""
        picture = (3, *self.sides) if self.layout == "NCHW" else (*self.sides, 3)
        shape = (self.batch, *picture)
        kind = TensorProto.UINT8 if self.uint8 else TensorProto.FLOAT
        constants = self._constants()
        nodes = list(self._nodes())
        for node, following in pairwise(nodes):
            following.input.insert(0, node.output[0])
        nodes[0].input.insert(0, "images")
        ends = [self.batch, CLASSES] + ([1, 1] if self.flatten == "none" else [])
        graph = helper.make_graph(
            nodes,
            "foreign",
            [helper.make_tensor_value_info("images", kind, shape)],
            [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, ends)],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        imports = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    def _constants(self) -> dict[str, NDArray[Any]]:
        generator = np.random.default_rng(self.seed)
        first = 1 if isinstance(self.batch, str) else self.batch
        values = {
            "filters": generator.normal(0, 1, (8, 3, 3, 3)),
            "filter_biases": generator.normal(0, 0.3, 8),
            "matrix": generator.normal(0, 1, (CLASSES, 8)),
            "biases": generator.normal(0, 0.1, CLASSES),
            "kernels": generator.normal(0, 1, (CLASSES, 8, 1, 1)),
            "small": np.array(1 / 64),
        }
        found: dict[str, NDArray[Any]] = {k: v.astype(np.float32) for k, v in values.items()}
        found["flat"] = np.array([first, 8], np.int64)
        used = {name for node in self._nodes() for name in node.input}
        return {name: value for name, value in found.items() if name in used}

    def _nodes(self) -> list[onnx.NodeProto]:
        """Each reads the one before it, which is put in later."""
        make = helper.make_node
        nodes = []
        if self.layout == "NHWC":
            nodes.append(make("Transpose", [], ["first"], perm=[0, 3, 1, 2]))
        if self.uint8:
            nodes += [make("Cast", [], ["wide"], to=TensorProto.FLOAT)]
            nodes += [make("Mul", ["small"], ["scaled"])]
        nodes += [
            make("Conv", ["filters", "filter_biases"], ["maps"], strides=[2, 2]),
            make("Relu", [], ["positive"]),
            make("GlobalAveragePool", [], ["means"]),
        ]
        if self.flatten == "none":
            nodes.append(make("Conv", ["kernels"], ["scores"]))
        elif self.flatten == "Reshape":
            nodes.append(make("Reshape", ["flat"], ["vector"]))
        else:
            nodes.append(make("Flatten", [], ["vector"], axis=1))
        if self.flatten != "none":
            nodes.append(make("Gemm", ["matrix", "biases"], ["scores"], transB=1))
        if self.end:
            more: dict[str, Any] = {} if self.end in ("Sigmoid", "Identity") else {"axis": 1}
            nodes.append(make(self.end, [], ["ended"], **more))
        return nodes


def add_output(model: onnx.ModelProto, name: str, shape: list[Any]) -> onnx.ModelProto:
    """One more float output, of a tensor that is there."""
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model
