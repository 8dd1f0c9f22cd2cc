"""Percentiles, and how many samples one needs before a percentile may be claimed."""

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError

CLAIMS: Mapping[str, float] = MappingProxyType(
    {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}
)


def percentile(samples: NDArray[np.float64], rank: float) -> float:
    """The smallest sample that at least `rank` percent of the samples do not exceed.

    A latency that occurred, not one interpolated. Raises InputError for no samples.
    """
    if len(samples) == 0:
        raise InputError("percentile of no samples; measure at least one")
    return float(np.percentile(samples, rank, method="inverted_cdf"))


def claimed_percentile(samples: NDArray[np.float64], rank: float) -> float:
    """As `percentile`, but InputError where the samples are too few to claim it."""
    needed = least_count(rank)
    if len(samples) < needed:
        raise InputError(
            f"p{rank:g} needs at least {needed:,} samples, got {len(samples):,}; "
            "measure longer or ask for a lower percentile"
        )
    return percentile(samples, rank)


def supported(count: int) -> tuple[str, ...]:
    """The names in CLAIMS that `count` samples are enough for."""
    return tuple(name for name, rank in CLAIMS.items() if count >= least_count(rank))


@cache
def least_count(rank: float, *, confidence: float = 0.99) -> int:
    """The fewest samples that support a claim about percentile `rank`, allowing one above it.

    The early-stopping rule of MLPerf Inference: the smallest n for which at most one slow sample
    among n would be seen with a chance of 1 - confidence or less if the share of slow ones were
    as large as 1 - rank/100. Raises InputError for a rank outside 0 to 100.
    """
    if not 0.0 < rank < 100.0:
        raise InputError(f"percentile rank is {rank}, expected more than 0 and less than 100")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence is {confidence}, expected more than 0 and less than 1")
    low, high = 1, 2
    while _at_most_one(high, rank / 100.0) > 1.0 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _at_most_one(middle, rank / 100.0) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most_one(count: int, fast: float) -> float:
    """The chance of at most one slow sample among `count`, each fast with chance `fast`."""
    return math.exp(count * math.log(fast)) * (1.0 + count * (1.0 - fast) / fast)
