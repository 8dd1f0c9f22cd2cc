"""Against scipy's exact test, and by hand."""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from measuring.errors import InputError
from measuring.significance import compare_blocks, holm, signed_rank


@pytest.mark.parametrize("count", [3, 8, 20, 40])
def test_signed_rank_equals_scipys_exact_test(count: int) -> None:
    generator = np.random.default_rng()
    differences = generator.normal(0.3, 1.0, count)
    expected = stats.wilcoxon(differences, alternative="greater", method="exact").pvalue
    assert signed_rank(differences) == pytest.approx(expected, rel=1e-9)


def test_signed_rank_of_equal_sizes_counts_every_pattern_of_signs() -> None:
    assert signed_rank([1.0, 1.0, 1.0]) == 1 / 8
    assert signed_rank([1.0, 1.0, -1.0]) == 4 / 8
    assert signed_rank([0.0, 0.0]) == 1.0


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()
    with pytest.raises(InputError, match=r"a probability of 1\.5"):
        holm([1.5])


def test_holm_under_the_null_is_wrong_in_one_of_a_hundred_families_at_most() -> None:
    """2,000 families of 20 tests each, none of them with a difference."""
    generator = np.random.default_rng(7)
    wrong = sum(min(holm(generator.random(20).tolist())) < 0.01 for _ in range(2_000))
    assert wrong <= 2_000 * 0.01 + 4 * np.sqrt(2_000 * 0.01)


def test_compare_blocks_calls_what_exceeds_the_margin() -> None:
    generator = np.random.default_rng()
    machine = generator.uniform(1.0, 2.0, 20)  # slow and fast minutes, alike for both
    faster = machine * generator.uniform(0.995, 1.005, 20)
    slower = 1.2 * machine * generator.uniform(0.995, 1.005, 20)
    found = compare_blocks(faster, slower, margin=0.03)
    assert found.ratio.low <= 1.2 <= found.ratio.high * 1.01
    assert found.p_value < 1e-5


def test_compare_blocks_does_not_call_what_is_within_the_margin() -> None:
    seconds = np.random.default_rng().uniform(1.0, 2.0, 20)
    assert compare_blocks(seconds, 1.02 * seconds, margin=0.03).p_value > 0.5


def test_compare_blocks_of_other_blocks_is_an_error() -> None:
    with pytest.raises(InputError, match="expected the same blocks"):
        compare_blocks(np.ones(3), np.ones(4), margin=0.0)
