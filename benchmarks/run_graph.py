"""ONNX graphs as calls to be timed: any input, the answer thrown away, set up as engines are."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from inference.manifest import Precision
from measuring.errors import InputError

Call = Callable[[], object]
RUNTIMES = ("onnxruntime", "openvino")


def available() -> tuple[str, ...]:
    """The runtimes that are installed here."""
    return tuple(name for name in RUNTIMES if find_spec(name))


def run_graph(
    runtime: str,
    graph: bytes,
    given: NDArray[Any],
    *,
    threads: int,
    precision: Precision = "fp32",
    device: str = "cpu",
) -> Call:
    """A call that runs the graph's only input `given` through `runtime`.

    Raises InputError for a runtime that is not one of RUNTIMES.
    """
    if runtime == "openvino":
        return _openvino(graph, given, threads, precision)
    if runtime == "onnxruntime":
        return _onnxruntime(session(graph, threads=threads, device=device), given, device)
    raise InputError(f"runtime {runtime!r}: expected one of {', '.join(RUNTIMES)}")


def session(graph: bytes, *, threads: int, device: str = "cpu", profile: str = "") -> Any:
    """ONNX Runtime's session, its threads asleep between calls; `profile`: the beginning of the
    name of a file that it times its operations into."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    providers = ["CPUExecutionProvider"]
    if device == "cuda":
        ort.preload_dlls()
        providers = ["CUDAExecutionProvider", *providers]
    return ort.InferenceSession(graph, options, providers=providers)


def _onnxruntime(opened: Any, given: NDArray[Any], device: str) -> Call:
    """On a GPU input and output stay there: what is timed is the graph, not the way to it."""
    name = opened.get_inputs()[0].name
    if device == "cpu":
        return lambda: opened.run(None, {name: given})
    binding = opened.io_binding()
    binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(given, device, 0))
    binding.bind_output(opened.get_outputs()[0].name, device)
    return lambda: opened.run_with_iobinding(binding)


def _openvino(graph: bytes, given: NDArray[Any], threads: int, precision: Precision) -> Call:
    from inference.openvino_engine import compile_graph

    request = compile_graph(graph, precision, threads=threads).create_infer_request()
    request.infer([np.ascontiguousarray(given)])
    call: Call = request.infer
    return call
