"""Arrivals: random ones are a Poisson process, even ones are even, and parts make up the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from loadtest.arrivals import moments
from loadtest.load import Open


@pytest.mark.parametrize("seed", range(5))
def test_poisson_gaps_are_exponential(seed: int) -> None:
    found = np.fromiter(moments(Open(400.0), 25.0, seed=seed), np.float64)
    gaps = np.diff(found, prepend=0.0)
    assert stats.kstest(gaps, stats.expon(scale=1 / 400.0).cdf).pvalue > 0.01
    # gaps tell nothing of their neighbours
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / np.sqrt(len(gaps))


@pytest.mark.parametrize("parts", [2, 5])
def test_parts_of_a_poisson_process_are_one_together(parts: int) -> None:
    alone = [
        np.fromiter(moments(Open(500.0), 20.0, seed=3, part=part, parts=parts), np.float64)
        for part in range(parts)
    ]
    together = np.sort(np.concatenate(alone))
    gaps = np.diff(together, prepend=0.0)
    assert stats.kstest(gaps, stats.expon(scale=1 / 500.0).cdf).pvalue > 0.01
    assert abs(len(together) - 10_000) < 4 * np.sqrt(10_000)
    for part in alone:
        assert abs(len(part) - 10_000 / parts) < 4 * np.sqrt(10_000 / parts)


def test_seed_and_part_decide_the_moments() -> None:
    def made(seed: int, part: int) -> list[float]:
        return list(moments(Open(100.0), 1.0, seed=seed, part=part, parts=2))

    assert made(1, 0) == made(1, 0)
    assert len({tuple(made(seed, part)) for seed in (1, 2) for part in (0, 1)}) == 4


@given(
    rate=st.floats(0.5, 3000.0),
    seconds=st.floats(0.05, 2.0),
    parts=st.integers(1, 6),
)
def test_even_arrivals_are_as_many_as_asked_for(rate: float, seconds: float, parts: int) -> None:
    traffic = Open(rate, "constant")
    alone = [list(moments(traffic, seconds, seed=0, part=n, parts=parts)) for n in range(parts)]
    together = sorted(moment for part in alone for moment in part)
    assert together == list(moments(traffic, seconds, seed=0))
    expected = np.arange(int(np.ceil(rate * seconds)) + 1) / rate
    assert together == expected[expected < seconds].tolist()


@given(rate=st.floats(0.1, 20_000.0), seconds=st.floats(0.05, 1.0), seed=st.integers(0, 2**31))
def test_moments_rise_and_end_in_time(rate: float, seconds: float, seed: int) -> None:
    found = list(moments(Open(rate), seconds, seed=seed))
    assert found == sorted(found)
    assert all(0.0 <= moment < seconds for moment in found)


def test_moments_of_years_are_made_one_by_one() -> None:
    endless = moments(Open(1000.0), 1e9, seed=0)
    assert sum(1 for _ in zip(range(10_000), endless, strict=False)) == 10_000
