"""TensorRT plans, built on this GPU, beside PyTorch, end to end."""

from collections.abc import Iterator
from functools import partial

from benchmarks.gpu.beside import beside
from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import COMPILED, make_plans, open_made
from benchmarks.gpu.step import Context, Step
from benchmarks.gpu.ways import EAGER, RECORDED
from inference.manifest import Format
from measuring.record import Measurement

NAME = "gpu tensorrt"
TENSORRT: Format = "tensorrt"
_NEEDS = (TENSORRT, "cuda", "onnx", "onnxscript")  # `cuda`: NVIDIA's bindings


def steps(context: Context) -> list[Step]:
    """The plans, then a comparison for each default network, in one precision."""
    timed = [
        Step(TENSORRT, f"{network} {COMPILED}", partial(_time, network), needs=_NEEDS, gpu=True)
        for network in context.scale.networks
    ]
    return [Step(TENSORRT, "artifacts", make_plans, needs=_NEEDS, gpu=True), *timed]


def _time(network: str, context: Context) -> Iterator[list[Measurement]]:
    plain = open_artifact(context, network, COMPILED)
    plan = open_made(context, network, COMPILED, TENSORRT)
    yield from beside(NAME, {EAGER: plain, RECORDED: plain, TENSORRT: plan}, context)
