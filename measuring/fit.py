"""How the time of a batch grows with its size: a fixed part and a part per picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError


@dataclass(frozen=True)
class BatchCost:
    """T(b) = t0 + per_image * b, in seconds; neither is negative.

    `residual`: root mean square of (fitted - measured) / measured; above about 0.1 the line does
    not describe the machine and `predicted` should not be trusted.
    """

    t0: float
    per_image: float
    residual: float

    def predicted(self, batch_size: float) -> float:
        """Seconds that one batch takes."""
        return self.t0 + self.per_image * batch_size

    def throughput(self, batch_size: float) -> float:
        """Images per second when batches of this size follow one another."""
        return batch_size / self.predicted(batch_size)


def fit_batch_cost(batch_sizes: Sequence[int], seconds: Sequence[float]) -> BatchCost:
    """Least squares on relative errors, since a batch that takes longer also varies more.

    `seconds[i]` is a typical (median) time of a batch of `batch_sizes[i]`. Raises InputError for
    fewer than two different sizes, sizes below 1 or times that are not above 0.
    """
    if len(batch_sizes) != len(seconds) or len(set(batch_sizes)) < 2:
        raise InputError(
            f"batch cost: {len(seconds)} times for the batch sizes {list(batch_sizes)}, "
            "expected one time for each, and at least two different sizes"
        )
    sizes, times = np.array(batch_sizes, np.float64), np.array(seconds, np.float64)
    if sizes.min() < 1 or not np.all(np.isfinite(times) & (times > 0)):
        raise InputError(
            f"batch cost: batch sizes {list(batch_sizes)} took {list(seconds)} s, "
            "expected sizes from 1 and finite times above 0"
        )
    t0, per_image = _non_negative_line(sizes, times)
    errors = (t0 + per_image * sizes) / times - 1.0
    return BatchCost(t0, per_image, float(np.sqrt(np.mean(errors * errors))))


def _non_negative_line(
    sizes: NDArray[np.float64], times: NDArray[np.float64]
) -> tuple[float, float]:
    """The best line; where it would start below 0 or fall, the best one that does not.

    With two coefficients at most one can be negative, and the best is then on its boundary.
    """
    constant, slope = 1.0 / times, sizes / times  # columns of the problem scaled to target 1
    cc, cs, ss = constant @ constant, constant @ slope, slope @ slope
    c, s = constant.sum(), slope.sum()
    determinant = cc * ss - cs * cs
    t0, per_image = (ss * c - cs * s) / determinant, (cc * s - cs * c) / determinant
    if t0 < 0.0:
        return 0.0, float(s / ss)
    if per_image < 0.0:
        return float(c / cc), 0.0
    return float(t0), float(per_image)
