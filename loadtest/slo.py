"""An SLO: bounds on latency percentiles, on the share of errors and on throughput.

`p99=20ms, errors=0.1%, throughput=200`: 99 of 100 requests within 20 ms, at most one in a thousand
failed, at least 200 images per second.
"""

import math
import re
from dataclasses import dataclass
from typing import Protocol

from measuring.errors import InputError
from measuring.percentiles import least_count

ERRORS, THROUGHPUT = "errors", "throughput"
EXAMPLE = "p99=20ms,errors=0.1%,throughput=200"
_TERM = re.compile(r"\s*([a-z][a-z0-9.]*)\s*(<=|>=|=)\s*([0-9.]+)\s*([a-zA-Zµ%/]*)\s*", re.ASCII)
_RANK = re.compile(r"p(\d+(?:\.\d+)?)", re.ASCII)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class Figures(Protocol):
    """What bounds are held against."""

    @property
    def answered(self) -> int:
        """Requests with a latency, from which percentiles are taken."""

    @property
    def error_share(self) -> float:
        """Of the requests, those that failed."""

    @property
    def images_per_second(self) -> float:
        """Answered ones."""

    def percentile(self, rank: float) -> float:
        """Seconds."""


@dataclass(frozen=True)
class Bound:
    """`name`: `p99`, `errors` or `throughput`; `limit`: seconds, a share, images per second."""

    name: str
    limit: float

    @property
    def rank(self) -> float | None:
        """99.0 for `p99`, None for what is no percentile."""
        found = _RANK.fullmatch(self.name)
        return float(found[1]) if found else None

    @property
    def text(self) -> str:
        """As it is asked for."""
        return f"{self.name}={_written(self.name, self.limit, digits=12)}"


@dataclass(frozen=True)
class Slo:
    """All of them have to be kept."""

    bounds: tuple[Bound, ...]

    @property
    def text(self) -> str:
        """As it is asked for."""
        return ",".join(bound.text for bound in self.bounds)

    @property
    def needed(self) -> int:
        """The answers that its highest percentile takes to be claimed."""
        ranks = [bound.rank for bound in self.bounds if bound.rank is not None]
        return max((least_count(rank) for rank in ranks), default=1)

    @property
    def throughput(self) -> float | None:
        """The images per second it asks for."""
        limits = [bound.limit for bound in self.bounds if bound.name == THROUGHPUT]
        return limits[0] if limits else None

    @property
    def p99(self) -> float | None:
        """Seconds that 99 of 100 requests may take, which is what LoadGen judges by."""
        limits = [bound.limit for bound in self.bounds if bound.rank == 99.0]
        return limits[0] if limits else None

    def without_throughput(self) -> "Slo":
        """What a rate has to keep that is itself looked for."""
        return Slo(tuple(bound for bound in self.bounds if bound.name != THROUGHPUT))


@dataclass(frozen=True)
class Verdict:
    """Of one bound at one point. `measured` is None where the answers are too few to say: then it
    is not kept either, since a gate must not open for want of evidence."""

    bound: Bound
    measured: float | None
    kept: bool
    words: str


def parse(text: str) -> Slo:
    """`p99=20ms,errors=0.1%,throughput=200`, one bound or more. Raises InputError for anything
    else, and for a bound that is given twice."""
    bounds = [_bound(term, text) for term in text.split(",") if term.strip()]
    if not bounds:
        raise InputError(f"SLO {text!r} has no bound, expected some such as {EXAMPLE}")
    names = [bound.name for bound in bounds]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"SLO {text!r} has {twice[0]} twice; leave one of them out")
    return Slo(tuple(bounds))


def judge(slo: Slo, figures: Figures) -> tuple[Verdict, ...]:
    """One verdict for each bound."""
    return tuple(_judge(bound, figures) for bound in slo.bounds)


def _bound(term: str, text: str) -> Bound:
    found = _TERM.fullmatch(term)
    if found is None:
        raise InputError(f"SLO {text!r}: {term.strip()!r} is no bound, expected e.g. {EXAMPLE}")
    name, sign, number, unit = found.groups()
    limit = _limit(name, number, unit)
    if limit is None:
        raise InputError(
            f"SLO {text!r}: {term.strip()!r} is not understood; expected a percentile with us, ms "
            "or s (p99=20ms), errors as a share (errors=0.1% or 0.001), or images per second "
            "(throughput=200)"
        )
    if sign != "=" and (sign == ">=") != (name == THROUGHPUT):
        raise InputError(
            f"SLO {text!r}: {term.strip()!r} has its sign the wrong way round: latencies and "
            "errors have an upper bound (=, <=), throughput a lower one (=, >=)"
        )
    rank = _RANK.fullmatch(name)
    return Bound(f"p{float(rank[1]):.12g}" if rank else name, limit)


def _limit(name: str, number: str, unit: str) -> float | None:
    """None where the three do not go together."""
    try:
        value = float(number)
    except ValueError:
        return None
    if name == ERRORS and unit in ("", "%"):
        share = value / 100.0 if unit else value
        return share if 0.0 <= share <= 1.0 else None
    if name == THROUGHPUT and unit in ("", "/s", "images/s"):
        return value if value > 0.0 else None
    rank = _RANK.fullmatch(name)
    if rank is None or not 0.0 < float(rank[1]) < 100.0 or unit not in _SECONDS:
        return None
    return value * _SECONDS[unit] if 0.0 < value < math.inf else None


def _judge(bound: Bound, figures: Figures) -> Verdict:
    if bound.rank is None:
        at_least = bound.name == THROUGHPUT
        measured = figures.images_per_second if at_least else figures.error_share
        kept = measured >= bound.limit if at_least else measured <= bound.limit
        return Verdict(bound, measured, kept, _words(bound, measured, kept=kept))
    needed = least_count(bound.rank)
    if figures.answered < needed:
        words = (
            f"{bound.name} cannot be told: n too small, {figures.answered:,} answers of the "
            f"{needed:,} it needs; measure longer, or bound a lower percentile"
        )
        return Verdict(bound, None, False, words)
    measured = figures.percentile(bound.rank)
    kept = measured <= bound.limit
    return Verdict(bound, measured, kept, _words(bound, measured, kept=kept))


def _words(bound: Bound, measured: float, *, kept: bool) -> str:
    """`p99 is 31.2 ms, 11.2 ms (56 %) over the bound of 20 ms`."""
    if math.isinf(measured):
        share = f"{100.0 - (bound.rank or 0.0):.6g}%"
        return f"{bound.name} has no end: more than {share} were not answered rightly"
    verb = "are" if bound.name == ERRORS else "is"
    is_ = f"{bound.name} {verb} {_written(bound.name, measured)}"
    limit = _written(bound.name, bound.limit)
    if kept:
        return f"{is_}, within {limit}"
    away = _written(bound.name, abs(measured - bound.limit))
    side = "under" if bound.name == THROUGHPUT else "over"
    share = f" ({abs(measured / bound.limit - 1.0):.0%})" if bound.limit > 0.0 else ""
    return f"{is_}, {away}{share} {side} the bound of {limit}"


def _written(name: str, value: float, *, digits: int = 4) -> str:
    """With the unit it is read in."""
    if name == ERRORS:
        return f"{value * 100.0:.{digits}g}%"
    if name == THROUGHPUT:
        return f"{value:.{digits}g}" if value < 1e4 else f"{value:.0f}"
    for unit, seconds in (("s", 1.0), ("ms", 1e-3)):
        if value >= seconds:
            return f"{value / seconds:.{digits}g}{unit}"
    return f"{value * 1e6:.{digits}g}us"
