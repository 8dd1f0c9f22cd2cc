"""When requests are due: at random moments, as many independent clients make them, or evenly."""

from collections.abc import Iterator

import numpy as np

from loadtest.load import Open

_BLOCK = 4096
"""Moments made at a time: a run of days must not hold all of its own."""


def moments(
    traffic: Open, seconds: float, *, seed: int, part: int = 0, parts: int = 1
) -> Iterator[float]:
    """Seconds from the start, rising, below `seconds`: those of one of `parts` that share the rate.

    Poisson: gaps are exponential, and each part is a Poisson process of its own, which together
    are one of the whole rate. Constant: the parts take turns, so that together they are even.
    """
    if traffic.arrivals == "constant":
        yield from _even(traffic.rate, seconds, part, parts)
        return
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, part, parts])))
    mean, now = parts / traffic.rate, 0.0
    while True:
        block = now + np.cumsum(rng.exponential(mean, _BLOCK))
        now = float(block[-1])
        yield from block[block < seconds].tolist()
        if now >= seconds:
            return


def _even(rate: float, seconds: float, part: int, parts: int) -> Iterator[float]:
    number = part
    while (moment := number / rate) < seconds:
        yield moment
        number += parts
