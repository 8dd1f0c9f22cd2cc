"""Times things against one another on a machine that drifts: interleaved, in random order."""

import gc
import math
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """At least `runs` timed calls AND `seconds` of timed calls for each callable, after `warmup`
    untimed ones, in `blocks` blocks; each block visits every callable once, in an order drawn with
    `seed`. Each visit begins with `settle` untimed calls, which refill the caches that the
    callable before has emptied. Raises InputError for values that time nothing.
    """

    runs: int = 60
    seconds: float = 3.0
    warmup: int = 5
    blocks: int = 20
    settle: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("blocks", 1), ("warmup", 0), ("settle", 0), ("seed", 0)):
            if getattr(self, name) < least:
                received = getattr(self, name)
                raise InputError(f"schedule: {name} is {received}, expected {least} or more")
        if self.runs < self.blocks:
            raise InputError(
                f"schedule: runs is {self.runs}, expected at least one for each of the "
                f"{self.blocks} blocks; ask for more runs or fewer blocks"
            )
        if not 0.0 <= self.seconds < math.inf:
            raise InputError(f"schedule: seconds is {self.seconds}, expected 0 or more, finite")

    @property
    def runs_of_visit(self) -> int:
        """The least number of timed calls when a block comes to a callable."""
        return math.ceil(self.runs / self.blocks)

    @property
    def seconds_of_visit(self) -> float:
        """The least time of timed calls when a block comes to a callable."""
        return self.seconds / self.blocks


@dataclass(frozen=True, eq=False)
class Timed:
    """`samples[i]` seconds of one call, in block `blocks[i]`, in the order they were made."""

    samples: NDArray[np.float64]
    blocks: NDArray[np.int64]


def interleave(
    callables: Mapping[str, Callable[[], object]],
    schedule: Schedule,
    *,
    synchronise: Callable[[], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timed]:
    """Time every callable under `schedule`; the same block numbers belong to the same minutes.

    `synchronise` waits until a device has finished; it runs once before all, and after each call
    before the clock stops, so that no call pays for another. The garbage collector runs between
    the blocks and never within. Raises InputError when there is nothing to call; what a callable
    raises comes through.
    """
    if not callables:
        raise InputError("nothing to time; give at least one callable")
    names = list(callables)
    calls = {name: _finished(callables[name], synchronise) for name in names}
    samples: dict[str, array[float]] = {name: array("d") for name in names}
    blocks: dict[str, array[int]] = {name: array("q") for name in names}
    if synchronise is not None:
        synchronise()
    for call in calls.values():
        _repeat(call, schedule.warmup)
    rng = np.random.Generator(np.random.PCG64(schedule.seed))
    with no_collection():
        for block in range(schedule.blocks):
            for index in rng.permutation(len(names)):
                name = names[index]
                visited = visit(calls[name], schedule, clock=clock)
                samples[name].extend(visited)
                blocks[name].extend([block] * len(visited))
            gc.collect(0)
    return {
        name: Timed(np.array(samples[name], np.float64), np.array(blocks[name], np.int64))
        for name in names
    }


def visit(
    call: Callable[[], object],
    schedule: Schedule,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> "array[float]":
    """One callable's share of one block: its share of the runs and of the seconds."""
    _repeat(call, schedule.settle)
    samples = array("d")
    total = 0.0
    while len(samples) < schedule.runs_of_visit or total < schedule.seconds_of_visit:
        start = clock()
        call()
        elapsed = clock() - start
        samples.append(elapsed)
        total += elapsed
    return samples


def _finished(
    call: Callable[[], object], synchronise: Callable[[], object] | None
) -> Callable[[], object]:
    """The call until its device has done all of it; the device is then idle for the next one."""
    if synchronise is None:
        return call

    def call_and_wait() -> None:
        call()
        synchronise()

    return call_and_wait


def _repeat(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect all that is there, then nothing by itself until the end."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
