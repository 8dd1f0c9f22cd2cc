"""The search against services whose limit is known."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from loadtest.search import Effort, Found, search


@dataclass(frozen=True)
class Told:
    rate: float
    kept: bool
    undecided: str = ""


def service(limit: float, *, generator: float = 1e9) -> Callable[[float], Told]:
    """Keeps its SLO up to `limit`; beyond `generator` nobody can say."""

    def probe(rate: float) -> Told:
        return Told(rate, rate <= limit, "the generator was the limit" * (rate > generator))

    return probe


@pytest.mark.parametrize("limit", [0.7, 13.0, 100.0, 999.0, 40_000.0])
@pytest.mark.parametrize("start", [1.0, 100.0, 5_000.0])
def test_limit_lies_between_the_kept_and_the_broken_rate(limit: float, start: float) -> None:
    found = search(service(limit), start, Effort(precision=0.05, probes=40))

    assert found.ended == ""
    assert found.kept is not None
    assert found.broken is not None
    assert found.kept <= limit < found.broken
    assert found.broken / found.kept <= 1.05
    assert found.best == Told(found.kept, True)


def test_no_rate_is_kept() -> None:
    found = search(service(0.0), 10.0, Effort())

    assert (found.kept, found.best) == (None, None)
    assert found.broken == pytest.approx(10 / 64)
    assert found.ended == "0.1562 requests/s is too many already"


def test_probes_are_bounded() -> None:
    made: list[float] = []

    def probe(rate: float) -> Told:
        made.append(rate)
        return Told(rate, kept=True)

    found = search(probe, 1.0, Effort(probes=6))

    assert made == [1, 2, 4, 8, 16, 32]
    assert (found.kept, found.broken, found.probes) == (32.0, None, 6)
    assert found.ended == "the most probes that are made were made"


def test_probe_that_cannot_decide_ends_it_with_a_reason() -> None:
    found: Found[Told] = search(service(1e6, generator=300.0), 50.0, Effort())

    assert (found.kept, found.broken) == (200.0, None)
    assert found.ended == "at 400 requests/s: the generator was the limit"


def test_rate_that_was_kept_by_luck_is_not_found() -> None:
    """Beyond 100 a rate is kept the first time it is asked about, up to 150."""
    asked: list[float] = []

    def probe(rate: float) -> Told:
        lucky = rate <= 150 and rate not in asked
        asked.append(rate)
        return Told(rate, rate <= 100 or lucky)

    found = search(probe, 60.0, Effort(probes=40))

    assert found.kept is not None
    assert found.kept <= 100
    assert asked.count(found.kept) == 2
