import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize  # type: ignore[import-untyped]

from measuring.errors import InputError
from measuring.fit import fit_batch_cost


def test_fit_batch_cost_of_a_line_is_that_line() -> None:
    cost = fit_batch_cost([1, 2, 4, 8], [0.003, 0.005, 0.009, 0.017])
    assert cost.t0 == pytest.approx(0.001)
    assert cost.per_image == pytest.approx(0.002)
    assert cost.residual == pytest.approx(0.0, abs=1e-12)
    assert cost.predicted(16) == pytest.approx(0.033)
    assert cost.throughput(16) == pytest.approx(16 / 0.033)


@given(
    st.lists(
        st.tuples(st.integers(1, 256), st.floats(1e-5, 10.0)),
        min_size=2,
        max_size=12,
        unique_by=lambda pair: pair[0],
    )
)
def test_fit_batch_cost_is_the_best_non_negative_line(measured: list[tuple[int, float]]) -> None:
    sizes, times = (np.array(column, np.float64) for column in zip(*measured, strict=True))
    scaled = np.stack([1.0 / times, sizes / times], axis=1)
    _, distance = optimize.nnls(scaled, np.ones(len(times)))
    cost = fit_batch_cost([int(size) for size in sizes], times.tolist())
    assert cost.t0 >= 0.0
    assert cost.per_image >= 0.0
    assert cost.residual == pytest.approx(distance / np.sqrt(len(times)), rel=1e-6, abs=1e-6)


def test_fit_batch_cost_that_falls_is_flat() -> None:
    cost = fit_batch_cost([1, 2], [2.0, 1.0])
    assert cost.per_image == 0.0
    assert cost.t0 == pytest.approx(1.2)  # least (t/2 - 1)^2 + (t - 1)^2


def test_fit_batch_cost_that_grows_faster_than_the_batch_starts_at_zero() -> None:
    cost = fit_batch_cost([1, 2], [1.0, 4.0])
    assert cost.t0 == 0.0
    assert cost.per_image == pytest.approx(1.2)  # least (a - 1)^2 + (a/2 - 1)^2


def test_fit_batch_cost_of_a_curve_tells_by_its_residual() -> None:
    assert fit_batch_cost([1, 2, 4, 8], [1.0, 1.0, 1.0, 8.0]).residual > 0.1


def test_fit_batch_cost_takes_a_size_measured_twice() -> None:
    cost = fit_batch_cost([1, 1, 3], [0.9, 1.1, 3.0])
    assert cost.predicted(1) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("sizes", "times", "told"),
    [
        pytest.param([4], [1.0], "at least two different sizes", id="one-size"),
        pytest.param([4, 4], [1.0, 2.0], "at least two different sizes", id="one-size-twice"),
        pytest.param([1, 2], [1.0], "1 times for the batch sizes", id="a-time-is-missing"),
        pytest.param([0, 2], [1.0, 2.0], "expected sizes from 1", id="size-zero"),
        pytest.param([1, 2], [0.0, 2.0], "finite times above 0", id="no-time"),
        pytest.param([1, 2], [float("nan"), 2.0], "finite times above 0", id="no-number"),
    ],
)
def test_fit_batch_cost_without_a_line_is_refused(
    sizes: list[int], times: list[float], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        fit_batch_cost(sizes, times)
