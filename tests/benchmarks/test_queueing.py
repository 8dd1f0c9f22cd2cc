"""The simulation against closed forms, on fresh random arrivals."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.queueing import (
    mg_1_mean,
    mm_1_percentile,
    mm_k_mean,
    mm_k_waiting,
    poisson_arrivals,
    response_times,
    simulated,
)

COUNT = 200_000


def times(rate: float, seed: int) -> tuple[NDArray[np.float64], np.random.Generator]:
    return poisson_arrivals(rate, COUNT / rate, seed), np.random.Generator(np.random.PCG64(seed))


def test_response_times_by_hand() -> None:
    arrivals, services = np.array([0.0, 1.0, 1.5, 9.0]), np.array([4.0, 2.0, 1.0, 1.0])
    assert response_times(arrivals, services, servers=1).tolist() == [4.0, 5.0, 5.5, 1.0]
    assert response_times(arrivals, services, servers=2).tolist() == [4.0, 2.0, 2.5, 1.0]


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (2, 1.4), (4, 3.2)])
def test_mm_k_agrees_with_erlang(servers: int, load: float) -> None:
    rate, service = load / 0.005, 0.005
    arrivals, rng = times(rate, seed=servers)
    services = rng.exponential(service, len(arrivals))
    found = response_times(arrivals, services, servers=servers)
    assert found.mean() == pytest.approx(mm_k_mean(rate, service, servers), rel=0.04)
    assert np.mean(found > services + 1e-9) == pytest.approx(mm_k_waiting(load, servers), rel=0.03)


def test_mm_1_percentile_is_exponential() -> None:
    arrivals, rng = times(140.0, seed=5)
    found = response_times(arrivals, rng.exponential(0.005, len(arrivals)), servers=1)
    assert np.percentile(found, 99) == pytest.approx(mm_1_percentile(140.0, 0.005, 99), rel=0.08)


@pytest.mark.parametrize("load", [0.5, 0.7, 0.85])
def test_md_1_agrees_with_pollaczek_and_khinchine(load: float) -> None:
    arrivals, _ = times(load / 0.005, seed=7)
    found = simulated(arrivals, np.array([0.005]), servers=1, repetitions=1, seed=0)
    assert found.mean() == pytest.approx(mg_1_mean(load / 0.005, [0.005]), rel=0.04)
    assert mg_1_mean(load / 0.005, [0.005]) == pytest.approx(0.005 * (1 + load / (2 - 2 * load)))


def test_mg_1_of_two_kinds_of_request_agrees_with_pollaczek_and_khinchine() -> None:
    measured = np.array([0.002, 0.002, 0.002, 0.014])
    arrivals, _ = times(140.0, seed=9)
    found = simulated(arrivals, measured, servers=1, repetitions=2, seed=1)
    assert len(found) == 2 * len(arrivals)
    assert found.mean() == pytest.approx(mg_1_mean(140.0, measured), rel=0.05)


def test_poisson_arrivals_are_random_in_number_and_gap() -> None:
    arrivals = poisson_arrivals(1_000.0, 100.0, seed=3)
    gaps = np.diff(arrivals)
    assert len(arrivals) == pytest.approx(100_000, rel=0.02)
    assert gaps.min() >= 0
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.02)
    assert arrivals[-1] < 100.0
