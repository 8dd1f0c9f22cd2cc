"""ONNX Runtime beside PyTorch, from bytes in memory to logits in memory, in the same blocks."""

from collections.abc import Iterator
from functools import partial

from benchmarks.gpu.beside import beside
from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import make_onnx, open_made
from benchmarks.gpu.step import Context, Step, StepSkippedError
from benchmarks.gpu.ways import EAGER, RECORDED
from inference.manifest import Precision
from measuring.record import Measurement

NAME = "gpu onnxruntime"
ONNX = "onnxruntime"
_NEEDS = (ONNX,)


def steps(context: Context) -> list[Step]:
    """The exports, then a comparison for each default network and precision that both have."""
    scale = context.scale
    precisions = onnx_precisions(context)
    timed = [
        Step(ONNX, f"{network} {precision}", partial(_time, network, precision), needs=_NEEDS)
        for precision in precisions
        for network in scale.networks
    ]
    return [Step(ONNX, "artifacts", partial(_make, precisions), needs=_NEEDS), *timed]


def onnx_precisions(context: Context) -> tuple[Precision, ...]:
    """Without bf16, which ONNX Runtime would compute in float32."""
    return tuple(precision for precision in context.scale.precisions if precision != "bf16")


def _make(precisions: tuple[Precision, ...], context: Context) -> Iterator[list[Measurement]]:
    _require_provider(context.device)
    yield from make_onnx(precisions, context)


def _time(network: str, precision: Precision, context: Context) -> Iterator[list[Measurement]]:
    """Every engine has replayed its golden pictures when it is timed."""
    _require_provider(context.device)
    torch_artifact = open_artifact(context, network, precision)
    onnx_artifact = open_made(context, network, precision, "onnx")
    ways = {EAGER: torch_artifact, ONNX: onnx_artifact}
    if context.device == "cuda":
        ways[RECORDED] = torch_artifact
    yield from beside(NAME, ways, context)


def _require_provider(device: str) -> None:
    """Raises StepSkippedError where ONNX Runtime was not built for this device."""
    import onnxruntime  # type: ignore[import-untyped]

    from inference.onnxruntime_session import CPU, CUDA

    wanted = CUDA if device == "cuda" else CPU
    if wanted not in onnxruntime.get_available_providers():
        raise StepSkippedError(
            f"onnxruntime {onnxruntime.__version__} has no {wanted}; install onnxruntime-gpu"
        )
