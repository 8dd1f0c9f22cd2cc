"""Raw latencies, and what is left of them in a small record: a summary and a histogram."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from measuring.errors import InputError
from measuring.percentiles import CLAIMS, percentile, supported

LONGEST = 1e6  # seconds; eleven days
_GROWTH = 1.02
_FINEST = 1e-9
GRID = np.concatenate(
    [[0.0], np.geomspace(_FINEST, LONGEST, 1 + round(np.log(LONGEST / _FINEST) / np.log(_GROWTH)))]
)
"""The edges of all histograms, in seconds."""


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` samples lay in [edges[i], edges[i + 1]); edges in seconds, rising.

    All edges are from one grid that grows by 2 % per bucket, so that histograms can be added.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.counts) + 1 or any(np.diff(self.edges) <= 0):
            raise InputError(
                f"histogram: got {len(self.edges)} edges for {len(self.counts)} counts, "
                "expected one edge more than counts, each above the one before"
            )

    def percentile(self, rank: float) -> float:
        """The upper edge of the bucket that holds the percentile: never below the true one."""
        reached = np.searchsorted(np.cumsum(self.counts), rank / 100.0 * sum(self.counts))
        return self.edges[min(int(reached), len(self.counts) - 1) + 1]

    def holds(self, samples: NDArray[np.float64]) -> bool:
        """Whether this is the histogram of exactly these samples."""
        return np.histogram(samples, self.edges)[0].tolist() == list(self.counts) and sum(
            self.counts
        ) == len(samples)


@dataclass(frozen=True, eq=False)
class Latencies:
    """Seconds of each call. `samples` and `blocks` (the interleaving block of each sample) are
    None where only the histogram was kept: see `raw`."""

    summary: dict[str, float]
    histogram: Histogram
    samples: NDArray[np.float64] | None = None
    blocks: NDArray[np.int64] | None = None

    @property
    def raw(self) -> bool:
        """Whether the samples themselves are here, and not only their histogram."""
        return self.samples is not None

    @property
    def count(self) -> int:
        """How many calls were measured."""
        return sum(self.histogram.counts)

    def percentile(self, rank: float) -> float:
        """Exact where the samples are here, otherwise at most 2 % too high."""
        if self.samples is None:
            return self.histogram.percentile(rank)
        return percentile(self.samples, rank)


def latencies(
    samples: ArrayLike, *, blocks: Sequence[int] | NDArray[np.int64] | None = None
) -> Latencies:
    """From raw seconds, one per call. Raises InputError for none, or for impossible ones."""
    seconds = np.array(samples, np.float64)
    if seconds.ndim != 1 or len(seconds) == 0:
        raise InputError(f"latencies of shape {seconds.shape}, expected one or more in a row")
    wrong = seconds[~((seconds >= 0.0) & (seconds < LONGEST))]
    if len(wrong):
        raise InputError(
            f"{len(wrong)} of {len(seconds)} latencies are impossible, the first is "
            f"{wrong[0]} s; expected 0 to {LONGEST:,.0f} s"
        )
    block_of_each = None if blocks is None else np.array(blocks, np.int64)
    if block_of_each is not None and block_of_each.shape != seconds.shape:
        raise InputError(f"{len(block_of_each)} blocks for {len(seconds)} latencies")
    return Latencies(_summary(seconds), _histogram(seconds), seconds, block_of_each)


def counted(counts: NDArray[np.int64], *, total: float, least: float, most: float) -> Latencies:
    """From how many lay in each bucket of GRID, (len(GRID) - 1,), where the samples were too many
    to keep: percentiles are at most 2 % too high, never too low. `total`: the sum of all seconds;
    `least` and `most` of them. Raises InputError for none."""
    filled = np.flatnonzero(counts)
    if len(filled) == 0:
        raise InputError("no latency was counted, expected one or more")
    first, last = int(filled[0]), int(filled[-1])
    histogram = Histogram(
        edges=tuple(GRID[first : last + 2].tolist()),
        counts=tuple(counts[first : last + 1].tolist()),
    )
    count = sum(histogram.counts)
    return Latencies(
        {"mean": total / count, "min": least, "max": most}
        | {name: histogram.percentile(CLAIMS[name]) for name in supported(count)},
        histogram,
    )


def _summary(seconds: NDArray[np.float64]) -> dict[str, float]:
    """Mean, extremes, and those percentiles that the count supports."""
    return {
        "mean": float(seconds.mean()),
        "min": float(seconds.min()),
        "max": float(seconds.max()),
    } | {name: percentile(seconds, CLAIMS[name]) for name in supported(len(seconds))}


def _histogram(seconds: NDArray[np.float64]) -> Histogram:
    first = int(np.searchsorted(GRID, seconds.min(), side="right")) - 1
    last = int(np.searchsorted(GRID, seconds.max(), side="right"))
    edges = GRID[first : last + 1]
    return Histogram(
        edges=tuple(edges.tolist()), counts=tuple(np.histogram(seconds, edges)[0].tolist())
    )
