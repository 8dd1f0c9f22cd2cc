"""Lets a graph that was exported for one batch size take any, and fixes its height and width."""

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from exporters.onnx_ports import PictureInput

BATCH = "N"


def free_batch(model: onnx.ModelProto, port: PictureInput, size: int) -> onnx.ModelProto:
    """A copy whose input is `BATCH` pictures of `size` x `size`. Where the batch was fixed, every
    Reshape to it keeps its input's batch instead.

    `model` with inferred shapes. Whether the batch is really free shows when the graph runs:
    there are more ways to depend on it than can be told from the graph.
    """
    freed = onnx.ModelProto()
    freed.CopyFrom(model)
    graph = freed.graph
    if port.batch is not None:
        for node in _reshapes_to_batch(model, port.batch):
            _keep_batch(graph, node)
    for value in graph.input:
        if value.name == port.name:
            sizes = {"NCHW": (BATCH, 3, size, size), "NHWC": (BATCH, size, size, 3)}[port.layout]
            _set_shape(value, sizes)
    # Noted for the old batch and size.
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    return freed


def constants_of(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    """Initializers and the outputs of Constant nodes, by name."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = numpy_helper.to_array(attribute.t)
            elif node.op_type == "Constant" and attribute.name in ("value_ints", "value_int"):
                value = onnx.helper.get_attribute_value(attribute)
                found[node.output[0]] = np.array(value, np.int64)
    return found


def _reshapes_to_batch(model: onnx.ModelProto, batch: int) -> Iterator[int]:
    """Indices of the Reshape nodes from (batch, ...) to a constant (batch, ...)."""
    constants = constants_of(model)
    leading = {
        value.name: value.type.tensor_type.shape.dim[0].dim_value
        for value in (*model.graph.input, *model.graph.value_info)
        if value.type.tensor_type.shape.dim
    }
    for index, node in enumerate(model.graph.node):
        if node.op_type != "Reshape" or node.input[0] in constants:
            continue
        shape = constants.get(node.input[1])
        if shape is None or not shape.size or shape.flat[0] != batch:
            continue
        if leading.get(node.input[0]) == batch:
            yield index


def _keep_batch(graph: onnx.GraphProto, index: int) -> None:
    """0 in a shape: as the input has it. A shape of its own, since others may share the old one."""
    node = graph.node[index]
    model = onnx.ModelProto(graph=graph)
    shape = constants_of(model)[node.input[1]].astype(np.int64)
    shape[0] = 0
    name = f"{node.input[1]}/batch_kept_{index}"
    graph.initializer.append(numpy_helper.from_array(shape, name))
    node.input[1] = name
    kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
    del node.attribute[:]
    node.attribute.extend(kept)


def _set_shape(value: onnx.ValueInfoProto, sizes: tuple[str | int, ...]) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for size in sizes:
        dimension = shape.dim.add()
        if isinstance(size, str):
            dimension.dim_param = size
        else:
            dimension.dim_value = size
