"""ONNX artifacts on the CPU with OpenVINO, in the precision asked for and no other.

Left to itself the CPU plugin computes float32 networks in bfloat16 where the processor can, takes
another precision where it cannot do what the hint says, and pins threads to cores that other
instances use. All three are set here, and what it compiled is read back.
"""

import io
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.artifact import Artifact, rebuild_command
from inference.check_pixels import MAX_BATCH, check_pixels
from inference.engine import Logits, Pixels
from inference.errors import ArtifactError, RuntimeMissingError
from inference.manifest import Precision, Variant
from inference.openvino_parts import last_cache, parts_of, widest_layer
from inference.placement import Placement
from inference.ports import FREE, Port, require_pixels_to_logits

# Importing openvino reports to its makers and leaves files in the home directory; where it finds
# no telemetry package it does neither.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # type: ignore[import-untyped]  # noqa: E402
from openvino.frontend import FrontEndManager  # type: ignore[import-untyped]  # noqa: E402

# Its binding looks numpy up at the first use of a type. Two threads that come to that at once wait
# for each other for ever, one of them with the interpreter's lock; here there is only one.
ov.Type.u8.to_dtype()

# Batches up to this size get a model of their own: one with N free takes 1.2 times as long for a
# single picture and 1.4 times as long where sizes alternate, nearly the same for eight.
OWN_MODEL = 8

# What is not quantised in an int8 file stays float32.
HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
# Bytes of a number in a feature map.
_BYTES: dict[Precision, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
_CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}
# What convolutions and products may run in.
_EXPECTED = {"fp32": {"f32"}, "bf16": {"bf16"}, "fp16": {"f16"}, "int8": {"i8", "u8", "f32"}}
_PRODUCTS = {"Convolution", "Deconvolution", "FullyConnected", "MatMul"}
_NO_ARITHMETIC = {"Const", "Input", "Output", "Reshape"}


class OpenVinoEngine:
    """One ONNX file, compiled once for each small batch size when it first comes and once with N
    free for the others. A small batch that its threads can share evenly is cut into a part for
    each: they meet once, at the end, and not after every layer. One whose maps are larger than the
    cache is cut, too. OpenVINO releases the GIL while it computes and while it compiles."""

    def __init__(self, artifact: Artifact, model: Any, properties: dict[str, Any]) -> None:
        """Raises ArtifactError if OpenVINO cannot compile the model, or only in another
        precision than the artifact's."""
        self.name = f"openvino cpu {artifact.manifest.precision}"
        self.max_batch = MAX_BATCH
        self._artifact = artifact
        self._model = model
        self._properties = properties
        self._size = artifact.manifest.input.size
        self._models: dict[tuple[int | str, int], Any] = {(FREE, 1): self._compile(model, 1)}
        free = self._models[FREE, 1].create_infer_request()
        self._requests: dict[int | str, tuple[Any, ...]] = {FREE: (free,)}

    def infer(self, pixels: Pixels) -> Logits:
        check_pixels(pixels, size=self._size, max_batch=self.max_batch)
        if not self._requests:
            raise RuntimeError(f"{self.name} is closed")
        requests = self._requests_for(len(pixels))
        # OpenVINO reads the caller's memory where it is in order and may be written to.
        shared = np.require(pixels, requirements=["C", "W"])
        parts = np.split(shared, len(requests))
        with ExitStack() as stack:  # one that fails does not leave the others computing
            for request, part in zip(requests, parts, strict=True):
                request.set_input_tensor(ov.Tensor(part, shared_memory=True))
                request.start_async()
                stack.callback(request.wait)
        logits: Logits = np.concatenate([r.get_output_tensor().data for r in requests])
        return logits

    def compiled(self) -> tuple[Any, ...]:
        """OpenVINO's compiled models, the one with N free first."""
        return tuple(self._models.values())

    def close(self) -> None:
        self._requests.clear()
        self._models.clear()
        self._model = None

    def _requests_for(self, batch: int) -> tuple[Any, ...]:
        key = batch if batch <= OWN_MODEL else FREE
        if key not in self._requests:
            threads: int = self._properties["INFERENCE_NUM_THREADS"]
            parts = parts_of(batch, threads=threads, widest=self._widest, cache=last_cache())
            streams = threads if parts % threads == 0 else 1
            model = self._model_for(batch // parts, streams)
            self._requests[key] = tuple(model.create_infer_request() for _ in range(parts))
        return self._requests[key]

    def _model_for(self, batch: int, streams: int) -> Any:
        """What takes `batch` pictures, as many times at once as there are streams; batches whose
        parts are equal share it."""
        if (batch, streams) not in self._models:
            self._models[batch, streams] = self._compile(self._resized(batch), streams)
        return self._models[batch, streams]

    def _resized(self, batch: int) -> Any:
        model = self._model.clone()
        model.reshape([batch, self._size, self._size, 3])
        return model

    @cached_property
    def _widest(self) -> int:
        """Bytes a picture of the widest layer's maps."""
        return widest_layer(self._resized(1), _BYTES[self._artifact.manifest.precision])

    def _compile(self, model: Any, streams: int) -> Any:
        """The threads are shared among the streams."""
        try:
            properties = self._properties | {"NUM_STREAMS": streams}
            compiled = _core().compile_model(model, "CPU", properties)
        except RuntimeError as error:
            raise _refused(self._artifact, error) from error
        require_precision(self._artifact, executed(compiled))
        return compiled


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> OpenVinoEngine:
    """Raises ArtifactError for a file that OpenVINO refuses, that is not pixels in, logits out, or
    that it computes in another precision; RuntimeMissingError where this processor cannot."""
    precision = artifact.manifest.precision
    _require_capability(artifact)
    model = _read(artifact, artifact.path(variant.file))
    require_pixels_to_logits(artifact, _ports(model.inputs), _ports(model.outputs))
    return OpenVinoEngine(artifact, model, _properties(precision, placement.threads))


def open_outputs(
    model: bytes, precision: Precision, *, threads: int
) -> Callable[[Pixels], dict[str, NDArray[np.float32]]]:
    """An ONNX file's bytes, pixels (N, H, W, 3) in, as the function that gives all of its outputs
    by name, computed as in an artifact of `precision`. For looking inside: nothing is read back.

    Raises OpenVINO's own errors for a file that it refuses."""
    compiled = compile_graph(model, precision, threads=threads)

    def run(pixels: Pixels) -> dict[str, NDArray[np.float32]]:
        answers = compiled([pixels])
        return {name: answers[port] for port in compiled.outputs for name in port.get_names()}

    return run


def compile_graph(
    model: bytes, precision: Precision, *, threads: int, profiling: bool = False
) -> Any:
    """OpenVINO's compiled model of an ONNX file's bytes, for any inputs and outputs, set up as an
    artifact of `precision` is; with `profiling` it times every operation.

    Raises OpenVINO's own errors for a file that it refuses."""
    properties = _properties(precision, threads) | {"PERF_COUNT": profiling}
    return _core().compile_model(read_graph(model), "CPU", properties)


def read_graph(model: bytes) -> Any:
    """OpenVINO's model of an ONNX file's bytes, not compiled yet.

    Raises OpenVINO's own errors for a file that it refuses."""
    frontend = _frontend()
    return frontend.convert(frontend.load(io.BytesIO(model)))


def _properties(precision: Precision, threads: int) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "EXECUTION_MODE_HINT": "ACCURACY" if precision == "fp32" else "PERFORMANCE",
        "PERFORMANCE_HINT": "LATENCY",
        # As many threads as asked for, where the operating system puts them: pinned, a second
        # instance would compute on the cores of the first.
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_HYPER_THREADING": True,
        "ENABLE_CPU_PINNING": False,
    }


