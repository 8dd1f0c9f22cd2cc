"""A run as comparisons for the machine's profile, from which `stride serve` chooses."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.bench_journal import Journal
from benchmarks.bench_points import Point
from inference.artifact import Artifact
from inference.measure_runtimes import find_winners
from inference.profiles import Comparison, Timing, Way, Winner, add_comparison, best_shape
from inference.runtimes import RUNTIMES
from measuring.bootstrap import Interval, Ratio, block_interval, paired_ratio
from measuring.timing import Timed

Key = tuple[str, str]


def store_profile(
    directory: Path, journal: Journal, points: Sequence[Point], artifacts: Sequence[Artifact]
) -> Path | None:
    """Adds a comparison for each network with its weights; None where nothing real was timed.

    Raises InputError for a profile that is damaged or cannot be written.
    """
    written = None
    for (name, weights), ids in _networks(artifacts).items():
        own = [it for it in points if it.candidate.artifact in ids and _answers(it)]
        if own:
            machine = journal.plan.machine
            comparison = Comparison(
                name=name,
                weights=weights,
                measured=journal.plan.started,
                libraries=machine.libraries,
                timings=_timings(own),
                winners=_winners(own),
            )
            written = add_comparison(directory, machine, comparison)
    return written


def _networks(artifacts: Iterable[Artifact]) -> dict[Key, set[str]]:
    found: dict[Key, set[str]] = {}
    for artifact in artifacts:
        manifest = artifact.manifest
        key = (manifest.name, manifest.weights.sha256)
        found.setdefault(key, set()).add(manifest.id)
    return found


def _answers(point: Point) -> bool:
    return RUNTIMES[point.candidate.runtime].answers


def _timings(points: Sequence[Point]) -> tuple[Timing, ...]:
    best: dict[int, Point] = {}
    for point in points:
        there = best.setdefault(point.batch, point)
        if np.median(point.seconds_per_image) < np.median(there.seconds_per_image):
            best[point.batch] = point
    return tuple(_timing(point, best[point.batch]) for point in points)


def _timing(point: Point, best: Point) -> Timing:
    candidate, facts = point.candidate, point.facts[0]
    return Timing(
        way=_way(point),
        engine=facts.engine,
        file=facts.file,
        sha256=facts.sha256,
        threads=candidate.threads,
        batch=point.batch,
        seconds=_seconds_of_call(point),
        ratio=_ratio(point, best),
        instances=candidate.instances,
    )


def _seconds_of_call(point: Point) -> Interval:
    images = point.batch * point.candidate.instances
    return block_interval(point.seconds_per_image * images)


def _ratio(point: Point, best: Point) -> Ratio:
    return paired_ratio(_timed(point), _timed(best))


def _timed(point: Point) -> Timed:
    return Timed(point.seconds_per_image, np.array(point.blocks, np.int64))


def _way(point: Point) -> Way:
    candidate = point.candidate
    return Way(candidate.artifact, candidate.runtime, candidate.device)


def _winners(points: Sequence[Point]) -> tuple[Winner, ...]:
    """Each way in its best shape, at the batch sizes that all of them take."""
    ways = list(dict.fromkeys(map(_way, points)))
    timings = _timings(points)
    shapes = {way: best_shape([it for it in timings if it.way == way]) for way in ways}
    own = [it for it in points if shapes[_way(it)] == _shape(it)]
    sizes = set.intersection(*({it.batch for it in own if _way(it) == way} for way in ways))
    samples = {(_way(it), it.batch): _timed(it) for it in own if it.batch in sizes}
    return find_winners(ways, samples) if sizes else ()


def _shape(point: Point) -> tuple[int, int]:
    return point.candidate.instances, point.candidate.threads
