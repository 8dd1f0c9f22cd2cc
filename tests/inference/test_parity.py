import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engine import Logits, Pixels
from inference.errors import ParityError
from inference.manifest import Parity
from inference.parity import (
    bound_for,
    compare,
    infer_in_batches,
    infer_scattered,
    replay,
    require,
    spread,
)
from inference.reference import Reference

EXACT = np.array([[0.0, 1.0, 3.0], [5.0, 2.0, 1.0]])


def compared(logits: NDArray[np.float64], bound: float = 0.1) -> Parity:
    return compare(logits, EXACT, reference="numbers made by hand", bound=bound)


def test_compare_equal_logits_holds() -> None:
    parity = compared(EXACT)
    assert parity.holds
    assert (parity.max_abs_dlogit, parity.top1_agreement, parity.images) == (0.0, 1.0, 2)
    assert parity.distinct_top1 == 2


def test_compare_finds_the_largest_difference() -> None:
    parity = compared(EXACT + np.array([[0.0, -0.07, 0.02], [0.05, 0.0, 0.0]]))
    assert parity.max_abs_dlogit == pytest.approx(0.07)
    assert parity.holds
    assert not compared(EXACT + 0.11).holds


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_compare_a_logit_that_is_not_finite_never_passes(value: float) -> None:
    logits = EXACT.copy()
    logits[1, 2] = value
    parity = compared(logits, bound=np.inf)
    assert not parity.holds
    assert parity.top1_agreement == 0.5


def test_compare_nan_on_both_sides_never_passes() -> None:
    logits = np.full((2, 3), np.nan)
    assert not compare(logits, logits, reference="itself", bound=1.0).holds


def test_compare_swapped_classes_within_the_bound_are_a_tie() -> None:
    exact = np.array([[10.0, 0.0, 9.999]])
    swapped = np.array([[9.999, 0.0, 10.0]])
    assert compare(swapped, exact, reference="close call", bound=0.001).holds


def test_compare_a_wide_bound_excuses_no_lost_answer() -> None:
    exact = np.array([[10.0, 0.0, 9.0]])
    swapped = np.array([[9.4, 0.0, 9.6]])
    parity = compare(swapped, exact, reference="coarse arithmetic", bound=1.0)
    assert parity.max_abs_dlogit <= parity.bound
    assert parity.top1_agreement == 0.0
    assert not parity.holds


@pytest.mark.parametrize("pictures", [3, 7, 9, 11])
def test_compare_one_answer_of_few_may_be_lost_to_chance(pictures: int) -> None:
    """However the share is rounded: of 3 it is 2 / 3, which is below 1 - 1 / 3."""
    exact = np.zeros((pictures, 10))
    exact[:, 0] = 10.0
    logits = exact.copy()
    for lost in range(2):
        parity = compare(logits, exact, reference="by hand", bound=10.0, precision="int8")
        assert parity.top1_agreement == (pictures - lost) / pictures
        assert parity.holds
        logits[lost] = np.roll(exact[lost], 1)


def test_compare_other_shapes_are_refused() -> None:
    with pytest.raises(ParityError, match=r"shape \(2, 2\) against \(2, 3\)"):
        compared(EXACT[:, :2])


def test_spread_ignores_an_offset_common_to_all_classes() -> None:
    assert spread(EXACT) == pytest.approx(spread(EXACT + 1000.0))
    assert spread(np.array([[1.0, -1.0], [1.0, -1.0]])) == 1.0


def test_bound_for_fp32_is_fifty_times_what_the_original_loses() -> None:
    assert bound_for("fp32", exact=EXACT, rounded=EXACT + 0.002) == pytest.approx(0.1)


def test_bound_for_fp32_is_never_below_a_hundred_thousandth_of_the_spread() -> None:
    assert bound_for("fp32", exact=EXACT, rounded=EXACT) == pytest.approx(1e-5 * spread(EXACT))


