"""Makes a classifier of floats one of pixels: what `models.pixels_in` does for networks, as nodes
in front of an ONNX graph, and the plain names of an artifact at both ends."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from exporters.free_batch import BATCH
from exporters.onnx_ports import ClassOutput, PictureInput
from measuring.input_spec import InputSpec

PRELUDE = "pixels"  # begins the name of everything before the graph as it was given
_PREFIX = "original/"  # the graph may have a `pixels` of its own
_CHANNELS_FIRST = (0, 3, 1, 2)


def pixels_in(
    model: onnx.ModelProto, port: PictureInput, output: ClassOutput, spec: InputSpec
) -> onnx.ModelProto:
    """uint8 `pixels` (N, size, size, 3) in, float32 `logits` (N, classes) out, with the arithmetic
    of `spec` in between unless the graph takes bytes; nothing is left of other outputs."""
    named = compose.add_prefix(model, _PREFIX)
    before = _prelude(port)
    end = "Flatten" if output.rank == 4 else "Identity"
    last = helper.make_node(end, [_PREFIX + output.name], ["logits"])
    nodes = _needed([*before, *named.graph.node, last])
    for node in nodes:  # exporters note source lines and paths of their machine
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    used = {name for node in nodes for name in node.input}
    constants = [*named.graph.initializer, *_constants(port, spec)]
    size = spec.size
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, [BATCH, size, size, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [BATCH, output.classes])
    graph = helper.make_graph(
        nodes,
        "imported",
        [pixels],
        [logits],
        [tensor for tensor in constants if tensor.name in used],
        sparse_initializer=[
            tensor for tensor in named.graph.sparse_initializer if tensor.values.name in used
        ],
    )
    made = helper.make_model(graph, opset_imports=named.opset_import, producer_name="stride")
    made.ir_version = max(named.ir_version, 4)  # the first with constants that are no inputs
    return made


def _prelude(port: PictureInput) -> list[onnx.NodeProto]:
    """The bytes are transposed before they widen, a quarter of the traffic."""
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if port.layout == "NCHW":
        steps.append(("Transpose", [], {"perm": _CHANNELS_FIRST}))
    if not port.is_uint8:
        steps += [
            ("Cast", [], {"to": TensorProto.FLOAT}),
            ("Sub", ["pixels/mean"], {}),
            ("Mul", ["pixels/scale"], {}),
        ]
    steps = steps or [("Identity", [], {})]
    names = ["pixels", *(f"pixels/{index}" for index in range(1, len(steps)))]
    names.append(_PREFIX + port.name)
    return [
        helper.make_node(kind, [given, *more], [made], **attributes)
        for (kind, more, attributes), given, made in zip(steps, names, names[1:], strict=False)
    ]


def _constants(port: PictureInput, spec: InputSpec) -> list[onnx.TensorProto]:
    shape = (3, 1, 1) if port.layout == "NCHW" else (3,)
    values = {
        "pixels/mean": 255.0 * np.array(spec.mean),
        "pixels/scale": 1.0 / (255.0 * np.array(spec.std)),
    }
    return [
        numpy_helper.from_array(value.astype(np.float32).reshape(shape), name)
        for name, value in values.items()
    ]


def _needed(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Those that the last one depends on, in their order."""
    wanted = {"logits"}
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]
