"""The highest rate of Poisson arrivals at which a service keeps its SLO: its goodput.

Doubled or halved until one rate keeps it and one does not, bisected between them, and what was
found confirmed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

LOWEST = 0.1
"""Requests per second below which nothing is tried, unless something else is said."""


class Probed(Protocol):
    """What a probe at a rate tells."""

    @property
    def kept(self) -> bool:
        """The SLO was."""

    @property
    def undecided(self) -> str:
        """Why it cannot be told whether it was, such as a generator at its limit; nothing where it
        can."""


P = TypeVar("P", bound=Probed)


@dataclass(frozen=True)
class Effort:
    """`precision`: how far apart the highest kept and the lowest broken rate may be in the end, as
    a share of the kept one; `probes`: the most that are made."""

    precision: float = 0.05
    probes: int = 16


@dataclass(frozen=True, eq=False)
class Found(Generic[P]):
    """`kept`: the highest rate that kept the SLO, None where none did, and `best` its probe;
    `broken`: the lowest that broke it, None where none did. `ended`: why the search went no
    further; nothing where it came to its precision."""

    kept: float | None
    broken: float | None
    best: P | None
    probes: int
    ended: str = ""


def search(
    probe: Callable[[float], P], start: float, effort: Effort, *, lowest: float = LOWEST
) -> Found[P]:
    """From a first guess `start`, requests per second. The rate that is found has been kept twice:
    the highest of many is the one that was lucky, too. A probe that cannot decide ends the search,
    with what was found until then."""
    kept: dict[float, P] = {}
    broken: float | None = None
    rate = start
    for made in range(1, effort.probes + 1):
        found = probe(rate)
        if found.undecided:
            return _found(kept, broken, made, f"at {rate:.4g} requests/s: {found.undecided}")
        twice = found.kept and rate in kept
        if found.kept:
            kept[rate] = found
        else:
            broken = rate
            kept = {lower: it for lower, it in kept.items() if lower < rate}
        highest = max(kept, default=None)
        if highest is None or broken is None or broken > highest * (1.0 + effort.precision):
            rate = _next(highest, broken)
        elif twice:
            return _found(kept, broken, made)
        else:
            rate = highest
        if rate < lowest:
            return _found(kept, broken, made, f"{broken:.4g} requests/s is too many already")
    return _found(kept, broken, effort.probes, "the most probes that are made were made")


def _found(kept: dict[float, P], broken: float | None, probes: int, ended: str = "") -> Found[P]:
    highest = max(kept, default=None)
    return Found(highest, broken, None if highest is None else kept[highest], probes, ended)


def _next(kept: float | None, broken: float | None) -> float:
    """The geometric middle, since what counts is a share."""
    if broken is None:
        return 2.0 * (kept or LOWEST)
    if kept is None:
        return broken / 2.0
    middle: float = (kept * broken) ** 0.5
    return middle
