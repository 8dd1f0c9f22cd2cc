import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from measuring.bootstrap import (
    Ratio,
    Resampling,
    block_interval,
    clustered_interval,
    interval,
    mean,
    median,
    paired_ratio,
)
from measuring.errors import InputError
from measuring.timing import Timed


def timed(samples: object, blocks: object) -> Timed:
    return Timed(np.array(samples, np.float64), np.array(blocks, np.int64))


def noisy(rng: np.random.Generator, level: float, drift: object = 0.0) -> Timed:
    """20 blocks of 3 calls around `level`, every block shifted by its own drift."""
    shift = np.broadcast_to(np.asarray(drift, np.float64), 20)
    samples = level * (1.0 + np.repeat(shift, 3)) + 0.05 * rng.standard_normal(60)
    return timed(samples, np.repeat(np.arange(20), 3))


def test_interval_of_equal_samples_has_no_width() -> None:
    found = interval(timed([2.0] * 6, [0, 0, 1, 1, 2, 2]))
    assert (found.estimate, found.low, found.high) == (2.0, 2.0, 2.0)


def test_interval_of_two_blocks_lies_between_their_means() -> None:
    found = interval(timed([1.0, 1.0, 3.0, 3.0], [0, 0, 1, 1]), mean)
    assert (found.estimate, found.low, found.high) == (2.0, 1.0, 3.0)


def test_interval_of_a_mean_agrees_with_an_independent_bootstrap() -> None:
    samples = np.random.default_rng(3).gamma(4.0, 1.0, 80)
    found = interval(timed(samples, np.arange(80)), mean, resampling=Resampling(4000))
    reference = stats.bootstrap(
        (samples,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert found.low == pytest.approx(reference.low, abs=0.03)
    assert found.high == pytest.approx(reference.high, abs=0.03)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for trial in range(200):
        found = interval(noisy(rng, 1.0), mean, resampling=Resampling(200, seed=trial))
        covered += found.low <= 1.0 <= found.high
    assert 176 <= covered <= 198  # 190 expected; few blocks make it a little too sure


def test_interval_by_blocks_is_wider_when_a_block_is_alike_in_itself() -> None:
    rng = np.random.default_rng(5)
    drifting = noisy(rng, 1.0, 0.3 * rng.standard_normal(20))
    single = timed(drifting.samples, np.arange(60))
    blocked, naive = interval(drifting, mean), interval(single, mean)
    assert blocked.high - blocked.low > 1.3 * (naive.high - naive.low)


def test_paired_ratio_of_the_same_samples_is_exactly_one() -> None:
    one = noisy(np.random.default_rng(0), 1.0)
    ratio = paired_ratio(one, one)
    assert (ratio.estimate, ratio.low, ratio.high) == (1.0, 1.0, 1.0)
    assert ratio.tie


def test_paired_ratio_sees_through_a_drift_that_both_share() -> None:
    rng = np.random.default_rng(7)
    drift = np.linspace(0.0, 2.0, 20)
    ratio = paired_ratio(noisy(rng, 1.2, drift), noisy(rng, 1.0, drift), mean)
    assert ratio.low < 1.2 < ratio.high
    assert ratio.low > 1.1
    assert not ratio.tie


def test_paired_ratio_of_equals_is_mostly_a_tie() -> None:
    rng = np.random.default_rng(13)
    ties = sum(
        paired_ratio(noisy(rng, 1.0), noisy(rng, 1.0), resampling=Resampling(200, seed=i)).tie
        for i in range(60)
    )
    assert ties >= 50


def test_paired_ratio_is_the_same_for_the_same_seed() -> None:
    rng = np.random.default_rng(1)
    one, other = noisy(rng, 1.0), noisy(rng, 1.1)
    assert paired_ratio(one, other, median) == paired_ratio(one, other, median)
    assert paired_ratio(one, other) != paired_ratio(one, other, resampling=Resampling(seed=9))


def test_ratio_above_one_throughout_is_no_tie() -> None:
    assert not Ratio(1.1, 1.01, 1.2, 0.95).tie
    assert Ratio(1.1, 1.0, 1.2, 0.95).tie


def test_paired_ratio_of_other_blocks_is_refused() -> None:
    with pytest.raises(InputError, match="not timed in the same blocks"):
        paired_ratio(timed([1.0, 1.0], [0, 1]), timed([1.0, 1.0], [0, 2]))


def test_interval_of_a_single_block_is_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        interval(timed([1.0, 2.0], [0, 0]))


def test_resampling_without_sense_is_refused() -> None:
    with pytest.raises(InputError, match="resamples is 10"):
        Resampling(10)
    with pytest.raises(InputError, match=r"confidence is 1\.0"):
        Resampling(confidence=1.0)


def test_clustered_interval_of_single_values_is_the_plain_bootstrap() -> None:
    values = np.random.default_rng(0).normal(1.0, 1.0, 400)
    interval = clustered_interval(values, np.arange(400))
    assert interval.estimate == pytest.approx(values.mean())
    # The standard error is 1/20, and 95 % lie within 1.96 of it.
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_clustered_interval_counts_origins_not_values() -> None:
    """A hundred equal values of each of 25 origins tell as much as one of each."""
    origins = np.random.default_rng(1).normal(0.0, 1.0, 25)
    one, many = (
        clustered_interval(np.repeat(origins, times), np.repeat(np.arange(25), times))
        for times in (1, 100)
    )
    assert (many.low, many.high) == pytest.approx((one.low, one.high))


def test_clustered_interval_weighs_origins_by_their_values() -> None:
    interval = clustered_interval(np.array([1.0, 1.0, 1.0, 0.0]), np.array([3, 3, 3, 9]))
    assert (interval.estimate, interval.low, interval.high) == (0.75, 0.0, 1.0)


def test_clustered_interval_of_one_origin_is_refused() -> None:
    with pytest.raises(InputError, match=r"1 block\(s\) or origin\(s\), expected two or more"):
        clustered_interval(np.ones(9), np.zeros(9, np.int64))


def test_clustered_interval_of_other_shapes_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(3,\) values in \(2,\) clusters"):
        clustered_interval(np.ones(3), np.zeros(2, np.int64))


def test_block_interval_holds_the_true_median_as_often_as_it_says() -> None:
    """400 samples of 30 blocks each, in 95 of 100 of which the true median should be held."""
    generator = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        found = block_interval(generator.normal(5.0, 1.0, 30))
        held += found.low <= 5.0 <= found.high
    assert 0.90 <= held / 400 <= 1.0


def test_block_interval_of_one_block_is_an_error() -> None:
    with pytest.raises(InputError, match=r"from 1 block"):
        block_interval(np.ones(1))
