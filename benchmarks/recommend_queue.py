"""How long requests would take in the service: a seeded simulation of its queue.

Requests of one image come by chance (Poisson); a free instance takes at once what waits, up to
max_batch, oldest first, as the service does (M/G/k with batches). A call takes what one of the
measured calls took. The same arrivals and draws for every choice: what differs is the choice.

What it leaves out: decoding and HTTP, which compete for the same cores; that calls which follow
one another are alike; and arrivals that come in bursts. Calls were measured with all instances
busy, which is too slow for a queue that is mostly empty.
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.recommend_choices import Choice
from measuring.bootstrap import Interval
from measuring.latencies import Latencies

SEED = 0
DRAWS = 1000
"""Quantiles that a measured distribution is drawn from."""
TOLERANCE = 0.01
"""Of the rate that `sustained` finds, as a share."""
_LEAST = 10_000  # requests of a simulation
_BEYOND = 100  # of them at least above the percentile


@dataclass(frozen=True)
class Prediction:
    """`seconds` at the percentile asked for, infinite where the queue grows without end;
    `utilisation`: the share of what can be answered at most that is asked for; `batch`: images
    in a call, on average."""

    rate: float
    seconds: float
    utilisation: float
    batch: float


def capacity(choice: Choice) -> float:
    """Images per second when all instances always have full batches."""
    return choice.instances * choice.max_batch / float(_durations(choice)[-1].mean())


@lru_cache(maxsize=65_536)
def predict(choice: Choice, rate: float, percentile: float) -> Prediction:
    """What `percentile` percent of requests would not exceed at `rate` requests per second."""
    utilisation = rate / capacity(choice)
    if utilisation >= 1.0:
        return Prediction(rate, math.inf, utilisation, float(choice.max_batch))
    arrivals, draws = _chance(percentile)
    latencies, calls = _serve(choice, arrivals / rate, draws)
    settled = latencies[len(latencies) // 10 :]  # it began with an empty queue
    seconds = float(np.percentile(settled, percentile))
    return Prediction(rate, seconds, utilisation, len(latencies) / calls)


@lru_cache(maxsize=65_536)
def sustained(choice: Choice, slo: float, percentile: float) -> float:
    """The highest rate at which the percentile stays within `slo` seconds; 0 where none does."""
    most = high = capacity(choice)
    low = 0.0
    while high - low > TOLERANCE * high and high > most / 1024.0:
        middle = (low + high) / 2.0
        if predict(choice, middle, percentile).seconds <= slo:
            low = middle
        else:
            high = middle
    return low


def sustained_interval(choice: Choice, slo: float, percentile: float) -> Interval:
    """`sustained`, and what it would be if all calls took as much more or less time as the
    interval of the throughput allows: to scale a queue's time is to scale the SLO and the rate."""
    more, less = 1.0 + choice.spread, max(0.5, 1.0 - choice.spread)
    return Interval(
        estimate=sustained(choice, slo, percentile),
        low=sustained(choice, slo / more, percentile) / more,
        high=sustained(choice, slo / less, percentile) / less,
        confidence=choice.throughput.confidence,
    )


@lru_cache(maxsize=8)
def _chance(percentile: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Arrival times at one request per second, and which quantile each call takes."""
    count = max(_LEAST, math.ceil(_BEYOND / (1.0 - percentile / 100.0)))
    rng = np.random.Generator(np.random.PCG64(SEED))
    return np.cumsum(rng.exponential(1.0, count)), rng.integers(0, DRAWS, count)


def _serve(
    choice: Choice, arrivals: NDArray[np.float64], draws: NDArray[np.int64]
) -> tuple[NDArray[np.float64], int]:
    """Seconds from each arrival to its answer, and how many calls it took."""
    if (choice.instances, choice.max_batch) == (1, 1):
        return _serve_in_line(arrivals, _durations(choice)[0][draws]), len(arrivals)
    durations: list[list[float]] = [row.tolist() for row in _durations(choice)]
    times, drawn = arrivals.tolist(), draws.tolist()
    free = [0.0] * choice.instances
    finishes: list[float] = []
    sizes: list[int] = []
    first, count, largest = 0, len(times), choice.max_batch
    while first < count:
        start = max(free[0], times[first])
        after = bisect_right(times, start, first + 1, min(first + largest, count))
        finish = start + durations[after - first - 1][drawn[first]]
        heapq.heapreplace(free, finish)
        finishes.append(finish)
        sizes.append(after - first)
        first = after
    return np.repeat(finishes, sizes) - arrivals, len(sizes)


def _serve_in_line(
    arrivals: NDArray[np.float64], durations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same for one call after the other: each ends when all since some arrival have followed
    one another, for the arrival with which that is latest (Lindley, 1952)."""
    done = np.cumsum(durations)
    finishes = done + np.maximum.accumulate(arrivals - (done - durations))
    return np.asarray(finishes - arrivals, np.float64)


@lru_cache(maxsize=4096)
def _durations(choice: Choice) -> NDArray[np.float64]:
    """(max_batch, DRAWS) seconds: the quantiles of a call with 1, 2, ... images.

    Between measured sizes quantile by quantile in proportion; below the smallest as the smallest.
    """
    return _between_sizes({size: _quantiles(calls) for size, calls in choice.calls.items()})


def _between_sizes(measured: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    sizes = sorted(measured)
    rows = np.stack([measured[size] for size in sizes])
    wanted = np.arange(1, sizes[-1] + 1)
    return np.stack([np.interp(wanted, sizes, column) for column in rows.T], axis=1)


def _quantiles(calls: Latencies) -> NDArray[np.float64]:
    """DRAWS of them, evenly spaced, with the mean that was measured."""
    ranks = (np.arange(DRAWS) + 0.5) / DRAWS
    if calls.samples is not None:
        found = np.quantile(calls.samples, ranks)
    else:
        counts = np.array(calls.histogram.counts, np.float64)
        below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        found = np.interp(ranks, below, calls.histogram.edges)
    return np.asarray(found * (calls.summary["mean"] / found.mean()), np.float64)
