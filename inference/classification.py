"""Logits to labelled answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError, StrideError

DEFAULT_K = 5
"""Classes of an answer where nobody says how many, or all where there are fewer."""


@dataclass(frozen=True)
class Prediction:
    """One class and how likely it is, in [0, 1]."""

    label: str
    index: int
    probability: float


def top_k(logits: NDArray[np.floating], k: int, labels: Sequence[str]) -> tuple[Prediction, ...]:
    """The k likeliest classes of one picture, most likely first; equals in order of their index.

    `logits` (classes,), one label for each. Raises InputError for a k outside 1 to classes or
    labels of another number, and StrideError for logits that are no finite numbers.
    """
    classes = len(labels)
    if logits.shape != (classes,):
        raise InputError(
            f"top-k: got logits of shape {logits.shape} for {classes:,} labels, "
            "expected one logit for each label"
        )
    if not 1 <= k <= classes:
        raise InputError(f"k is {k}, expected 1 to {classes:,}, the number of classes")
    best, probabilities = most_likely(logits, k)
    return tuple(map(Prediction, [labels[index] for index in best], best, probabilities))


def most_likely(logits: NDArray[np.floating], k: int) -> tuple[list[int], list[float]]:
    """Indices and probabilities of the k likeliest classes, as `top_k` has them, for a k that fits.

    On the path of every request: numpy's methods and ufuncs, since its functions go through
    several calls of Python each.
    """
    classes = len(logits)
    exact = logits.astype(np.float64)
    if not np.logical_and.reduce(np.isfinite(exact)):
        raise StrideError(
            f"the engine answered {np.count_nonzero(~np.isfinite(exact)):,} of {classes:,} logits "
            "that are not finite; run `stride verify` on the artifact"
        )
    weights = np.exp(exact - np.maximum.reduce(exact))
    ordered = exact.copy()
    ordered.partition(classes - k)
    (above,) = (exact >= ordered[classes - k]).nonzero()  # more where several equal the last
    best = above[(-exact[above]).argsort(kind="stable")[:k]]
    return best.tolist(), (weights[best] / np.add.reduce(weights)).tolist()
