"""Several callables busy at the same time, as the instances of a service are."""

import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError
from measuring.timing import Schedule, visit


@dataclass(frozen=True, eq=False)
class Visit:
    """`samples`: seconds of every call, those of the first callable first; `rate`: calls per
    second of all callables together."""

    samples: NDArray[np.float64]
    rate: float


def visit_together(
    calls: Sequence[Callable[[], object]],
    schedule: Schedule,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Visit:
    """One block's share of `schedule`, by all `calls` at once, each in a thread of its own; a
    single one runs in this thread. All settle before the first is timed.

    What a callable raises comes through, after the others have come to their end.
    """
    if not calls:
        raise InputError("nothing to time; give at least one callable")
    if len(calls) == 1:
        samples = np.array(visit(calls[0], schedule, clock=clock))
        return Visit(samples, len(samples) / float(samples.sum()))
    taken = _side_by_side(calls, schedule, clock)
    rate = sum(len(samples) / sum(samples) for samples in taken)
    return Visit(np.concatenate([np.array(samples) for samples in taken]), rate)


def _side_by_side(
    calls: Sequence[Callable[[], object]], schedule: Schedule, clock: Callable[[], float]
) -> "list[array[float]]":
    taken: list[array[float]] = [array("d") for _ in calls]
    errors: list[Exception] = []
    start = threading.Barrier(len(calls))

    def run(number: int, call: Callable[[], object]) -> None:
        try:
            start.wait()
            for _ in range(schedule.settle):
                call()
            start.wait()
            taken[number] = visit(call, replace(schedule, settle=0), clock=clock)
        except threading.BrokenBarrierError:
            return  # another one has failed
        except Exception as error:  # noqa: BLE001  raised again below, in the caller's thread
            errors.append(error)
            start.abort()  # nobody may wait for this one

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return taken
