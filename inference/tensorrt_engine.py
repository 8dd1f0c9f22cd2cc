"""A TensorRT plan on the GPU it was built for: buffers made once, a stream of its own, and a CUDA
graph for each batch size. The only file of this package that imports TensorRT."""

from collections import deque
from typing import Any

import tensorrt as trt

from inference.artifact import Artifact, rebuild_command
from inference.binding import machine_facts, require_bound_here
from inference.check_pixels import check_pixels
from inference.cuda_device import Stream, current_gpu
from inference.engine import Logits, Pixels
from inference.errors import ArtifactError, DeviceError, RuntimeMissingError
from inference.manifest import Variant
from inference.placement import Placement

PIXELS, LOGITS = "pixels", "logits"
_MOST_LINES = 10_000


class Log(trt.ILogger):  # type: ignore[misc]
    """Keeps the last of what TensorRT says, for as long as the engine lives; `lines` as
    `SEVERITY: message`."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.lines: deque[str] = deque(maxlen=_MOST_LINES)

    def log(self, severity: Any, msg: str) -> None:
        """Called by TensorRT, from any of its threads."""
        if severity != trt.ILogger.VERBOSE:
            self.lines.append(f"{severity.name}: {msg}")

    def errors(self) -> str:
        """What went wrong, in TensorRT's words."""
        found = [line for line in self.lines if line.startswith(("ERROR", "INTERNAL_ERROR"))]
        return "; ".join(found) or "TensorRT gave no reason"


class TensorRTEngine:
    """One plan with one set of buffers: a batch is copied in, computed and copied out in order.

    Each batch size has an execution context of its own, since a graph holds on to the state of the
    context it was captured from; the contexts share one workspace and never run side by side.
    """

    def __init__(self, runtime: Any, plan: Any, *, name: str, graphs: bool = True) -> None:
        self.name = name
        self._runtime, self._plan = runtime, plan
        self._graphs = graphs
        smallest, _, largest = (tuple(d) for d in plan.get_tensor_profile_shape(PIXELS, 0))
        self._min_batch, self.max_batch, self._size = smallest[0], largest[0], largest[1]
        classes = tuple(plan.get_tensor_shape(LOGITS))[1]
        self._stream = Stream()
        try:
            self._pixels: Pixels = self._stream.host_memory(largest, "uint8")
            self._logits: Logits = self._stream.host_memory((self.max_batch, classes), "float32")
            self._device_pixels = self._stream.device_memory(self._pixels.nbytes)
            self._device_logits = self._stream.device_memory(self._logits.nbytes)
            self._workspace = self._stream.device_memory(plan.device_memory_size_v2)
        except BaseException:
            self._stream.close()
            raise
        self._contexts: dict[int, tuple[Any, Any]] = {}

    def infer(self, pixels: Pixels) -> Logits:
        """Raises InputError for pixels that do not fit, DeviceError if the GPU fails."""
        check_pixels(pixels, size=self._size, max_batch=self.max_batch)
        if self._plan is None:
            raise RuntimeError(f"{self.name} is closed")
        count = len(pixels)
        # A plan may ask for more pictures than there are: the rest are those of before.
        batch = max(count, self._min_batch)
        self._pixels[:count] = pixels
        if batch not in self._contexts:
            self._contexts[batch] = self._prepare(batch)
        context, graph = self._contexts[batch]
        if graph is None:
            self._enqueue(context, batch)
        else:
            self._stream.launch(graph)
        self._stream.synchronize()
        return self._logits[:count].copy()

    def close(self) -> None:
        if self._plan is None:
            return
        self._stream.destroy_graphs()
        self._contexts = {}
        self._plan = None
        self._runtime = None
        self._stream.close()

    def _prepare(self, batch: int) -> tuple[Any, Any]:
        """A context for this batch size, and its graph. TensorRT wants one call before a capture:
        it makes what it needs for new shapes then."""
        context = self._plan.create_execution_context(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            raise DeviceError(f"{self.name}: TensorRT gave no execution context; is memory short?")
        context.set_device_memory(self._workspace, self._plan.device_memory_size_v2)
        shape = (batch, self._size, self._size, 3)
        for accepted in (
            context.set_input_shape(PIXELS, shape),
            context.set_tensor_address(PIXELS, self._device_pixels),
            context.set_tensor_address(LOGITS, self._device_logits),
        ):
            if not accepted:
                raise DeviceError(f"{self.name}: TensorRT refused a batch of {batch}")
        self._enqueue(context, batch)
        self._stream.synchronize()
        if not self._graphs:
            return context, None
        return context, self._stream.capture(lambda: self._enqueue(context, batch))

    def _enqueue(self, context: Any, batch: int) -> None:
        self._stream.to_device(self._device_pixels, self._pixels[:batch])
        if not context.execute_async_v3(int(self._stream.handle)):
            raise DeviceError(f"{self.name}: TensorRT did not run a batch of {batch}")
        self._stream.to_host(self._logits[:batch], self._device_logits)


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> TensorRTEngine:
    """Raises RuntimeMissingError without a GPU, ArtifactError for a plan that was built for another
    machine, that TensorRT refuses, or that is not pixels in, logits out."""
    facts = machine_facts(current_gpu(), tensorrt=trt.__version__)
    require_bound_here(artifact, facts)
    runtime, plan = _deserialize(artifact, variant)
    _check(artifact, plan)
    name = f"tensorrt {placement.device} {artifact.manifest.precision}"
    return TensorRTEngine(runtime, plan, name=name)


def _deserialize(artifact: Artifact, variant: Variant) -> tuple[Any, Any]:
    log = Log()
    try:
        runtime = trt.Runtime(log)
    except TypeError as error:  # what the bindings raise when TensorRT makes none
        raise RuntimeMissingError(f"TensorRT cannot be used here: {log.errors()}") from error
    # A version-compatible plan brings its own runtime as code; its checksum is the manifest's.
    runtime.engine_host_code_allowed = _is_version_compatible(artifact)
    plan = runtime.deserialize_cuda_engine(artifact.path(variant.file).read_bytes())
    if plan is None:
        raise ArtifactError(
            f"{artifact.manifest.id}: TensorRT refused {variant.file}: {log.errors()}; "
            f"rebuild it here with: {rebuild_command(artifact)}"
        )
    return runtime, plan


def _is_version_compatible(artifact: Artifact) -> bool:
    return artifact.manifest.bound_to.get("tensorrt", "").startswith(">=")


def _check(artifact: Artifact, plan: Any) -> None:
    size, classes = artifact.manifest.input.size, len(artifact.manifest.labels)
    expected = {
        PIXELS: (trt.TensorIOMode.INPUT, trt.DataType.UINT8, (-1, size, size, 3)),
        LOGITS: (trt.TensorIOMode.OUTPUT, trt.DataType.FLOAT, (-1, classes)),
    }
    names = [plan.get_tensor_name(index) for index in range(plan.num_io_tensors)]
    received = {
        name: (
            plan.get_tensor_mode(name),
            plan.get_tensor_dtype(name),
            tuple(plan.get_tensor_shape(name)),
        )
        for name in names
    }
    if received != expected:
        raise ArtifactError(
            f"{artifact.manifest.id}: the plan has {received}, expected {expected}; "
            f"rebuild it with: {rebuild_command(artifact)}"
        )
