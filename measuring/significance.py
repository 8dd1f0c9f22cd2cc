"""Which differences are more than noise: an exact test on pairs, corrected for many of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from measuring.bootstrap import Ratio, block_interval
from measuring.errors import InputError


@dataclass(frozen=True)
class Comparison:
    """How many times what one takes the other takes, `ratio` of `slower` to `faster`, by blocks;
    `p_value`: the chance of such differences if it were at most 1 + margin."""

    ratio: Ratio
    p_value: float


def compare_blocks(
    faster: NDArray[np.float64], slower: NDArray[np.float64], *, margin: float
) -> Comparison:
    """Two things that were timed in the same blocks: seconds (blocks,) of each.

    A difference below `margin` is none: what changes from one run to the next does not show in
    the blocks of one. Raises InputError for seconds of
    other blocks, or fewer than two.
    """
    if faster.shape != slower.shape:
        raise InputError(
            f"compare: {len(faster)} blocks against {len(slower)}, expected the same blocks"
        )
    logarithms = np.log(slower / faster)
    found = block_interval(logarithms)
    estimate, low, high = (math.exp(it) for it in (found.estimate, found.low, found.high))
    return Comparison(
        Ratio(estimate, low, high, found.confidence),
        signed_rank(logarithms - math.log1p(margin)),
    )


def signed_rank(differences: ArrayLike) -> float:
    """The chance of a sum of ranks of positive differences as large as this one, if each were as
    likely to be negative: Wilcoxon's signed-rank test, one-sided, exact.

    Small where the differences (N,) are above 0. Zeros are left out, equal ones share their rank,
    rounded against significance. Source: Wilcoxon, Biometrics Bulletin 1, 1945.
    """
    values = np.array(differences, np.float64)
    values = values[values != 0.0]
    if len(values) == 0:
        return 1.0
    ranks = _doubled_ranks(np.abs(values))
    ways = _sums(ranks)
    reached = int(ranks[values > 0.0].sum())
    return min(1.0, float(ways[reached:].sum()))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The same chances, corrected so that all those below a level hold together at that level.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    for value in p_values:
        if not 0.0 <= value <= 1.0:
            raise InputError(f"holm: received a probability of {value}, expected 0 to 1")
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for position, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - position)))
        corrected[index] = largest
    return tuple(corrected)


def _doubled_ranks(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Twice the rank of each, the mean rank for equal ones: twice, to stay whole."""
    _, group, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled: NDArray[np.int64] = (2 * last - counts + 1)[group]
    return doubled


def _sums(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chance of each sum, where each rank is in it or not with equal chances."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks.tolist():
        moved = np.zeros_like(chances)
        moved[rank:] = chances[:-rank]
        chances = (chances + moved) / 2.0
    return chances
