"""ONNX artifacts on the CPU, or on a GPU with CUDA, with ONNX Runtime. Needs no torch."""

from collections.abc import Callable

import onnxruntime as ort  # type: ignore[import-untyped]

from inference.artifact import Artifact
from inference.check_pixels import MAX_BATCH, check_pixels
from inference.engine import Logits, Pixels
from inference.errors import ArtifactError
from inference.manifest import Precision, Variant
from inference.onnxruntime_binding import BoundSession
from inference.onnxruntime_session import CUDA, SessionSettings, open_session
from inference.placement import Placement
from inference.ports import FREE, Port, require_pixels_to_logits

_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
# What the providers compute in, where it is not what the file says.
_ON_CPU: dict[Precision, str] = {"fp16": "fp16 (computed in float32)"}


class OnnxRuntimeEngine:
    """A session over one ONNX file, as the function that runs it. ONNX Runtime releases the GIL
    while it computes."""

    def __init__(
        self, run: Callable[[Pixels], Logits], *, name: str, size: int, max_batch: int = MAX_BATCH
    ) -> None:
        self.name = name
        self.max_batch = max_batch
        self._run: Callable[[Pixels], Logits] | None = run
        self._size = size

    def infer(self, pixels: Pixels) -> Logits:
        check_pixels(pixels, size=self._size, max_batch=self.max_batch)
        if self._run is None:
            raise RuntimeError(f"{self.name} is closed")
        return self._run(pixels)

    def close(self) -> None:
        self._run = None


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> OnnxRuntimeEngine:
    """Raises ArtifactError for a file that ONNX Runtime refuses, that is not pixels in, logits
    out, or whose precision it has not; RuntimeMissingError where it cannot use a GPU."""
    manifest = artifact.manifest
    precision, size = manifest.precision, manifest.input.size
    if precision == "bf16":
        raise ArtifactError(
            f"{manifest.id}: onnxruntime would compute it in float32, expected bfloat16; "
            "open it with another runtime"
        )
    path = artifact.path(variant.file)
    if placement.device == "cpu":
        session = open_session(path, SessionSettings(placement.threads))
        require_ports(artifact, session)
        name = f"onnxruntime cpu {_ON_CPU.get(precision, precision)}"
        return OnnxRuntimeEngine(direct(session), name=name, size=size)
    session = open_session(path, SessionSettings(placement.threads, {CUDA: CUDA_OPTIONS}))
    require_ports(artifact, session)
    bound = BoundSession(session, device="cuda", classes=len(manifest.labels))
    return OnnxRuntimeEngine(bound.run, name=f"onnxruntime cuda {precision}", size=size)


# Float32 means float32: without this, products lose 13 of 23 bits on tensor cores. The first GPU is
# the default: to name it makes ONNX Runtime look for a plugin of that GPU, and warn of having none.
CUDA_OPTIONS = {"use_tf32": "0"}


def direct(session: ort.InferenceSession) -> Callable[[Pixels], Logits]:
    """The session as it runs on the caller's memory."""

    def run(pixels: Pixels) -> Logits:
        logits: Logits = session.run(["logits"], {"pixels": pixels})[0]
        return logits

    return run


def require_ports(artifact: Artifact, session: ort.InferenceSession) -> None:
    """Raises ArtifactError unless the graph is pixels in, logits out, as the manifest says."""
    require_pixels_to_logits(artifact, _ports(session.get_inputs()), _ports(session.get_outputs()))


def _ports(nodes: list[ort.NodeArg]) -> list[Port]:
    return [
        Port(
            node.name,
            _TYPES.get(node.type, node.type),
            tuple(d if isinstance(d, int) else FREE for d in node.shape),
        )
        for node in nodes
    ]
