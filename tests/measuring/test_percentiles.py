import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from measuring.errors import InputError
from measuring.percentiles import claimed_percentile, least_count, percentile, supported


@pytest.mark.parametrize(
    ("rank", "count"),
    [(90.0, 64), (95.0, 130), (99.0, 662), (99.9, 6636)],
)
def test_least_count_is_that_of_mlperf(rank: float, count: int) -> None:
    assert least_count(rank) == count


@given(st.floats(1.0, 99.95))
def test_least_count_is_the_first_the_binomial_allows(rank: float) -> None:
    count = least_count(rank)
    chances = stats.binom.cdf(1, [count - 1, count], 1.0 - rank / 100.0)
    assert chances[0] > 0.01 * (1 - 1e-9)
    assert chances[1] <= 0.01 * (1 + 1e-9)


@pytest.mark.parametrize("rank", [0.0, 100.0, -1.0, float("nan")])
def test_least_count_of_an_impossible_rank_is_refused(rank: float) -> None:
    with pytest.raises(InputError, match="expected more than 0 and less than 100"):
        least_count(rank)


def test_least_count_of_an_impossible_confidence_is_refused() -> None:
    with pytest.raises(InputError, match=r"confidence is 1\.0"):
        least_count(99.0, confidence=1.0)


def test_percentile_is_the_nearest_rank() -> None:
    samples = np.arange(1.0, 11.0)  # 1 to 10
    assert percentile(samples, 50) == 5.0
    assert percentile(samples, 90) == 9.0
    assert percentile(samples, 91) == 10.0
    assert percentile(samples, 99) == 10.0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0.5, 99.5))
def test_percentile_is_a_sample_that_enough_do_not_exceed(values: list[float], rank: float) -> None:
    samples = np.array(values)
    found = percentile(samples, rank)
    assert found in values
    assert np.mean(samples <= found) >= rank / 100 - 1e-12
    assert np.mean(samples < found) <= rank / 100 + 1e-12


def test_percentile_of_no_samples_is_refused() -> None:
    with pytest.raises(InputError, match="no samples"):
        percentile(np.array([]), 50)


def test_claimed_percentile_of_enough_samples_is_given() -> None:
    assert claimed_percentile(np.arange(1.0, 663.0), 99) == 656.0  # ceil(655.38)


def test_claimed_percentile_of_too_few_samples_is_refused() -> None:
    with pytest.raises(InputError, match="p99 needs at least 662 samples, got 661; measure longer"):
        claimed_percentile(np.ones(661), 99)


def test_supported_names_what_the_count_allows() -> None:
    assert supported(10) == ()
    assert supported(64) == ("p50", "p90")
    assert supported(6636) == ("p50", "p90", "p95", "p99", "p99.9")
