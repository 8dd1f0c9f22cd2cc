"""What goes into somebody else's classifier and what comes out: one picture, one logit a class."""

from dataclasses import dataclass
from typing import Literal

import onnx
from onnx import TensorProto

from measuring.errors import InputError

Layout = Literal["NCHW", "NHWC"]
Dimension = int | None  # None: free

_CHANNELS = 3
_PASSING_ON = ("Identity", "Dropout", "Flatten", "Reshape", "Squeeze")
_ENDS_OF_PROBABILITIES = ("Softmax", "LogSoftmax")


@dataclass(frozen=True)
class PictureInput:
    """`batch`, `size`: None where the model leaves them free; `is_uint8`: else float32."""

    name: str
    layout: Layout
    batch: Dimension
    size: Dimension
    is_uint8: bool


@dataclass(frozen=True)
class ClassOutput:
    """`name`: the tensor with the logits, before a Softmax if there is one; `rank` 2, or 4 for
    (N, classes, 1, 1)."""

    name: str
    classes: int
    rank: int
    softmax: str | None


def picture_input(model: onnx.ModelProto) -> PictureInput:
    """Raises InputError naming the inputs where there is not one picture: (N, 3, H, W) or
    (N, H, W, 3) with H = W, float32 or uint8."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [port for port in graph.input if port.name not in constants]
    if len(inputs) != 1:
        named = "; ".join(_told(port) for port in inputs) or "none"
        raise InputError(f"the model has {len(inputs)} inputs: {named}; expected one picture")
    (port,) = inputs
    kind, dimensions = port.type.tensor_type.elem_type, _dimensions(port)
    expected = "expected float32 or uint8 (N, 3, H, W) or (N, H, W, 3) with H = W"
    if kind not in (TensorProto.FLOAT, TensorProto.UINT8) or len(dimensions) != 4:
        raise InputError(f"the input is {_told(port)}, {expected}")
    layouts: list[Layout] = []
    if dimensions[1] == _CHANNELS:
        layouts.append("NCHW")
    if dimensions[3] == _CHANNELS:
        layouts.append("NHWC")
    if len(layouts) != 1:
        why = "either could be the channels" if layouts else "nothing has three channels"
        raise InputError(f"the input is {_told(port)}: {why}; {expected}")
    height, width = dimensions[2:] if layouts[0] == "NCHW" else dimensions[1:3]
    if None not in (height, width) and height != width:
        raise InputError(f"the input is {_told(port)}: not square; {expected}")
    is_uint8 = kind == TensorProto.UINT8
    return PictureInput(port.name, layouts[0], dimensions[0], height or width, is_uint8)


def class_output(model: onnx.ModelProto) -> ClassOutput:
    """The one output of the shape of a classifier's; others, as of auxiliary heads, may be there.

    `model` with inferred shapes. Raises InputError naming the outputs where there is not exactly
    one float32 (N, classes) or (N, classes, 1, 1), and for one that ends in a Sigmoid.
    """
    found = [port for port in model.graph.output if _is_classes(port)]
    if len(found) != 1:
        named = "; ".join(_told(port) for port in model.graph.output)
        raise InputError(
            f"{len(found)} outputs look like a classifier's in: {named}; expected one float32 "
            "(N, classes) or (N, classes, 1, 1) with two classes or more"
        )
    (port,) = found
    last = _last(model.graph, port.name)
    if last is not None and last.op_type == "Sigmoid":
        raise InputError(
            f"the output {_told(port)} ends in a Sigmoid: its classes do not exclude each other; "
            "expected logits or a Softmax over them"
        )
    if last is None or last.op_type not in _ENDS_OF_PROBABILITIES:
        return _output(port, None)
    before = next((v for v in model.graph.value_info if v.name == last.input[0]), None)
    if before is None or not _is_classes(before):
        raise InputError(
            f"the output {_told(port)} ends in a {last.op_type} of something that is not "
            "(N, classes); export the network without it"
        )
    return _output(before, last.op_type)


def _output(port: onnx.ValueInfoProto, softmax: str | None) -> ClassOutput:
    dimensions = _dimensions(port)
    return ClassOutput(port.name, dimensions[1] or 0, len(dimensions), softmax)


def _last(graph: onnx.GraphProto, name: str) -> onnx.NodeProto | None:
    """The node that computes the output; those that only pass it on do not count."""
    node = _producer(graph, name)
    while node is not None and node.op_type in _PASSING_ON:
        node = _producer(graph, node.input[0])
    return node


def _is_classes(port: onnx.ValueInfoProto) -> bool:
    dimensions = _dimensions(port)
    is_float = port.type.tensor_type.elem_type == TensorProto.FLOAT
    shape_fits = len(dimensions) == 2 or (len(dimensions) == 4 and dimensions[2:] == (1, 1))
    return is_float and shape_fits and (dimensions[1] or 0) >= 2


def _dimensions(port: onnx.ValueInfoProto) -> tuple[Dimension, ...]:
    shape = port.type.tensor_type.shape
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in shape.dim)


def _producer(graph: onnx.GraphProto, name: str) -> onnx.NodeProto | None:
    return next((node for node in graph.node if name in node.output), None)


def _told(port: onnx.ValueInfoProto) -> str:
    number = port.type.tensor_type.elem_type
    known = number in TensorProto.DataType.values()
    kind = TensorProto.DataType.Name(number).lower() if known else f"type {number}"
    sizes = ", ".join("free" if d is None else str(d) for d in _dimensions(port))
    return f"{port.name} {kind} ({sizes})"
