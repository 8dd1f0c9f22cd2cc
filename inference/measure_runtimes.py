"""Times every way to run a network on this machine against one another, each proved right first."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

import numpy as np

from inference.artifact import Artifact
from inference.choice import Choice, fitting
from inference.engine import Engine
from inference.errors import ArtifactError, ParityError, RuntimeMissingError
from inference.open_engine import open_proved
from inference.profiles import Comparison, Timing, Way, Winner
from inference.runtimes import RUNTIMES
from measuring.bootstrap import interval, median, paired_ratio
from measuring.cores import available_cores
from measuring.errors import InputError, MissingError
from measuring.gpu import gpus
from measuring.pictures import varied_pictures
from measuring.record import now
from measuring.timing import Schedule, Timed, interleave

BATCH_SIZES = (1, 8)
SCHEDULE = Schedule(runs=10, seconds=1.0, warmup=2, blocks=10)

Report = Callable[[str], None]
Samples = Mapping[tuple[Way, int], Timed]


@dataclass(frozen=True)
class LeftOut:
    """A way that was not timed, and why."""

    way: Way
    reason: str


@dataclass(frozen=True)
class Measured:
    """What was timed, and what was not."""

    comparison: Comparison
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Opened:
    way: Way
    artifact: Artifact
    choice: Choice
    engine: Engine


def _silent(step: str) -> None:
    """Where nobody watches."""


def measure_runtimes(
    artifacts: Sequence[Artifact],
    libraries: Mapping[str, str],
    *,
    schedule: Schedule = SCHEDULE,
    report: Report = _silent,
) -> Measured:
    """Opens the artifacts of one network, simplest first, with every installed runtime, replays
    their golden pictures and times them interleaved at batch sizes 1 and 8, on all cores.

    `libraries`: the versions installed here. A runtime that is not installed or does not answer as
    it should is left out with its reason. Raises InputError for artifacts of different networks
    or weights, MissingError where nothing could be opened.
    """
    name, weights = _network(artifacts)
    threads = available_cores()
    with ExitStack() as stack:
        opened, left_out = _open(artifacts, threads, stack, report)
        report(f"measure: {len(opened)} ways at batch sizes {' and '.join(map(str, BATCH_SIZES))}")
        samples = _time(opened, schedule)
    winners = find_winners([entry.way for entry in opened], samples)
    best = {w.batch: w.way for w in winners if w.artifact is None and w.batch is not None}
    timings = [
        Timing(
            way=entry.way,
            engine=entry.engine.name,
            file=entry.choice.variant.file,
            sha256=entry.artifact.manifest.files[entry.choice.variant.file].sha256,
            threads=threads,
            batch=batch,
            seconds=interval(samples[entry.way, batch]),
            ratio=paired_ratio(samples[entry.way, batch], samples[best[batch], batch]),
        )
        for entry in opened
        for batch in BATCH_SIZES
    ]
    comparison = Comparison(name, weights, now(), dict(libraries), tuple(timings), winners)
    return Measured(comparison, left_out)


def find_winners(ways: Sequence[Way], samples: Samples) -> tuple[Winner, ...]:
    """The fastest of all ways and of each artifact's on each device, at each batch size and over
    all of them; a way that ties with the fastest and stands before it in `ways` wins."""
    sizes = sorted({batch for _, batch in samples})
    timed: dict[int | None, dict[Way, Timed]] = {
        batch: {way: samples[way, batch] for way in ways} for batch in sizes
    }
    timed[None] = {way: _over_all([samples[way, batch] for batch in sizes]) for way in ways}
    groups: dict[tuple[str | None, str | None], list[Way]] = {(None, None): list(ways)}
    for way in ways:
        groups.setdefault((way.artifact, way.device), []).append(way)
    return tuple(
        Winner(artifact, device, batch, _fastest(members, timed[batch]))
        for (artifact, device), members in groups.items()
        for batch in timed
    )


def _fastest(ways: Sequence[Way], timed: Mapping[Way, Timed]) -> Way:
    least = min(ways, key=lambda way: median(timed[way].samples))
    return next(way for way in ways if way == least or paired_ratio(timed[way], timed[least]).tie)


def _over_all(sizes: Sequence[Timed]) -> Timed:
    """One number per block: the geometric mean of its medians, so that each batch size counts the
    same, however long it takes."""
    blocks = np.unique(sizes[0].blocks)
    logarithms = [
        [np.log(np.median(timed.samples[timed.blocks == block])) for block in blocks]
        for timed in sizes
    ]
    return Timed(np.exp(np.mean(logarithms, axis=0)), blocks)


def _network(artifacts: Sequence[Artifact]) -> tuple[str, str]:
    networks = {(a.manifest.name, a.manifest.weights.sha256) for a in artifacts}
    if len(networks) != 1:
        listed = ", ".join(a.manifest.id for a in artifacts) or "nothing"
        raise InputError(
            f"runtimes are compared on artifacts with one name and the same weights, received "
            f"{listed}; measure each network apart"
        )
    return networks.pop()


def _open(
    artifacts: Sequence[Artifact], threads: int, stack: ExitStack, report: Report
) -> tuple[list[_Opened], tuple[LeftOut, ...]]:
    """Every way that opens and answers as it should, by artifact and then by runtime."""
    opened: list[_Opened] = []
    left_out: list[LeftOut] = []
    for artifact in artifacts:
        for choice in _choices(artifact):
            way = Way(artifact.manifest.id, choice.runtime, choice.device)
            report(f"open: {way.artifact} with {way.runtime} on {way.device}")
            try:
                engine = open_proved(artifact, choice, threads=threads)
            except (ArtifactError, ParityError, RuntimeMissingError) as error:
                left_out.append(LeftOut(way, str(error)))
                continue
            opened.append(_Opened(way, artifact, choice, stack.enter_context(closing(engine))))
    if not opened:
        reasons = "; ".join(entry.reason for entry in left_out) or "none is made for this machine"
        raise MissingError(f"no runtime could be measured: {reasons}")
    return opened, tuple(left_out)


def _choices(artifact: Artifact) -> list[Choice]:
    """The first variant for each runtime and device; GPUs only where there is one."""
    first: dict[tuple[str, str], Choice] = {}
    for choice in fitting(artifact):
        if RUNTIMES[choice.runtime].answers and (choice.device == "cpu" or gpus()):
            first.setdefault((choice.runtime, choice.device), choice)
    return list(first.values())


def _time(opened: Sequence[_Opened], schedule: Schedule) -> Samples:
    """Engines return when the answer is there, so no device has to be waited for."""
    calls: dict[str, Callable[[], object]] = {}
    keys: dict[str, tuple[Way, int]] = {}
    for index, entry in enumerate(opened):
        pictures = varied_pictures(max(BATCH_SIZES), entry.artifact.manifest.input.size, seed=0)
        for batch in BATCH_SIZES:
            key = f"{index} {batch}"
            keys[key] = (entry.way, batch)
            calls[key] = partial(entry.engine.infer, pictures[:batch])
    timed = interleave(calls, schedule)
    return {keys[key]: timed[key] for key in calls}
