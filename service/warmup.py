"""Runs an engine at every batch size it will see, and measures which size pays."""

import statistics
import time
from collections.abc import Iterable, Mapping

import numpy as np

from inference.engine import Engine, Pixels
from measuring.pictures import varied_pictures

CANDIDATES = (1, 2, 4, 8)
LARGER = (16, 32, 64)
"""Tried one after the other for as long as each still pays, as it does on a GPU."""
RUNS = 5
WORTH_IT = 1.05
"""A larger batch must bring this much more images per second, or the smaller one is taken."""
EACH = 8
"""Up to this size every single one is warmed on a processor; beyond it, powers of two: its runtimes
prepare nothing for a size, they only want the memory."""


def choose_max_batch(engine: Engine, size: int) -> tuple[int, dict[int, float]]:
    """The smallest batch size within 5 % of the best throughput, and T(b), the median seconds of
    each candidate. On a CPU this is often 1: batching then only adds waiting.

    The choice goes by the shortest call of each size: what others do on the machine only makes
    calls longer, and a few of them would make batches of two look worth it.
    """
    samples = _sample(engine, size, [batch for batch in CANDIDATES if batch <= engine.max_batch])
    for batch in LARGER:
        if batch > engine.max_batch or smallest_that_pays(_shortest(samples)) < max(samples):
            break
        samples |= _sample(engine, size, [batch])
    return smallest_that_pays(_shortest(samples)), _medians(samples)


def smallest_that_pays(seconds: Mapping[int, float]) -> int:
    """The smallest batch size whose throughput is within 5 % of the best."""
    best = max(batch / seconds[batch] for batch in seconds)
    return min(batch for batch in seconds if batch / seconds[batch] * WORTH_IT >= best)


def measure(engine: Engine, size: int, batch_sizes: Iterable[int]) -> dict[int, float]:
    """Median seconds per call by batch size, after one call that is not counted; the sizes take
    turns, so that a slow moment of the machine does not fall on one of them alone."""
    return _medians(_sample(engine, size, batch_sizes))


def _sample(engine: Engine, size: int, batch_sizes: Iterable[int]) -> dict[int, list[float]]:
    inputs = {batch: pictures(batch, size) for batch in batch_sizes}
    for pixels in inputs.values():
        engine.infer(pixels)
    samples: dict[int, list[float]] = {batch: [] for batch in inputs}
    for _ in range(RUNS):
        for batch, pixels in inputs.items():
            started = time.perf_counter()
            engine.infer(pixels)
            samples[batch].append(time.perf_counter() - started)
    return samples


def _medians(samples: Mapping[int, list[float]]) -> dict[int, float]:
    return {batch: statistics.median(values) for batch, values in samples.items()}


def _shortest(samples: Mapping[int, list[float]]) -> dict[int, float]:
    return {batch: min(values) for batch, values in samples.items()}


def warm(engine: Engine, size: int, max_batch: int, *, device: str = "cpu") -> None:
    """One call at the batch sizes from 1 to `max_batch`: no later request meets a cold one."""
    for batch in range(1, max_batch + 1):
        if batch <= EACH or device != "cpu" or batch & (batch - 1) == 0 or batch == max_batch:
            engine.infer(pictures(batch, size))


def pictures(batch: int, size: int) -> Pixels:
    """(batch, size, size, 3), varied."""
    few = varied_pictures(min(batch, 8), size, seed=0)
    return np.resize(few, (batch, size, size, 3))
