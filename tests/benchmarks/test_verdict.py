"""A verdict is a function of numbers: on each side of the bound, across it, and without any."""

import pytest

from benchmarks.claims.verdict import (
    Finding,
    above,
    below,
    beside,
    equal,
    exactly,
    inverse,
    scaled,
    spread,
    verdict,
)
from measuring.bootstrap import Interval


def between(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 0.95)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(between(1.1, 1.4), "confirmed", id="all-above"),
        pytest.param(between(0.6, 0.9), "refuted", id="all-below"),
        pytest.param(between(0.9, 1.2), "undecided", id="across"),
        pytest.param(between(1.0, 1.2), "undecided", id="touching"),
        pytest.param(None, "undecided", id="not-measured"),
    ],
)
def test_above_needs_the_whole_interval(value: Interval | None, expected: str) -> None:
    assert above("a ratio", value, 1.0).verdict == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(between(0.6, 0.9), "confirmed", id="all-below"),
        pytest.param(between(1.1, 1.4), "refuted", id="all-above"),
        pytest.param(between(0.9, 1.2), "undecided", id="across"),
    ],
)
def test_below_needs_the_whole_interval(value: Interval, expected: str) -> None:
    assert below("a ratio", value, 1.0).verdict == expected


def test_equal_is_for_counts() -> None:
    assert equal("weights", 843, 843).verdict == "confirmed"
    assert equal("weights", 844, 843).verdict == "refuted"


def test_what_was_not_measured_says_so() -> None:
    assert above("a ratio", None, 1.0).reason == "not measured here"
    assert above("a ratio", between(1, 2), 1.0).reason == ""


_YES, _NO = above("yes", between(2, 3), 1.0), above("no", between(0.1, 0.2), 1.0)
_OPEN = above("open", None, 1.0)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        pytest.param([_YES, _YES], "confirmed", id="every-part"),
        pytest.param([_YES, _NO], "refuted", id="one-part-not"),
        pytest.param([_YES, _OPEN], "undecided", id="one-part-open"),
        pytest.param([_OPEN, _NO], "refuted", id="open-and-not"),
        pytest.param([], "undecided", id="nothing"),
        pytest.param([_YES, beside("told", between(0.1, 0.2))], "confirmed", id="told-beside"),
        pytest.param([beside("told", between(2, 3))], "undecided", id="only-told-beside"),
    ],
)
def test_claim_is_as_good_as_its_parts(findings: list[Finding], expected: str) -> None:
    assert verdict(findings) == expected


def test_intervals_follow_their_numbers() -> None:
    value = Interval(2.0, 1.0, 4.0, 0.95)

    assert scaled(value, 3.0) == Interval(6.0, 3.0, 12.0, 0.95)
    assert inverse(value) == Interval(0.5, 0.25, 1.0, 0.95)
    assert scaled(None, 3.0) is None
    assert inverse(None) is None
    assert spread([3.0, 1.0, 2.0]) == Interval(2.0, 1.0, 3.0, 1.0)
    assert spread([]) is None
    assert exactly(4.4) == Interval(4.4, 4.4, 4.4, 1.0)
