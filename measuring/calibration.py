"""The same small piece of arithmetic, again and again: what it takes tells how fast the processor
runs at the moment, whatever clock it admits to."""

import time
from collections.abc import Callable, Sequence

import numpy as np

STEPS = 20_000
REPETITIONS = 5


def calibrate(clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the arithmetic, the shortest of a few: interruptions only make it longer."""
    return min(_once(clock) for _ in range(REPETITIONS))


def drift(seconds: Sequence[float]) -> float | None:
    """How much longer it took in the last third than in the first, as a share; negative where it
    took less. None for fewer than three."""
    third = len(seconds) // 3
    if third == 0:
        return None
    return float(np.median(seconds[-third:]) / np.median(seconds[:third])) - 1.0


def _once(clock: Callable[[], float]) -> float:
    value = 1
    start = clock()
    for _ in range(STEPS):
        value = (value * 69_069 + 1) & 0xFFFFFFFF
    return clock() - start
