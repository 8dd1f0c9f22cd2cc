"""Watts while a network runs, and joules of each picture, by the GPU's own counter of energy."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.gpu.device import synchronise
from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import COMPILED
from benchmarks.gpu.step import Context, Step, StepSkippedError
from benchmarks.gpu.timing import calling, random_pictures
from benchmarks.gpu.ways import inferring, names, open_ways
from measuring.gpu import gpu_energies, gpu_states
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "gpu-energy"
_CALLS = 20  # between two looks at the clock


def steps(context: Context) -> list[Step]:
    """The default networks, in one precision."""
    scale = context.scale
    precision = COMPILED if COMPILED in scale.precisions else scale.precisions[0]
    return [
        Step(
            "energy", f"{network} batch {batch}", partial(_measure, network, precision, batch),
            needs=("pynvml",), gpu=True,
        )
        for network in scale.networks
        for batch in scale.few
    ]  # fmt: skip


def _measure(
    network: str, precision: str, batch: int, context: Context
) -> Iterator[list[Measurement]]:
    if not gpu_energies() or gpu_energies()[0] is None:
        raise StepSkippedError("this GPU does not tell the energy it has used")
    artifact = open_artifact(context, network, precision)
    ways = open_ways(artifact, context.device, names(context.device, compiling=False))
    scale, size = context.scale, artifact.manifest.input.size
    pictures = random_pictures(batch, size, rotated=scale.rotated, device=context.device)
    for name, way in ways.items():
        call = calling(inferring(way.network), pictures)
        calls, seconds, joules = burnt(call, scale.burn, device=context.device)
        states = gpu_states()
        settings: dict[str, Scalar] = {
            "network": network, "precision": precision, "batch": batch, "way": name,
            "device": context.device, "watts": joules / seconds,
            "joules_per_image": joules / (calls * batch),
            "clock": states[0].clock if states else None,
        }  # fmt: skip
        taken = latencies([seconds / calls])
        yield [Measurement(NAME, settings, taken, fingerprint(), now())]


def burnt(call: Callable[[], object], least: float, *, device: str) -> tuple[int, float, float]:
    """Calls made in `least` seconds or more, the seconds and the joules; the device is warm."""
    for _ in range(_CALLS):
        call()
    synchronise(device)
    before, started, calls = _joules(), time.perf_counter(), 0
    while time.perf_counter() - started < least:
        for _ in range(_CALLS):
            call()
        synchronise(device)
        calls += _CALLS
    seconds = time.perf_counter() - started
    return calls, seconds, _joules() - before


def _joules() -> float:
    """Of the first GPU, which CUDA computes on unless told otherwise."""
    return gpu_energies()[0] or 0.0
