import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from measuring.errors import InputError
from measuring.latencies import Histogram, Latencies, latencies


def seconds() -> st.SearchStrategy[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    return arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(0.0, 999_999.0))


@given(seconds())
def test_latencies_histogram_holds_its_own_samples(
    samples: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    found = latencies(samples)
    assert found.histogram.holds(samples)
    assert found.count == len(samples)
    assert not found.histogram.holds(samples[1:])


@given(seconds(), st.floats(1.0, 99.0))
def test_latencies_without_samples_overstate_a_percentile_by_two_percent_at_most(
    samples: np.ndarray[tuple[int], np.dtype[np.float64]], rank: float
) -> None:
    found = latencies(samples)
    small = Latencies(found.summary, found.histogram)
    exact = found.percentile(rank)
    assert not small.raw
    assert exact <= small.percentile(rank)
    if exact >= 1e-9:
        at_worst = np.sort(samples)[min(int(np.ceil(rank / 100 * len(samples))), len(samples) - 1)]
        assert small.percentile(rank) <= max(exact, at_worst) * 1.0201


def test_latencies_summary_leaves_out_percentiles_that_ten_samples_cannot_support() -> None:
    assert latencies([0.1] * 9 + [1.0]).summary == {
        "mean": pytest.approx(0.19),
        "min": 0.1,
        "max": 1.0,
    }


def test_latencies_summary_of_many_samples_has_percentiles() -> None:
    summary = latencies(np.arange(1, 131) / 1000).summary
    assert summary["p50"] == 0.065
    assert summary["p95"] == 0.124
    assert "p99" not in summary


def test_latencies_keep_the_block_of_each_sample() -> None:
    found = latencies([1.0, 2.0], blocks=[0, 1])
    assert found.raw
    assert found.blocks is not None
    assert found.blocks.tolist() == [0, 1]


def test_latencies_are_a_copy_of_what_was_given() -> None:
    given_samples = np.array([1.0, 2.0])
    found = latencies(given_samples)
    given_samples[:] = 9.0
    assert found.percentile(99) == 2.0


@pytest.mark.parametrize("wrong", [-1e-9, float("nan"), float("inf"), 1e6])
def test_latencies_that_are_impossible_are_refused(wrong: float) -> None:
    with pytest.raises(InputError, match="1 of 2 latencies are impossible"):
        latencies([0.5, wrong])


@pytest.mark.parametrize("samples", [[], [[0.1]], 0.1])
def test_latencies_not_in_a_row_are_refused(samples: object) -> None:
    with pytest.raises(InputError, match="expected one or more in a row"):
        latencies(samples)  # type: ignore[arg-type]


def test_latencies_with_other_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="1 blocks for 2 latencies"):
        latencies([0.1, 0.2], blocks=[0])


@pytest.mark.parametrize(
    ("edges", "counts"),
    [((0.0, 1.0), (1, 2)), ((1.0, 1.0), (1,)), ((2.0, 1.0), (1,))],
)
def test_histogram_with_impossible_edges_is_refused(
    edges: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match="one edge more than counts"):
        Histogram(edges, counts)


def test_histogram_percentile_is_an_upper_edge() -> None:
    histogram = Histogram((0.0, 1.0, 2.0, 3.0), (5, 4, 1))
    assert histogram.percentile(50) == 1.0
    assert histogram.percentile(90) == 2.0
    assert histogram.percentile(91) == 3.0
