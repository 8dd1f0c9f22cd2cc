"""Runs an engine at every batch size it will see, and measures which size pays."""

import statistics
import time
from collections.abc import Iterable

import numpy as np

from inference.engine import Engine
from measuring.pictures import varied_pictures

CANDIDATES = (1, 2, 4, 8)
RUNS = 5
WORTH_IT = 1.05
"""A larger batch must bring this much more images per second, or the smaller one is taken."""


def choose_max_batch(engine: Engine, size: int) -> tuple[int, dict[int, float]]:
    """The smallest batch size within 5 % of the best throughput, and T(b) in seconds for each
    candidate. On a CPU this is often 1: batching then only adds waiting."""
    sizes = [batch for batch in CANDIDATES if batch <= engine.max_batch]
    seconds = measure(engine, size, sizes)
    best = max(batch / seconds[batch] for batch in sizes)
    chosen = next(batch for batch in sizes if batch / seconds[batch] * WORTH_IT >= best)
    return chosen, seconds


def measure(engine: Engine, size: int, batch_sizes: Iterable[int]) -> dict[int, float]:
    """Median seconds per call by batch size, after one call that is not counted; the sizes take
    turns, so that a slow moment of the machine does not fall on one of them alone."""
    pictures = {batch: _pictures(batch, size) for batch in batch_sizes}
    for pixels in pictures.values():
        engine.infer(pixels)
    samples: dict[int, list[float]] = {batch: [] for batch in pictures}
    for _ in range(RUNS):
        for batch, pixels in pictures.items():
            started = time.perf_counter()
            engine.infer(pixels)
            samples[batch].append(time.perf_counter() - started)
    return {batch: statistics.median(values) for batch, values in samples.items()}


def warm(engine: Engine, size: int, max_batch: int) -> None:
    """One call at every batch size from 1 to `max_batch`: no later request meets a cold one."""
    for batch in range(1, max_batch + 1):
        engine.infer(_pictures(batch, size))


def _pictures(batch: int, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    few = varied_pictures(min(batch, 8), size, seed=0)
    return np.resize(few, (batch, size, size, 3))
