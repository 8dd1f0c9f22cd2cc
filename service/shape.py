"""How many instances of how many threads: one with all cores answers a single request soonest,
one per core usually answers the most. What is not told is measured, both ways in turn."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.engine import Engine, Pixels
from service.settings import ModelSpec

SECONDS = 0.1
"""Of one turn of one shape."""
TURNS = 2
WORTH_IT = 1.05
"""More instances must bring this much more images per second: they cost memory and latency."""
MEMORY = 2 << 30
"""Bytes that the files of all instances of a model may have; each instance holds its own."""


@dataclass(frozen=True)
class Shape:
    """Instances, and processor threads of each."""

    instances: int
    threads: int

    def __str__(self) -> str:
        return f"{self.instances}x{self.threads}"


def candidates(spec: ModelSpec, cores: int, *, size: int, answers: bool) -> tuple[Shape, ...]:
    """The shapes in question, the one with the fewest instances first: a single one where it is
    told, or on a GPU, whose cores are not ours to count; `size`: bytes of the artifact's file;
    `answers`: whether the runtime computes anything."""
    if spec.instances is not None:
        return (Shape(spec.instances, spec.threads or max(1, cores // spec.instances)),)
    if spec.device != "cpu" or not answers:
        return (Shape(1, spec.threads or cores),)
    if spec.threads is not None:
        return (Shape(max(1, min(cores // spec.threads, MEMORY // size)), spec.threads),)
    most = max(1, min(cores, MEMORY // size))
    return tuple(dict.fromkeys((Shape(1, cores), Shape(most, cores // most))))


def saturate(shapes: Mapping[Shape, Sequence[Engine]], picture: Pixels) -> dict[Shape, float]:
    """Images per second of each shape with all its instances busy; the shapes take turns, so that
    a slow moment of the machine does not fall on one of them alone."""
    calls = dict.fromkeys(shapes, 0)
    seconds = dict.fromkeys(shapes, 0.0)
    for _ in range(TURNS):
        for shape, engines in shapes.items():
            made, took = _turn(engines, picture)
            calls[shape] += made
            seconds[shape] += took
    return {shape: calls[shape] * len(picture) / seconds[shape] for shape in shapes}


def best(throughput: Mapping[Shape, float]) -> Shape:
    """The shape with the most images per second; the one with the fewest instances where that is
    nearly as good."""
    most = max(throughput.values())
    good = [shape for shape, found in throughput.items() if found * WORTH_IT >= most]
    return min(good, key=lambda shape: shape.instances)


def _turn(engines: Sequence[Engine], picture: Pixels) -> tuple[int, float]:
    """Calls that all engines made side by side, each at least two, and the seconds it took."""
    calls = [0] * len(engines)
    errors: list[Exception] = []
    started = time.perf_counter()

    def run(number: int, engine: Engine) -> None:
        try:
            while calls[number] < 2 or time.perf_counter() - started < SECONDS:
                engine.infer(picture)
                calls[number] += 1
        except Exception as error:  # noqa: BLE001  raised again below, in the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(engines)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(calls), time.perf_counter() - started