class Sum:
    """Logits are the pictures' sums and twice the sums; remembers the batches it was given."""

    name = "sum"

    def __init__(self, max_batch: int = 64, *, wrong_alone: bool = False) -> None:
        self.max_batch = max_batch
        self.batches: list[int] = []
        self.wrong_alone = wrong_alone

    def infer(self, pixels: Pixels) -> Logits:
        self.batches.append(len(pixels))
        sums = pixels.sum(axis=(1, 2, 3), dtype=np.float32)
        if self.wrong_alone and len(pixels) == 1:
            sums = sums + 1.0
        return np.stack([sums, 2.0 * sums], axis=1)

    def close(self) -> None:
        """Nothing is held."""


def test_infer_in_batches_covers_every_picture_once() -> None:
    engine = Sum(max_batch=4)
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    assert infer_in_batches(engine, pixels, 8)[:, 0].tolist() == list(range(10))
    assert engine.batches == [4, 4, 2]


def test_infer_scattered_answers_in_the_pictures_order_from_many_places() -> None:
    places: dict[int, set[int]] = {number: set() for number in range(20)}

    class Numbered:
        name, max_batch = "numbered", 64

        def infer(self, pixels: Pixels) -> Logits:
            numbers = pixels[:, 0, 0, 0]
            for place, number in enumerate(numbers):
                places[int(number)].add(place)
            return np.stack([numbers, numbers], axis=1).astype(np.float32)

        def close(self) -> None:
            """Nothing is held."""

    pixels = np.zeros((20, 1, 1, 3), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(20)
    for seed in range(3):
        logits = infer_scattered(Numbered(), pixels, 8, seed)
        assert logits[:, 0].tolist() == list(range(20))
    assert sum(len(seen) > 1 for seen in places.values()) > 10
    assert max(place for seen in places.values() for place in seen) == 9


def test_replay_asks_all_together_and_one_by_one() -> None:
    engine = Sum()
    pixels = np.ones((3, 1, 1, 3), np.uint8)
    logits = np.array([[3.0, 6.0]] * 3)
    together, alone = replay(engine, Reference(pixels, logits), bound=0.1)
    assert engine.batches == [3, 1, 1, 1]
    assert together.holds
    assert alone.holds


def test_replay_finds_what_is_wrong_only_alone() -> None:
    pixels = np.ones((3, 1, 1, 3), np.uint8)
    reference = Reference(pixels, np.array([[3.0, 6.0]] * 3))
    together, alone = replay(Sum(wrong_alone=True), reference, bound=0.1)
    assert together.holds
    assert not alone.holds


@pytest.mark.parametrize("bound", [1e300, np.inf, np.nan, 0.0, 0.151])
def test_replay_refuses_a_bound_within_which_anything_answers(bound: float) -> None:
    """The logits 3 and 6 have a spread of 1.5."""
    reference = Reference(np.ones((3, 1, 1, 3), np.uint8), np.array([[3.0, 6.0]] * 3))
    told = r"spread 1\.5, expected a bound of at most 0\.15 \(10% of the spread for fp32\)"
    with pytest.raises(ParityError, match=told):
        replay(Sum(), reference, bound=bound)


def test_replay_takes_the_widest_bound_that_tells_networks_apart() -> None:
    reference = Reference(np.ones((3, 1, 1, 3), np.uint8), np.array([[3.0, 6.0]] * 3))
    assert all(parity.holds for parity in replay(Sum(), reference, bound=0.15))


def test_require_tells_the_figures_and_likely_causes() -> None:
    bad = Parity("golden, together", 16, 0.25, 0.001, 0.75)
    told = r"16 pictures \(golden, together\) max \|dlogit\| is 0\.25, expected at most 0\.001, "
    with pytest.raises(ParityError, match=told + r".*75\.0%.*changed weights"):
        require([bad], what="net on runtime")


def test_require_of_good_parities_is_silent() -> None:
    require([Parity("golden", 16, 0.0, 0.001, 1.0)], what="net")
    assert Parity("golden", 16, 0.0, 0.001, 1.0).holds
