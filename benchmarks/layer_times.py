"""What each operation of a graph takes, as the runtime's own profiler has it.

Shapes come from the profiler, too, so that arithmetic and traffic are those of what is run, after
the runtime has fused and blocked the graph, and not of the network as it was written.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.run_graph import session
from inference.manifest import Precision
from measuring.errors import InputError

Shape = tuple[int, ...]
_BYTES = {"float": 4, "float16": 2, "bfloat16": 2, "uint8": 1, "int8": 1, "int32": 4, "int64": 8}
_NO_WORK = {"Input", "Output", "Const"}
_WARM_UP = 2


@dataclass(frozen=True)
class OperationTime:
    """`operation`: the runtime's word for it; `inputs` and `output`: shapes, N first; `moved`:
    bytes of them, each once; `seconds`: of each run, in order."""

    name: str
    operation: str
    inputs: tuple[Shape, ...]
    output: Shape
    moved: int
    seconds: tuple[float, ...]

    @property
    def weights(self) -> Shape:
        """(out, in / groups, k, k) of a convolution, () of what has none. OpenVINO writes groups
        in front."""
        if len(self.inputs) < 2 or len(self.inputs[1]) < 4:
            return ()
        shape = self.inputs[1]
        return (shape[0] * shape[1], *shape[2:]) if len(shape) == 5 else shape


def profile(
    runtime: str,
    graph: bytes,
    given: NDArray[Any],
    *,
    threads: int,
    runs: int,
    precision: Precision = "fp32",
) -> list[OperationTime]:
    """Every operation, in order of execution, over `runs` runs after a warm-up.

    Raises InputError for a runtime that has no profiler here.
    """
    if runtime == "onnxruntime":
        return _onnxruntime(graph, given, threads, runs)
    if runtime == "openvino":
        return _openvino(graph, given, threads, runs, precision)
    raise InputError(f"no profiler for {runtime!r}: expected onnxruntime or openvino")


def _onnxruntime(graph: bytes, given: NDArray[Any], threads: int, runs: int) -> list[OperationTime]:
    with tempfile.TemporaryDirectory() as folder:
        opened = session(graph, threads=threads, profile=str(Path(folder, "profile")))
        name = opened.get_inputs()[0].name
        for _ in range(_WARM_UP + runs):
            opened.run(None, {name: given})
        events = json.loads(Path(opened.end_profiling()).read_text(encoding="utf-8"))
    return read_onnxruntime_profile(events, warm_up=_WARM_UP)


def read_onnxruntime_profile(
    events: Sequence[dict[str, Any]], *, warm_up: int
) -> list[OperationTime]:
    """From the events of a profile, without those of the first `warm_up` runs."""
    nodes: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes.setdefault(event["name"].removesuffix("_kernel_time"), []).append(event)
    return [_operation(name, found, warm_up) for name, found in nodes.items()]


def _operation(name: str, events: Sequence[dict[str, Any]], warm_up: int) -> OperationTime:
    told = events[-1]["args"]
    typed = [next(iter(entry.items())) for entry in told["input_type_shape"] if entry]
    made = [next(iter(entry.items())) for entry in told["output_type_shape"] if entry]
    inputs, output = tuple(tuple(s) for _, s in typed), tuple(made[0][1])
    if told["op_name"] == "Gemm" and len(inputs) == 2:  # weights that were packed are not told
        inputs = (inputs[0], (output[-1], inputs[0][-1]), inputs[1])
        typed = [*typed, ("float", list(inputs[1]))]
    return OperationTime(
        name=name,
        operation=told["op_name"],
        inputs=inputs,
        output=output,
        moved=sum(_BYTES.get(kind, 4) * prod(shape) for kind, shape in (*typed, *made)),
        seconds=tuple(event["dur"] * 1e-6 for event in events[warm_up:]),
    )


def _openvino(
    graph: bytes, given: NDArray[Any], threads: int, runs: int, precision: Precision
) -> list[OperationTime]:
    from inference.openvino_engine import compile_graph

    compiled = compile_graph(graph, precision, threads=threads, profiling=True)
    request = compiled.create_infer_request()
    seconds: dict[str, list[float]] = {}
    for run in range(_WARM_UP + runs):
        request.infer([given])
        for entry in request.get_profiling_info():
            # Those that have melted into the one before stand there, too, as not run.
            if run >= _WARM_UP and str(entry.status).endswith(".EXECUTED"):
                times = seconds.setdefault(entry.node_name, [])
                times.append(entry.real_time.total_seconds())
    return [
        _executed(node, tuple(seconds[node.get_friendly_name()]))
        for node in compiled.get_runtime_model().get_ordered_ops()
        if node.get_friendly_name() in seconds and _text(node, "layerType") not in _NO_WORK
    ]


def _executed(node: Any, seconds: tuple[float, ...]) -> OperationTime:
    inputs = [_port(port) for port in node.inputs()]
    outputs = [_port(port) for port in node.outputs()]
    return OperationTime(
        name=node.get_friendly_name(),
        operation=_text(node, "layerType"),
        inputs=tuple(shape for shape, _ in inputs),
        output=outputs[0][0],
        moved=sum(moved for _, moved in (*inputs, *outputs)),
        seconds=seconds,
    )


def _port(port: Any) -> tuple[Shape, int]:
    shape = tuple(dimension.get_length() for dimension in port.get_partial_shape())
    kind = np.dtype(port.get_element_type().to_dtype()).name
    return shape, _BYTES.get(kind, 4) * prod(shape)


def _text(node: Any, key: str) -> str:
    return str(node.get_rt_info()[key].astype(str))
