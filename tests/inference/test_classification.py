import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special  # type: ignore[import-untyped]

from inference.classification import Prediction, top_k
from measuring.errors import InputError, StrideError


def labels(count: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(count))


def test_top_k_of_hand_worked_logits() -> None:
    logits = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    best, second = top_k(logits, 2, ("cat", "dog", "owl"))
    assert (best.label, best.index) == ("dog", 1)
    assert best.probability == pytest.approx(0.5)
    assert (second.label, second.index) == ("owl", 2)
    assert second.probability == pytest.approx(0.3)


@given(st.lists(st.floats(-80, 80, width=32), min_size=1, max_size=40), st.integers(1, 40))
def test_top_k_is_the_softmax_in_order(values: list[float], k: int) -> None:
    logits = np.array(values, np.float32)
    k = min(k, len(values))
    found = top_k(logits, k, labels(len(values)))
    softmax = special.softmax(logits.astype(np.float64))
    order = sorted(range(len(values)), key=lambda index: (-logits[index], index))[:k]
    assert [prediction.index for prediction in found] == order
    assert [p.probability for p in found] == pytest.approx(softmax[order].tolist())


def test_top_k_of_all_classes_sums_to_one() -> None:
    logits = np.random.default_rng(0).normal(0, 5, 1000).astype(np.float32)
    assert sum(p.probability for p in top_k(logits, 1000, labels(1000))) == pytest.approx(1.0)


def test_top_k_equal_logits_come_in_order_of_index() -> None:
    found = top_k(np.array([1.0, 7.0, 7.0, 7.0]), 3, labels(4))
    assert [prediction.index for prediction in found] == [1, 2, 3]


def test_top_k_of_huge_logits_does_not_overflow() -> None:
    best, other = top_k(np.array([3.0e38, -3.0e38], np.float32), 2, labels(2))
    assert (best.probability, other.probability) == (1.0, 0.0)


def test_top_k_keeps_the_order_where_probabilities_vanish() -> None:
    found = top_k(np.array([-2000.0, 0.0, -1000.0]), 3, labels(3))
    assert [prediction.index for prediction in found] == [1, 2, 0]


def test_top_k_answers_plain_numbers() -> None:
    (best,) = top_k(np.array([0.0], np.float16), 1, ("only",))
    assert best == Prediction("only", 0, 1.0)
    assert type(best.index) is int
    assert type(best.probability) is float


@pytest.mark.parametrize("k", [0, -1, 4])
def test_top_k_of_an_impossible_number_is_refused(k: int) -> None:
    with pytest.raises(InputError, match=rf"k is {k}, expected 1 to 3, the number of classes"):
        top_k(np.zeros(3), k, labels(3))


@pytest.mark.parametrize("shape", [(2,), (4,), (1, 3), ()])
def test_top_k_with_other_labels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="expected one logit for each label"):
        top_k(np.zeros(shape), 1, labels(3))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_top_k_of_logits_that_are_not_finite_is_an_error_of_ours(wrong: float) -> None:
    with pytest.raises(StrideError, match="1 of 3 logits that are not finite") as caught:
        top_k(np.array([0.0, wrong, 1.0]), 1, labels(3))
    assert caught.value.status == 500
