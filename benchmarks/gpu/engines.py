"""Every way of running a network, by precision and batch size: on the device alone, and from bytes
in memory to logits in memory; beside it the least time the device could take."""

import traceback
from collections.abc import Iterator
from functools import partial

from benchmarks.gpu.device import Call, forget_peak, peak_memory
from benchmarks.gpu.floor import floor, work
from benchmarks.gpu.prepare import COMPILED, artifact_name, fill_cache, fill_kernels, is_made
from benchmarks.gpu.step import Context, OutOfTimeError, Step, StepError, StepSkippedError
from benchmarks.gpu.timing import Blocks, calling, interleaved, on_host, random_pictures
from benchmarks.gpu.ways import Way, inferring, names, open_ways
from inference.artifact import Artifact, read_artifact
from inference.manifest import Precision
from inference.parity import replay, require
from inference.reference import read_reference
from measuring.latencies import Latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "gpu-engines"
DEVICE, END_TO_END = "device", "end to end"


def steps(context: Context) -> list[Step]:
    """What matters most comes first: the default networks in fp16."""
    scale = context.scale
    order: list[tuple[str, Precision]] = []
    for each in scale.precisions:
        order += [(network, each) for network in scale.networks]
        order += [(network, each) for network in scale.references if each in scale.referenced]
    timed = [
        Step("engines", f"{network} {precision}", partial(_time, network, precision, False))
        for network, precision in order
    ]
    if context.device != "cuda":
        return timed
    return [Step("engines", "kernels", fill_kernels, needs=("triton",), gpu=True), *timed]


def compiled_steps(context: Context) -> list[Step]:
    """The default networks in one precision, beside the ways that need no compiler."""
    if not context.scale.compiled:
        return []
    timed = [
        Step("compiled", f"{network} {COMPILED}", partial(_time, network, COMPILED, True))
        for network in context.scale.networks
    ]
    return [Step("compiled", "cache", fill_cache), *timed]


def open_artifact(context: Context, network: str, precision: str) -> Artifact:
    """Raises StepSkippedError for one that has not been made."""
    name = artifact_name(network, precision)
    if not is_made(context, network, precision):
        raise StepSkippedError(f"{name} was not made; run the stage prepare")
    return read_artifact(context.repository / name)


def _time(
    network: str, precision: Precision, compiling: bool, context: Context
) -> Iterator[list[Measurement]]:
    artifact = open_artifact(context, network, precision)
    scale = context.scale
    batches = scale.compiled if compiling else scale.batches_of(network, precision)
    wanted = names(context.device, compiling=compiling)
    opened = open_ways(artifact, context.device, wanted)
    wrong = _wrong(artifact, opened)
    context.journal.log("\n".join(wrong.values()))
    ways = {name: way for name, way in opened.items() if name not in wrong}
    for done, batch in enumerate(batches):
        if done and context.late():
            raise OutOfTimeError(f"{done} of {len(batches)} batch sizes")
        if not all(_has(context, network, precision, name, batch) for name in ways):
            yield _at(batch, artifact, ways, context)
    if wrong:
        raise StepError("; ".join(told.splitlines()[-1] for told in wrong.values()))


def _has(context: Context, network: str, precision: str, name: str, batch: int) -> bool:
    return context.journal.has(
        NAME, network=network, precision=precision, way=name, batch=batch, clock=END_TO_END
    )


def _wrong(artifact: Artifact, ways: dict[str, Way]) -> dict[str, str]:
    """Nothing is timed that answers wrongly or not at all: why each way does, as a traceback."""
    reference, manifest = read_reference(artifact), artifact.manifest
    bound = manifest.variants[0].parity.bound
    wrong = {}
    for name, way in ways.items():
        try:
            parities = replay(way.engine, reference, bound=bound, precision=manifest.precision)
            require(parities, what=f"{manifest.id} on {way.engine.name}")
        except Exception:  # noqa: BLE001  (a compiler's errors, too: the other ways go on)
            wrong[name] = f"{name}: {traceback.format_exc()}"
    return wrong


def _at(
    batch: int, artifact: Artifact, ways: dict[str, Way], context: Context
) -> list[Measurement]:
    """Both clocks for each way at one batch size."""
    scale, size = context.scale, artifact.manifest.input.size
    pictures = random_pictures(batch, size, rotated=scale.rotated, device=context.device)
    pixels = on_host(pictures)
    memory: dict[str, int | None] = {}
    alone: dict[str, Call] = {}
    for name, way in ways.items():
        alone[name] = calling(inferring(way.network), pictures)
        alone[name]()
        forget_peak(context.device)
        alone[name]()
        memory[name] = peak_memory(context.device)
    whole = {name: calling(way.engine.infer, pixels) for name, way in ways.items()}
    plan = Blocks(scale.blocks, scale.visit, context.device)
    found = {DEVICE: interleaved(alone, plan)}
    # From host to host every call waits for its own end, by the host's clock.
    found[END_TO_END] = interleaved(whole, Blocks(scale.blocks, scale.visit, "cpu"))
    common = _common(artifact, batch, context)
    return [
        _measured(common | {"way": name, "clock": clock, "memory": memory[name]}, taken)
        for clock, by_name in found.items()
        for name, taken in by_name.items()
    ]


def _common(artifact: Artifact, batch: int, context: Context) -> dict[str, Scalar]:
    manifest, journal, device = artifact.manifest, context.journal, context.device
    network, precision = manifest.network, manifest.precision
    todo = work(network, manifest.input.size, batch=batch, precision=precision)
    least = floor(todo, journal, device=device, precision=precision)
    return {
        "network": network,
        "precision": precision,
        "device": device,
        "batch": batch,
        "floor": least.seconds if least else None,
        "floor_bound": least.bound if least else None,
    }


def _measured(settings: dict[str, Scalar], taken: Latencies) -> Measurement:
    return Measurement(NAME, settings, taken, fingerprint(), now())
