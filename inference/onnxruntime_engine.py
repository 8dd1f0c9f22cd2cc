"""ONNX artifacts on the CPU with ONNX Runtime. Needs no torch.

The session's choices, for engines that share cores with decoding and other instances:
one picture or batch at a time (sequential, `inter_op` 1) on an explicit number of threads;
idle threads sleep instead of spinning, since a spinning thread takes the core that the next
request is decoded on; the memory arena stays on, since batches of a few sizes come again and
again; arithmetic stays float32 on processors that offer bfloat16 as a short cut.
"""

from pathlib import Path

import onnxruntime as ort  # type: ignore[import-untyped]

from inference.artifact import Artifact, rebuild_command
from inference.check_pixels import MAX_BATCH, check_pixels
from inference.engine import Logits, Pixels
from inference.errors import ArtifactError
from inference.manifest import Variant
from inference.placement import Placement

_ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """A session over one ONNX file. ONNX Runtime releases the GIL while it computes."""

    def __init__(self, session: ort.InferenceSession, *, precision: str, size: int) -> None:
        self.name = f"onnxruntime cpu {precision}"
        self.max_batch = MAX_BATCH
        self._session: ort.InferenceSession | None = session
        self._size = size

    def infer(self, pixels: Pixels) -> Logits:
        check_pixels(pixels, size=self._size, max_batch=self.max_batch)
        if self._session is None:
            raise RuntimeError(f"{self.name} is closed")
        logits: Logits = self._session.run(["logits"], {"pixels": pixels})[0]
        return logits

    def close(self) -> None:
        self._session = None


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> OnnxRuntimeEngine:
    """Raises ArtifactError for a file that ONNX Runtime refuses or that is not pixels in,
    logits out."""
    session = open_session(artifact.path(variant.file), threads=placement.threads)
    manifest = artifact.manifest
    size, classes = manifest.input.size, len(manifest.labels)
    _check(artifact, session.get_inputs(), "pixels", ("tensor(uint8)", (size, size, 3)))
    _check(artifact, session.get_outputs(), "logits", ("tensor(float)", (classes,)))
    return OnnxRuntimeEngine(session, precision=manifest.precision, size=size)


def open_session(path: Path, *, threads: int, spinning: bool = False) -> ort.InferenceSession:
    """`spinning` buys a little latency on cores that nothing else needs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERRORS_ONLY
    options.enable_cpu_mem_arena = True
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    options.add_session_config_entry("mlas.enable_gemm_fastmath_arm64_bfloat16", "0")
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no other base class.
        raise ArtifactError(f"{path} cannot be opened by onnxruntime: {error}") from error


def _check(
    artifact: Artifact, ports: list[ort.NodeArg], name: str, expected: tuple[str, tuple[int, ...]]
) -> None:
    received = [(port.name, port.type, tuple(port.shape)) for port in ports]
    dtype, shape = expected
    if len(received) == 1:
        port_name, port_type, (batch, *rest) = received[0]
        if (port_name, port_type, tuple(rest)) == (name, *expected) and not isinstance(batch, int):
            return
    raise ArtifactError(
        f"{artifact.manifest.id}: the graph has {received}, expected {name} {dtype} "
        f"(N, {', '.join(map(str, shape))}) with N free; "
        f"rebuild it with: {rebuild_command(artifact)}"
    )
