"""What values the tensors of a network take on calibration pictures: the least, the largest, and
the mean of each channel. All are taken inside the graph: no feature map leaves the runtime.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from exporters.onnx_graph import Graph, read_graph
from inference.engine import Pixels
from measuring.errors import CheckError

Means = NDArray[np.float64]

_BATCH_ELEMENTS = 1 << 23  # of the largest feature map in one run
_LARGEST_BATCH = 16
_LOW, _HIGH, _MEAN = "#low", "#high", "#mean"


@dataclass(frozen=True, eq=False)
class Observed:
    """The least and largest value of a tensor over all pictures, and the mean (C,) of each of its
    channels, the second axis."""

    low: float
    high: float
    means: Means


Ranges = Mapping[str, Observed]


def collect_ranges(model: ModelProto, pictures: Pixels) -> Ranges:
    """Every float tensor of a float32 `model` observed over `pictures` (N, H, W, 3).

    Raises CheckError for a tensor that is not finite.
    """
    graph = read_graph(model)
    tensors = [tensor for tensor in graph.floats() if len(graph.shapes[tensor]) > 1]
    session = open_on_cpu(_observing(model, graph, tensors))
    names = [output.name for output in session.get_outputs()]
    answers: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    step = batch_that_fits(graph)
    for start in range(0, len(pictures), step):
        batch = pictures[start : start + step]
        for name, answer in zip(names, session.run(names, {"pixels": batch}), strict=True):
            answers[name].append(answer * len(batch) if name.endswith(_MEAN) else answer)
    return {tensor: _observed(tensor, answers, len(pictures)) for tensor in tensors}


def covering(observations: Iterable[Observed], *, symmetric: bool) -> tuple[float, float]:
    """The range (low <= 0 <= high) of several tensors with one scale: all that was observed.

    Narrower ranges, by percentiles or by the least square error, lost more than they won:
    docs/decisions/int8.md.
    """
    every = list(observations)
    low = min(0.0, *(one.low for one in every))
    high = max(0.0, *(one.high for one in every))
    if symmetric:
        high = max(-low, high)
        low = -high
    return (low, high) if low < high else (0.0, 1.0)


def open_on_cpu(model: ModelProto) -> ort.InferenceSession:
    """A session that keeps no memory for feature maps that come once."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def batch_that_fits(graph: Graph) -> int:
    """Pictures at once for which the largest feature map stays within 32 MB."""
    largest = max(graph.elements(tensor) for tensor in graph.floats())
    return max(1, min(_LARGEST_BATCH, _BATCH_ELEMENTS // largest))


def _observing(model: ModelProto, graph: Graph, tensors: list[str]) -> ModelProto:
    """The model with its outputs replaced by what is observed of `tensors`."""
    watched = ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    for rank in {len(graph.shapes[tensor]) for tensor in tensors}:
        axes = np.array([axis for axis in range(rank) if axis != 1], np.int64)
        watched.graph.initializer.append(numpy_helper.from_array(axes, f"#axes{rank}"))
    for tensor in tensors:
        axes_name = f"#axes{len(graph.shapes[tensor])}"
        for operator, inputs, suffix in (
            ("ReduceMin", [tensor], _LOW),
            ("ReduceMax", [tensor], _HIGH),
            ("ReduceMean", [tensor, axes_name], _MEAN),
        ):
            name = tensor + suffix
            watched.graph.node.append(helper.make_node(operator, inputs, [name], keepdims=0))
            shape = [None] if suffix == _MEAN else []
            watched.graph.output.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            )
    return watched


def _observed(
    tensor: str, answers: Mapping[str, list[NDArray[np.float32]]], pictures: int
) -> Observed:
    low = float(np.min(answers[tensor + _LOW]))
    high = float(np.max(answers[tensor + _HIGH]))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise CheckError(
            f"tensor {tensor} reaches [{low}, {high}] on the calibration pictures, expected finite "
            "values; the weights are damaged or of a training that diverged"
        )
    means = np.asarray(np.sum(answers[tensor + _MEAN], axis=0, dtype=np.float64) / pictures)
    return Observed(low, high, means)
