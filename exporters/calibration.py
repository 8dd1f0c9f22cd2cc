"""What values the tensors of a network take on calibration pictures, and which range of them
eight bits should cover.

Whole feature maps never leave the runtime: the least and the largest value are taken inside the
graph, and of the values between a small sample, spread evenly over the map.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from exporters.onnx_graph import Graph, read_graph
from inference.engine import Pixels
from measuring.errors import CheckError

Sample = NDArray[np.float32]

SAMPLED = 512  # values per tensor and picture
_BATCH_ELEMENTS = 1 << 23  # of the largest feature map in one run
_CANDIDATES = 48
_TRIED = 1 << 15
_LOW, _HIGH, _SAMPLE = "#low", "#high", "#sample"


@dataclass(frozen=True, eq=False)
class Observed:
    """The least and largest value of a tensor over all pictures, and a sample of the values."""

    low: float
    high: float
    sample: Sample


Ranges = Mapping[str, Observed]


def collect_ranges(model: ModelProto, pictures: Pixels) -> Ranges:
    """Every float tensor of a float32 `model` observed over `pictures` (N, H, W, 3).

    Raises CheckError for a tensor that is not finite.
    """
    graph = read_graph(model)
    tensors = graph.floats()
    session = _session(_observing(model, graph, tensors))
    outputs = [output.name for output in session.get_outputs()]
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in outputs}
    step = _batch(graph, tensors)
    for start in range(0, len(pictures), step):
        answers = session.run(outputs, {"pixels": pictures[start : start + step]})
        for name, answer in zip(outputs, answers, strict=True):
            parts[name].append(np.ravel(answer))
    return {tensor: _observed(tensor, parts) for tensor in tensors}


def merged(observations: Iterable[Observed]) -> Observed:
    """Several tensors as one, for a scale that they share."""
    every = list(observations)
    return Observed(
        min(one.low for one in every),
        max(one.high for one in every),
        np.concatenate([one.sample for one in every]),
    )


def covering(observed: Observed, *, symmetric: bool) -> tuple[float, float]:
    """The range (low <= 0 <= high) that loses least when 256 levels cover it: the mean square
    error over the sample, of rounding inside and of clipping outside."""
    low, high = min(observed.low, 0.0), max(observed.high, 0.0)
    if symmetric:
        high = max(-low, high)
        low = -high
    if low == high:
        return 0.0, 1.0
    sample = _thinned(observed)
    best, least = (low, high), _loss(sample, low, high)
    for part in np.linspace(1.0, 0.4, _CANDIDATES)[1:]:
        for candidate in _narrowed(low, high, float(part), symmetric=symmetric):
            loss = _loss(sample, *candidate)
            if loss < least:
                best, least = candidate, loss
    return best


def _narrowed(
    low: float, high: float, part: float, *, symmetric: bool
) -> list[tuple[float, float]]:
    if symmetric or low == 0.0 or high == 0.0:
        return [(part * low, part * high)]
    return [(part * low, part * high), (low, part * high), (part * low, high)]


def _loss(sample: Sample, low: float, high: float) -> float:
    scale = (high - low) / 255.0
    levels = np.rint((np.clip(sample, low, high) - low) * np.float32(1.0 / scale))
    difference = levels * np.float32(scale) + np.float32(low) - sample
    return float(np.mean(np.square(difference), dtype=np.float64))


def _thinned(observed: Observed) -> Sample:
    """The extremes are always in: they are what clipping costs."""
    step = max(1, len(observed.sample) // _TRIED)
    return np.concatenate(
        [observed.sample[::step], np.array([observed.low, observed.high], np.float32)]
    )


def _observing(model: ModelProto, graph: Graph, tensors: list[str]) -> ModelProto:
    """The model with its outputs replaced by what is observed of `tensors`."""
    watched = ModelProto()
    watched.CopyFrom(model)
    flat = numpy_helper.from_array(np.array([-1], np.int64), "#flat")
    ends = numpy_helper.from_array(np.array([np.iinfo(np.int64).max], np.int64), "#ends")
    start = numpy_helper.from_array(np.array([0], np.int64), "#start")
    watched.graph.initializer.extend([flat, ends, start])
    del watched.graph.output[:]
    for tensor in tensors:
        step = numpy_helper.from_array(np.array([_step(graph, tensor)], np.int64), f"{tensor}#step")
        watched.graph.initializer.append(step)
        watched.graph.node.extend(
            [
                helper.make_node("ReduceMin", [tensor], [tensor + _LOW], keepdims=0),
                helper.make_node("ReduceMax", [tensor], [tensor + _HIGH], keepdims=0),
                helper.make_node("Reshape", [tensor, "#flat"], [tensor + "#line"]),
                helper.make_node(
                    "Slice",
                    [tensor + "#line", "#start", "#ends", "#start", step.name],
                    [tensor + _SAMPLE],
                ),
            ]
        )
        for suffix, shape in ((_LOW, []), (_HIGH, []), (_SAMPLE, [None])):
            watched.graph.output.append(
                helper.make_tensor_value_info(tensor + suffix, TensorProto.FLOAT, shape)
            )
    return watched


def _step(graph: Graph, tensor: str) -> int:
    """Odd, and no divisor of common widths, so that a sample visits every column and channel."""
    step = max(1, graph.elements(tensor) // SAMPLED)
    if step == 1:
        return 1
    while any(step % divisor == 0 for divisor in (2, 3, 5, 7)):
        step += 1
    return step


def _batch(graph: Graph, tensors: list[str]) -> int:
    largest = max(graph.elements(tensor) for tensor in tensors)
    return max(1, min(16, _BATCH_ELEMENTS // largest))


def _session(model: ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Feature maps of all sizes pass: an arena would keep the largest of each.
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _observed(tensor: str, parts: Mapping[str, list[NDArray[np.float32]]]) -> Observed:
    low = float(np.min(parts[tensor + _LOW]))
    high = float(np.max(parts[tensor + _HIGH]))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise CheckError(
            f"tensor {tensor} reaches [{low}, {high}] on the calibration pictures, expected finite "
            "values; the weights are damaged or of a training that diverged"
        )
    return Observed(low, high, np.concatenate(parts[tensor + _SAMPLE]))
