"""SLOs: how they are written, and when they are kept."""

import math
from dataclasses import dataclass

import pytest

from loadtest.slo import Bound, judge, parse
from measuring.errors import InputError
from measuring.percentiles import least_count


@dataclass(frozen=True)
class Told:
    """One latency for all percentiles."""

    answered: int = 10_000
    error_share: float = 0.0
    images_per_second: float = 100.0
    seconds: float = 0.010

    def percentile(self, _rank: float, /) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("p99=20ms", [("p99", 0.02)]),
        ("p99.9 <= 1s, p50=250us", [("p99.9", 1.0), ("p50", 0.00025)]),
        ("errors=0.1%", [("errors", 0.001)]),
        ("errors=0", [("errors", 0.0)]),
        ("errors<=0.25, throughput>=200", [("errors", 0.25), ("throughput", 200.0)]),
        ("throughput=12.5/s", [("throughput", 12.5)]),
        ("throughput=20000", [("throughput", 20_000.0)]),
    ],
)
def test_bounds_are_read(text: str, bounds: list[tuple[str, float]]) -> None:
    slo = parse(text)

    assert {bound.name: bound.limit for bound in slo.bounds} == pytest.approx(dict(bounds))
    assert [b.limit for b in parse(slo.text).bounds] == pytest.approx([b.limit for b in slo.bounds])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no bound"),
        ("p99", "'p99' is no bound"),
        ("p99=20", "p99=20ms"),
        ("p99=0ms", "is not understood"),
        ("p100=20ms", "is not understood"),
        ("p99=20min", "is not understood"),
        ("p99=1.2.3ms", "is not understood"),
        ("latency=20ms", "is not understood"),
        ("errors=120%", "is not understood"),
        ("throughput=0", "is not understood"),
        ("p99>=20ms", "sign the wrong way round"),
        ("throughput<=20", "sign the wrong way round"),
        ("p99=20ms,p99=30ms", "has p99 twice"),
        ("p99=20ms,p99.0=30ms", "has p99 twice"),
    ],
)
def test_what_is_no_slo_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse(text)


def test_broken_bounds_say_by_how_much() -> None:
    slo = parse("p99=8ms,errors=0.1%,throughput=200")

    verdicts = judge(slo, Told(error_share=0.003))

    assert [verdict.kept for verdict in verdicts] == [False, False, False]
    assert [verdict.words for verdict in verdicts] == [
        "p99 is 10ms, 2ms (25%) over the bound of 8ms",
        "errors are 0.3%, 0.2% (200%) over the bound of 0.1%",
        "throughput is 100, 100 (50%) under the bound of 200",
    ]


def test_bounds_are_kept_at_the_bound_itself() -> None:
    slo = parse("p99=10ms,errors=0,throughput=100")

    assert all(verdict.kept for verdict in judge(slo, Told()))


@pytest.mark.parametrize("rank", [50.0, 99.0, 99.9])
def test_too_few_answers_keep_no_percentile(rank: float) -> None:
    slo = parse(f"p{rank:g}=1s")
    needed = least_count(rank)

    (few,), (enough,) = (judge(slo, Told(answered=count)) for count in (needed - 1, needed))

    assert (few.kept, few.measured) == (False, None)
    assert f"n too small, {needed - 1:,} answers of the {needed:,} it needs" in few.words
    assert enough.kept
    assert slo.needed == needed


def test_percentile_among_what_failed_has_no_end() -> None:
    (verdict,) = judge(parse("p99=20ms"), Told(seconds=math.inf))

    assert not verdict.kept
    assert "more than 1% were not answered rightly" in verdict.words


def test_throughput_can_be_taken_out() -> None:
    slo = parse("p99=20ms,throughput=5")

    assert slo.throughput == 5.0
    assert slo.without_throughput().bounds == (Bound("p99", 0.02),)
