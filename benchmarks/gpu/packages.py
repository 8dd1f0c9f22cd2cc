"""Packages that AOTInductor compiled beside PyTorch itself, end to end."""

from collections.abc import Iterator
from functools import partial

from benchmarks.gpu.beside import beside
from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import COMPILED, make_packages, open_made
from benchmarks.gpu.step import Context, Step
from benchmarks.gpu.ways import EAGER, RECORDED
from inference.manifest import Format
from measuring.record import Measurement

NAME = "gpu aoti"
AOTI: Format = "aoti"


def steps(context: Context) -> list[Step]:
    """The packages, then a comparison for each default network, in one precision."""
    if not context.scale.compiled:
        return []
    timed = [
        Step(AOTI, f"{network} {COMPILED}", partial(_time, network), gpu=True)
        for network in context.scale.networks
    ]
    return [Step(AOTI, "artifacts", make_packages, gpu=True), *timed]


def _time(network: str, context: Context) -> Iterator[list[Measurement]]:
    plain = open_artifact(context, network, COMPILED)
    package = open_made(context, network, COMPILED, AOTI)
    yield from beside(NAME, {EAGER: plain, RECORDED: plain, AOTI: package}, context)
