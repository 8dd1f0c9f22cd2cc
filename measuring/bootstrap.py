"""How sure a measured number is: percentile bootstrap, resampled by whole blocks.

Calls close in time are alike, so drawing single calls would promise more than is known.
Method: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError
from measuring.timing import Timed

Statistic = Callable[[NDArray[np.float64]], float]


def median(samples: NDArray[np.float64]) -> float:
    """The middle sample: what a typical call takes."""
    return float(np.median(samples))


def mean(samples: NDArray[np.float64]) -> float:
    """The average: what throughput follows from."""
    return float(np.mean(samples))


@dataclass(frozen=True)
class Interval:
    """`estimate` from all samples; the true value lies in [low, high] with `confidence`."""

    estimate: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class Ratio(Interval):
    """How many times one takes what the other takes."""

    @property
    def tie(self) -> bool:
        """Neither is shown to be faster: the interval includes 1."""
        return self.low <= 1.0 <= self.high


@dataclass(frozen=True)
class Resampling:
    """How often to draw, how sure to be, from which seed."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 100:
            raise InputError(f"bootstrap: resamples is {self.resamples}, expected 100 or more")
        if not 0.0 < self.confidence < 1.0:
            raise InputError(
                f"bootstrap: confidence is {self.confidence}, expected more than 0, less than 1"
            )


_USUAL = Resampling()


def interval(
    timed: Timed, statistic: Statistic = median, *, resampling: Resampling = _USUAL
) -> Interval:
    """The interval of a statistic of one callable. Raises InputError for fewer than two blocks."""
    parts = _by_block(timed, np.unique(timed.blocks))
    drawn = [
        statistic(np.concatenate([parts[i] for i in choice]))
        for choice in _choices(len(parts), resampling)
    ]
    low, high = _bounds(drawn, resampling)
    return Interval(statistic(timed.samples), low, high, resampling.confidence)


def block_interval(values: NDArray[np.float64], *, resampling: Resampling = _USUAL) -> Interval:
    """The interval of the median of `values` (blocks,), one for each block.

    Raises InputError for fewer than two.
    """
    chosen = np.array(list(_choices(len(values), resampling)))
    low, high = _bounds(np.median(values[chosen], axis=1), resampling)
    return Interval(median(values), low, high, resampling.confidence)


def clustered_interval(
    values: NDArray[np.float64], clusters: NDArray[np.int64], *, resampling: Resampling = _USUAL
) -> Interval:
    """The interval of the mean of `values` (N,), of which those with the same number in `clusters`
    (N,) have one origin: whole origins are drawn, since what comes of one is alike.

    Raises InputError for fewer than two origins or for shapes that differ.
    """
    if values.shape != clusters.shape or values.ndim != 1:
        raise InputError(
            f"bootstrap: {values.shape} values in {clusters.shape} clusters, expected one number "
            "of a cluster for each value"
        )
    _, origin = np.unique(clusters, return_inverse=True)
    sums, counts = np.bincount(origin, values), np.bincount(origin)
    drawn = [
        float(sums[choice].sum() / counts[choice].sum())
        for choice in _choices(len(counts), resampling)
    ]
    low, high = _bounds(drawn, resampling)
    return Interval(float(np.mean(values)), low, high, resampling.confidence)


def paired_ratio(
    numerator: Timed,
    denominator: Timed,
    statistic: Statistic = median,
    *,
    resampling: Resampling = _USUAL,
) -> Ratio:
    """The interval of statistic(numerator) / statistic(denominator), both from the same blocks.

    A disturbance that slows a whole block slows both and cancels. Raises InputError unless both
    were timed in the same blocks, two or more of them.
    """
    numbers = np.unique(numerator.blocks)
    if not np.array_equal(numbers, np.unique(denominator.blocks)):
        raise InputError(
            "paired ratio: the two were not timed in the same blocks; time them in one interleave"
        )
    above, below = _by_block(numerator, numbers), _by_block(denominator, numbers)
    drawn = [
        statistic(np.concatenate([above[i] for i in choice]))
        / statistic(np.concatenate([below[i] for i in choice]))
        for choice in _choices(len(numbers), resampling)
    ]
    low, high = _bounds(drawn, resampling)
    estimate = statistic(numerator.samples) / statistic(denominator.samples)
    return Ratio(estimate, low, high, resampling.confidence)


def _by_block(timed: Timed, numbers: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    return [timed.samples[timed.blocks == number] for number in numbers]


def _choices(count: int, resampling: Resampling) -> Iterator[NDArray[np.int64]]:
    """As many block numbers as there are blocks, drawn with replacement, again and again."""
    if count < 2:
        raise InputError(
            f"bootstrap: samples from {count} block(s) or origin(s), expected two or more, "
            "better twenty"
        )
    rng = np.random.Generator(np.random.PCG64(resampling.seed))
    for _ in range(resampling.resamples):
        yield rng.integers(0, count, count)


def _bounds(
    drawn: Sequence[float] | NDArray[np.float64], resampling: Resampling
) -> tuple[float, float]:
    tail = (1.0 - resampling.confidence) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return float(low), float(high)