def executed(compiled: Any) -> Counter[tuple[str, str]]:
    """How often each (operation, precision) stands in what OpenVINO runs, e.g.
    ("Convolution", "bf16"): 56."""
    details = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    return Counter(
        (detail["layerType"].astype(str), detail["runtimePrecision"].astype(str))
        for detail in details
        if detail["layerType"].astype(str) not in _NO_ARITHMETIC
    )


def require_precision(artifact: Artifact, operations: Counter[tuple[str, str]]) -> None:
    """Raises ArtifactError if a convolution or matrix product runs in another precision than the
    artifact's, if an fp32 artifact has anything in half precision, an int8 one nothing in int8."""
    precision = artifact.manifest.precision
    expected = _EXPECTED[precision]
    products = {entry for entry in operations if entry[0] in _PRODUCTS}
    wrong = {entry for entry in products if entry[1] not in expected}
    if precision == "fp32":
        wrong |= {entry for entry in operations if entry[1] in ("bf16", "f16")}
    proved = precision == "fp32" or any(received != "f32" for _, received in products)
    if proved and not wrong:
        return
    listed = ", ".join(
        f"{operations[entry]} {' in '.join(entry)}" for entry in sorted(wrong or products)
    )
    raise ArtifactError(
        f"{artifact.manifest.id}: OpenVINO runs {listed or 'no product'} on this processor, "
        f"expected {' or '.join(sorted(expected))}; open it with another runtime, or rebuild it "
        f"here with: {rebuild_command(artifact)}"
    )


@cache
def _core() -> Any:
    return ov.Core()


def capabilities() -> frozenset[str]:
    """What OpenVINO says this processor can compute in, e.g. FP32, BF16 and INT8."""
    return frozenset(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _require_capability(artifact: Artifact) -> None:
    needed, offered = _CAPABILITIES[artifact.manifest.precision], capabilities()
    if needed not in offered:
        raise RuntimeMissingError(
            f"{artifact.manifest.id}: OpenVINO computes in {', '.join(sorted(offered))} on this "
            f"processor, expected {needed} among them; open it with another runtime or device"
        )


def _frontend() -> Any:
    # Asked for by name: to guess the format, every reader would try and print its complaint.
    return FrontEndManager().load_by_framework("onnx")


def _read(artifact: Artifact, path: Path) -> Any:
    frontend = _frontend()
    try:
        return frontend.convert(frontend.load(str(path)))
    except Exception as error:  # OpenVINO's errors share no other base class.
        raise _refused(artifact, error) from error


def _refused(artifact: Artifact, error: Exception) -> ArtifactError:
    what = " ".join(str(error).split())
    return ArtifactError(
        f"{artifact.manifest.id} cannot be opened by openvino: {what}; "
        f"rebuild it with: {rebuild_command(artifact)}"
    )


def _ports(ports: list[Any]) -> list[Port]:
    return [
        Port(
            port.get_any_name(),
            np.dtype(port.get_element_type().to_dtype()).name,
            tuple(FREE if d.is_dynamic else d.get_length() for d in port.get_partial_shape()),
        )
        for port in ports
    ]
