"""What the bounds below fp32 let pass and what they refuse."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.errors import ParityError
from inference.manifest import Parity, Precision
from inference.parity import (
    TOLERANCES,
    bound_for,
    bound_from,
    compare,
    replay,
    require,
    spread,
)
from inference.reference import Reference

Logits = NDArray[np.float64]

LOWER: tuple[Precision, ...] = ("fp16", "bf16", "int8")


def random_logits(seed: int, pictures: int = 200, classes: int = 50) -> Logits:
    return np.random.default_rng(seed).normal(0.0, 2.0, (pictures, classes))


def noisy(logits: Logits, part: float, seed: int = 9) -> Logits:
    """With noise of `part` of the spread on every logit."""
    noise = np.random.default_rng(seed).normal(0.0, part * spread(logits), logits.shape)
    return np.asarray(logits + noise)


@pytest.mark.parametrize("precision", LOWER)
def test_noise_a_little_below_the_bound_holds_and_above_does_not(precision: Precision) -> None:
    exact = random_logits(0)
    bound = bound_for(precision, exact=exact, rounded=exact)
    assert bound == pytest.approx(TOLERANCES[precision].spread * spread(exact))
    for part, holds in ((0.8, True), (1.2, False)):
        answers = noisy(exact, part * TOLERANCES[precision].spread)
        parity = compare(answers, exact, reference="noise", bound=bound, precision=precision)
        assert parity.holds == holds
        assert parity.distance == pytest.approx(part * bound, rel=0.05)
        assert parity.max_abs_dlogit > parity.distance


def test_precisions_are_ordered_by_what_they_may_lose() -> None:
    exact = random_logits(0)
    rounded = exact + 1e-6
    fp32, fp16, bf16, int8 = (
        bound_for(precision, exact=exact, rounded=rounded) for precision in TOLERANCES
    )
    assert fp32 < fp16 < bf16 <= int8


@pytest.mark.parametrize("precision", LOWER)
def test_answers_of_another_network_are_refused(precision: Precision) -> None:
    exact = random_logits(0)
    bound = bound_for(precision, exact=exact, rounded=exact)
    other = random_logits(1)
    assert not compare(other, exact, reference="r", bound=bound, precision=precision).holds


@pytest.mark.parametrize("precision", LOWER)
def test_near_ties_that_swap_are_counted_apart(precision: Precision) -> None:
    exact = np.zeros((100, 4))
    exact[:, 0], exact[:, 1] = 10.0, 5.0
    exact[:30, 1] = 9.999
    answers = noisy(exact, 0.01)
    answers[:30, :2] = answers[:30, 1::-1]
    parity = compare(answers, exact, reference="r", bound=1.0, precision=precision)
    assert (parity.near_ties, parity.images) == (30, 100)
    assert parity.top1_agreement == 1.0


def test_lost_answers_of_clear_pictures_are_no_ties() -> None:
    exact = np.zeros((1000, 30))
    exact[:, 0] = 10.0
    answers = exact.copy()
    answers[:20, 1] = 11.0
    parity = compare(answers, exact, reference="r", bound=1.0, precision="int8")
    assert parity.distance <= parity.bound
    assert parity.top1_agreement < parity.required_agreement == 0.99
    with pytest.raises(
        ParityError, match=r"rms dlogit is .* top-1 agreement is 9\d\.\d%, expected"
    ):
        require([parity], what="net")


@pytest.mark.parametrize(
    ("pictures", "lost", "holds"), [(16, 2, True), (16, 3, False), (32, 3, True), (32, 4, False)]
)
def test_of_few_pictures_as_many_may_be_lost_as_by_chance(
    pictures: int, lost: int, holds: bool
) -> None:
    exact = np.zeros((pictures, 30))
    exact[:, 0] = 10.0
    answers = exact.copy()
    answers[:lost, 1] = 11.0
    parity = compare(answers, exact, reference="r", bound=1.0, precision="int8")
    assert parity.distance <= parity.bound
    assert parity.holds == holds


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("precision", LOWER)
def test_a_logit_that_is_not_finite_never_passes(value: float, precision: Precision) -> None:
    exact = random_logits(0)
    answers = exact.copy()
    answers[3, 4] = value
    assert not compare(answers, exact, reference="r", bound=1e9, precision=precision).holds


def test_replay_refuses_a_bound_wider_than_its_precision_needs() -> None:
    class Zeros:
        name, max_batch = "zeros", 4

        def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.zeros((len(pixels), 2), np.float32)

        def close(self) -> None:
            """Nothing is held."""

    reference = Reference(np.ones((3, 1, 1, 3), np.uint8), np.array([[3.0, 6.0]] * 3))
    with pytest.raises(ParityError, match=r"35% of the spread for int8"):
        replay(Zeros(), reference, bound=0.6, precision="int8")
    together, alone = replay(Zeros(), reference, bound=0.5, precision="int8")
    assert not together.holds
    assert not alone.holds


def test_bound_of_a_file_follows_what_was_measured_up_to_its_precision() -> None:
    assert bound_from(0.05, 0.35) == pytest.approx(0.1)
    assert bound_from(0.3, 0.35) == 0.35


def test_agreement_says_how_many_pictures_count() -> None:
    parity = Parity("golden", 16, 0.5, 1.0, 8 / 9, 6, near_ties=7, rms_dlogit=0.1, judged=9)
    assert parity.agreement == "8 of 9, 7 near ties left out"
    assert Parity("golden", 16, 0.5, 1.0, 1.0, 6).agreement == "100.0% of 16"
