"""What a lower precision does to right and wrong answers: both engines are asked about the same
pictures, and only the answers that flip count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from measuring.bootstrap import Interval, Resampling, clustered_interval
from measuring.errors import InputError

Answers = NDArray[np.int64]

Verdict = Literal["within", "beyond", "undecided"]


@dataclass(frozen=True)
class Flips:
    """`lost`: pictures answered rightly before and wrongly after, `gained` the other way round;
    `drop`: of the accuracy, in [-1, 1]; `agreement`: share of pictures with the same answer."""

    images: int
    originals: int
    lost: int
    gained: int
    drop: Interval
    agreement: Interval

    def judge(self, largest: float) -> Verdict:
        """Whether the accuracy drops by at most `largest`, as far as the pictures can tell."""
        if self.drop.high <= largest:
            return "within"
        return "beyond" if self.drop.low > largest else "undecided"


def paired_flips(
    before: Answers,
    after: Answers,
    *,
    labels: Answers,
    originals: Sequence[int] | Answers | None = None,
    resampling: Resampling | None = None,
) -> Flips:
    """`before` and `after` (N,): the class each engine answers for the same pictures; `labels`
    (N,): the right ones; `originals` (N,): the number of the picture that each was made of, by
    default its own.

    The intervals are of the originals: ten versions of one picture are no ten pictures. Raises
    InputError if the lengths differ or there are fewer than two originals.
    """
    count = len(labels)
    clusters = np.arange(count) if originals is None else np.asarray(originals, np.int64)
    if not len(before) == len(after) == len(clusters) == count:
        raise InputError(
            f"flips: {len(before)} answers before, {len(after)} after, {count} labels and "
            f"{len(clusters)} originals, expected as many of each"
        )
    drawn = resampling or Resampling()
    right_before, right_after = before == labels, after == labels
    dropped = right_before.astype(np.float64) - right_after.astype(np.float64)
    same = (before == after).astype(np.float64)
    return Flips(
        images=count,
        originals=len(np.unique(clusters)),
        lost=int((right_before & ~right_after).sum()),
        gained=int((~right_before & right_after).sum()),
        drop=clustered_interval(dropped, clusters, resampling=drawn),
        agreement=clustered_interval(same, clusters, resampling=drawn),
    )
