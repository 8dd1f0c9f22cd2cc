"""ONNX Runtime beside PyTorch, from bytes in memory to logits in memory, in the same blocks."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial

from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import make_onnx, open_onnx
from benchmarks.gpu.step import Context, OutOfTimeError, Step, StepSkippedError
from benchmarks.gpu.ways import EAGER, RECORDED
from benchmarks.pairs import Contest, compete
from inference.manifest import Precision
from inference.open_engine import open_engine
from measuring.cores import available_cores
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar
from measuring.timing import Schedule

NAME = "gpu onnxruntime"
ONNX = "onnxruntime"
_NEEDS = (ONNX,)
_VISITS = 4  # of an engine's stage in one of these, whose blocks are compared in pairs


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
    onnx_artifact = open_onnx(context, network, precision)
    ways = {EAGER: torch_artifact, ONNX: onnx_artifact}
    if context.device == "cuda":
        ways[RECORDED] = torch_artifact
    threads = available_cores()
    with ExitStack() as stack:
        engines = {
            way: stack.enter_context(
                closing(open_engine(artifact, runtime=way, device=context.device, threads=threads))
            )
            for way, artifact in ways.items()
        }
        infer = {way: engine.infer for way, engine in engines.items()}
        size, scale = torch_artifact.manifest.input.size, context.scale
        schedule = Schedule(
            runs=scale.blocks, seconds=_VISITS * scale.visit * scale.blocks, warmup=2,
            blocks=scale.blocks,
        )  # fmt: skip
        settings: dict[str, Scalar] = {
            "network": network, "precision": precision, "device": context.device,
            "threads": threads,
        }  # fmt: skip
        for done, batch in enumerate(scale.few):
            if done and context.late():
                raise OutOfTimeError(f"{done} of {len(scale.few)} batch sizes")
            contest = Contest(NAME, EAGER, size, batch, settings)
            yield compete(contest, infer, fingerprint(), schedule)


def _require_provider(device: str) -> None:
    """Raises StepSkippedError where ONNX Runtime was not built for this device."""
    import onnxruntime  # type: ignore[import-untyped]

    from inference.onnxruntime_session import CPU, CUDA

    wanted = CUDA if device == "cuda" else CPU
    if wanted not in onnxruntime.get_available_providers():
        raise StepSkippedError(
            f"onnxruntime {onnxruntime.__version__} has no {wanted}; install onnxruntime-gpu"
        )
