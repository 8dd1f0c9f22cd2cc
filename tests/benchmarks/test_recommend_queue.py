"""Predictions against queueing theory, whose formulas know nothing of the simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.recommend_choices import Choice, choices
from benchmarks.recommend_queue import capacity, predict, sustained
from measuring.latencies import Latencies, latencies
from tests.benchmarks.hand_made import bench, sweep


def choice(samples: NDArray[np.float64], *, instances: int = 1) -> Choice:
    (found,), _ = choices([bench(samples=samples, instances=instances)], {})
    return found


def exponential(mean: float, count: int = 5000) -> NDArray[np.float64]:
    """Evenly spaced quantiles of an exponential distribution."""
    return -mean * np.log1p(-(np.arange(count) + 0.5) / count)


@pytest.mark.parametrize("load", [0.2, 0.5, 0.7])
def test_predict_exponential_calls_of_one_instance_are_as_in_mm1(load: float) -> None:
    """The time in an M/M/1 queue is exponential with rate mu - lambda."""
    mean = 0.01
    found = predict(choice(exponential(mean)), load / mean, 90.0).seconds
    assert found == pytest.approx(math.log(10.0) * mean / (1.0 - load), rel=0.1)


def test_predict_equal_calls_of_one_instance_wait_as_in_md1() -> None:
    """The mean wait in M/D/1 is rho / (2 (1 - rho)) calls (Pollaczek and Khinchine); the median
    and the mean differ, so the mean is put together from many percentiles."""
    load, call = 0.6, 0.01
    way = choice(np.full(700, call))
    ranks = np.arange(0.5, 100.0, 1.0)
    mean = np.mean([predict(way, load / call, float(rank)).seconds for rank in ranks])
    assert mean - call == pytest.approx(call * load / (2.0 * (1.0 - load)), rel=0.1)


def test_predict_two_instances_wait_as_erlang_says() -> None:
    """M/M/2: the share that waits is C, and waits exponentially with rate 2 mu - lambda; so of
    requests with the same call, those beyond the percentile are known."""
    mean, load = 0.01, 0.7
    offered = 2.0 * load
    waits = (offered**2 / 2.0) / ((1.0 - load) * (1.0 + offered) + offered**2 / 2.0)
    one, rate = 1.0 / mean, (2.0 - offered) / mean

    def longer(t: float) -> float:
        """P(wait + call > t), by folding the two."""
        folded = (rate * math.exp(-one * t) - one * math.exp(-rate * t)) / (rate - one)
        return (1.0 - waits) * math.exp(-one * t) + waits * folded

    found = predict(choice(exponential(mean), instances=2), offered / mean, 90.0).seconds
    assert longer(found) == pytest.approx(0.1, rel=0.12)


def test_predict_with_nobody_else_is_the_call_itself() -> None:
    samples = np.linspace(0.010, 0.020, 1001)
    assert predict(choice(samples), 0.01, 99.0).seconds == pytest.approx(0.0199, rel=0.01)


def test_predict_beyond_capacity_has_no_end() -> None:
    way = choice(np.full(100, 0.01))
    assert capacity(way) == pytest.approx(100.0)
    assert predict(way, 101.0, 99.0).seconds == math.inf
    assert predict(way, 101.0, 99.0).utilisation == pytest.approx(1.01)


def test_predict_batches_what_waits_up_to_max_batch() -> None:
    small, large = (
        next(it for it in choices(sweep(t0=0.008, per_image=0.001), {})[0] if it.max_batch == size)
        for size in (1, 8)
    )
    assert predict(small, 100.0, 99.0).batch == 1.0
    assert 1.0 < predict(large, 400.0, 99.0).batch <= 8.0
    assert predict(small, 400.0, 99.0).seconds == math.inf
    assert predict(large, 400.0, 99.0).seconds < 0.050


@pytest.mark.parametrize(
    ("t0", "per_image", "max_batch", "load", "p99"),
    [
        pytest.param(0.8e-3, 0.05e-3, 32, 0.3, 2.26e-3, id="gpu-like-30"),
        pytest.param(0.8e-3, 0.05e-3, 32, 0.6, 3.14e-3, id="gpu-like-60"),
        pytest.param(0.8e-3, 0.05e-3, 32, 0.8, 4.12e-3, id="gpu-like-80"),
        pytest.param(0.5e-3, 4e-3, 32, 0.3, 16.3e-3, id="cpu-like-30"),
        pytest.param(0.5e-3, 4e-3, 32, 0.6, 33.6e-3, id="cpu-like-60"),
        pytest.param(0.5e-3, 4e-3, 1, 0.6, 31.0e-3, id="cpu-like-60-without-batching"),
    ],
)
def test_predict_is_as_another_simulation_of_the_same_queue_found(
    t0: float, per_image: float, max_batch: int, load: float, p99: float
) -> None:
    """Figures of a simulation made before this one was written: one instance, T(b) exact, load as
    a share of the capacity with batches of 32."""
    records = [
        bench(batch=size, samples=np.full(100, t0 + per_image * size)) for size in (1, max_batch)
    ]
    way = choices(records, {})[0][-1]
    rate = load * 32 / (t0 + 32 * per_image)
    assert predict(way, rate, 99.0).seconds == pytest.approx(p99, rel=0.1)


def test_predict_between_measured_sizes_is_in_proportion() -> None:
    """Sizes 1 and 3 measured: with two waiting, a call takes what lies halfway."""
    halfway = choices(sweep(t0=0.0, per_image=0.01, sizes=(1, 3)), {})[0][-1]
    all_sizes = choices(sweep(t0=0.0, per_image=0.01, sizes=(1, 2, 3)), {})[0][-1]
    for rate in (50.0, 90.0):
        expected = predict(all_sizes, rate, 99.0).seconds
        assert predict(halfway, rate, 99.0).seconds == pytest.approx(expected, rel=0.02)


def test_predict_from_the_histogram_alone_is_as_from_the_samples() -> None:
    samples = np.random.Generator(np.random.PCG64(3)).gamma(9.0, 0.001, 2000)
    whole = latencies(samples)
    record = bench(samples=samples)
    (raw,), _ = choices([record], {})
    kept = Latencies(whole.summary, whole.histogram)
    (histogram,), _ = choices([replace(record, latencies=kept)], {})
    expected = predict(raw, 60.0, 99.0).seconds
    assert predict(histogram, 60.0, 99.0).seconds == pytest.approx(expected, rel=0.03)


def test_predict_is_the_same_each_time() -> None:
    first, second = (choice(exponential(0.01)) for _ in range(2))
    assert predict(first, 60.0, 99.0) == predict(second, 60.0, 99.0)


def test_sustained_is_the_highest_rate_within_the_slo() -> None:
    way = choice(exponential(0.002))
    rate = sustained(way, 0.020, 99.0)
    assert predict(way, rate, 99.0).seconds <= 0.020
    assert predict(way, rate * 1.05, 99.0).seconds > 0.020
    assert rate == pytest.approx(500.0 - math.log(100.0) / 0.020, rel=0.1)  # M/M/1


def test_sustained_is_nothing_where_a_call_alone_takes_longer() -> None:
    assert sustained(choice(np.full(100, 0.03)), 0.020, 99.0) == 0.0
