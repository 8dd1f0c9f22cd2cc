"""From measured numbers to a verdict: pure, so that it can be tested with numbers made by hand.

A statement is confirmed only where its whole interval is on the right side of its bound, refuted
only where all of it is on the wrong side. In between, and where nothing was measured, it is
undecided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from measuring.bootstrap import Interval

Verdict = Literal["confirmed", "refuted", "undecided"]
Sense = Literal["above", "below", "equal"]


@dataclass(frozen=True)
class Finding:
    """`statement`: what would have to be so; `value` must be `sense` the `bound`, in `unit`.

    `value` None: not measured, and `reason` says why. `counts` False: told beside, and not part
    of what the claim says.
    """

    statement: str
    value: Interval | None
    sense: Sense
    bound: float
    unit: str = "times"
    reason: str = ""
    counts: bool = True

    @property
    def verdict(self) -> Verdict:
        """Of this statement alone."""
        if self.value is None:
            return "undecided"
        low, high = self.value.low, self.value.high
        if self.sense == "equal":
            return "confirmed" if low == high == self.bound else "refuted"
        right, wrong = (
            (low > self.bound, high < self.bound)
            if self.sense == "above"
            else (high < self.bound, low > self.bound)
        )
        if right:
            return "confirmed"
        return "refuted" if wrong else "undecided"


def verdict(findings: Sequence[Finding]) -> Verdict:
    """Of a claim: confirmed where every part of it is, refuted where one part is, or else
    undecided."""
    parts = [finding.verdict for finding in findings if finding.counts]
    if "refuted" in parts:
        return "refuted"
    return "confirmed" if parts and set(parts) == {"confirmed"} else "undecided"


def above(statement: str, value: Interval | None, bound: float, unit: str = "times") -> Finding:
    """Confirmed where all of `value` is above `bound`."""
    return Finding(statement, value, "above", bound, unit, _reason(value))


def below(statement: str, value: Interval | None, bound: float, unit: str = "times") -> Finding:
    """Confirmed where all of `value` is below `bound`."""
    return Finding(statement, value, "below", bound, unit, _reason(value))


def equal(statement: str, value: float, expected: float, unit: str = "") -> Finding:
    """Confirmed where a count is just that."""
    return Finding(statement, exactly(value), "equal", expected, unit)


def beside(statement: str, value: Interval | None, unit: str = "times") -> Finding:
    """A figure that is told and decides nothing."""
    return Finding(statement, value, "above", 0.0, unit, counts=False)


def exactly(value: float) -> Interval:
    """A number that was counted."""
    return Interval(value, value, value, 1.0)


def scaled(value: Interval | None, factor: float) -> Interval | None:
    """The interval of a multiple; `factor` above 0."""
    if value is None:
        return None
    return Interval(
        value.estimate * factor, value.low * factor, value.high * factor, value.confidence
    )


def inverse(value: Interval | None) -> Interval | None:
    """The interval of 1 / value, for values above 0."""
    if value is None:
        return None
    return Interval(1 / value.estimate, 1 / value.high, 1 / value.low, value.confidence)


def spread(values: Sequence[float]) -> Interval | None:
    """The middle of a few repeats, between the least and the most of them."""
    if not values:
        return None
    ordered = sorted(values)
    return Interval(ordered[len(ordered) // 2], ordered[0], ordered[-1], 1.0)


NOT_MEASURED = "not measured here"


def _reason(value: Interval | None) -> str:
    return NOT_MEASURED if value is None else ""
