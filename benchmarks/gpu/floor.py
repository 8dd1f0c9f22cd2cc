"""The least time a batch can take on a device: its arithmetic at the highest rate measured there,
or its bytes at the highest bandwidth, whichever is longer."""

from dataclasses import dataclass
from functools import cache

from benchmarks.gpu.journal import Journal
from benchmarks.gpu.peaks import COPY, NAME
from models import cost, sketch

_ELEMENT = {"fp32": 4, "fp16": 2, "bf16": 2}
_FLOAT32 = 4


@dataclass(frozen=True)
class Work:
    """Of one batch. `operations`: two for each multiply-accumulate; `bytes`: the feature maps that
    convolutions and matrix products read and write, and their weights once; what stands between
    them fuses into them."""

    operations: int
    bytes: int


@dataclass(frozen=True)
class Floor:
    """Seconds, and which of the two it is: `operations` or `bytes`."""

    seconds: float
    bound: str


def work(network: str, size: int, *, batch: int, precision: str) -> Work:
    """From shapes alone."""
    macs, maps, weights = _counted(network, size)
    return Work(2 * batch * macs, (batch * maps + weights) * _ELEMENT[precision])


def floor(work_: Work, journal: Journal, *, device: str, precision: str) -> Floor | None:
    """None where the two ceilings have not been measured."""
    arithmetic = _per_second(journal, device, precision)
    bandwidth = _per_second(journal, device, COPY)
    if not arithmetic or not bandwidth:
        return None
    computing, moving = work_.operations / arithmetic, work_.bytes / bandwidth
    return Floor(max(computing, moving), "operations" if computing >= moving else "bytes")


@cache
def _counted(network: str, size: int) -> tuple[int, int, int]:
    """MACs of one picture, numbers in its feature maps, and in the weights."""
    layers = [layer for layer in cost(sketch(network), size).layers if layer.macs]
    weights = sum(layer.parameters for layer in layers)
    moved = sum(layer.bytes_moved for layer in layers) // _FLOAT32
    return sum(layer.macs for layer in layers), moved - weights, weights


def _per_second(journal: Journal, device: str, kind: str) -> float | None:
    found = journal.find(NAME, device=device, kind=kind)
    return None if found is None else float(str(found.settings["per_second"]))
