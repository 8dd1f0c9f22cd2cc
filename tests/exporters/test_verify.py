from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from exporters.original import Original
from exporters.photographs import photographs
from exporters.verify import FRESH, verify_export
from inference.engine import Logits, Pixels
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

SPEC = InputSpec(size=16, resize=16)

Change = Callable[[Logits], Logits]


class Eager:
    """The network itself as an engine, with its answers changed on the way out."""

    name = "eager"
    max_batch = 64

    def __init__(self, original: Original, change: Change = np.copy) -> None:
        self.original, self.change = original, change

    def infer(self, pixels: Pixels) -> Logits:
        return self.change(self.original.logits(pixels, torch.float32).astype(np.float32))

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def original(tiny_network: nn.Module) -> Original:
    return Original(tiny_network, SPEC)


def test_verify_export_compares_with_both_precisions_and_itself(original: Original) -> None:
    verification = verify_export(Eager(original), original, bound=1e-5, seed=7)
    in_float32, in_float64, itself, scattered = verification.parities
    assert in_float32.reference == "original in float32, fresh pictures, seed 7"
    assert in_float32.max_abs_dlogit == 0.0
    assert in_float64.reference == "original in float64, fresh pictures, seed 7"
    assert 0.0 < in_float64.max_abs_dlogit < 1e-5
    assert itself.reference.startswith("the engine itself in batches of 8")
    assert scattered.max_abs_dlogit < 1e-5
    assert all(p.holds and p.images == FRESH for p in verification.parities)
    assert in_float64.distinct_top1 is not None
    assert in_float64.distinct_top1 > 1


def test_verify_export_draws_other_pictures_each_time(original: Original) -> None:
    first, second = (verify_export(Eager(original), original, bound=1e-5) for _ in range(2))
    assert first.seed != second.seed
    assert f"seed {first.seed}" in first.parities[0].reference


def test_verify_export_finds_other_answers(original: Original) -> None:
    engine = Eager(original, lambda logits: logits + np.float32(0.01))
    in_float32, in_float64, itself, _ = verify_export(engine, original, bound=1e-3).parities
    assert not in_float32.holds
    assert not in_float64.holds
    assert itself.holds


def test_verify_export_finds_answers_that_depend_on_the_batch(original: Original) -> None:
    engine = Eager(original, lambda logits: logits + np.float32(len(logits) == 1))
    in_float32, _, itself, _ = verify_export(engine, original, bound=1e-3).parities
    assert in_float32.holds
    assert itself.max_abs_dlogit == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("place", [1, 9])
def test_verify_export_finds_answers_that_depend_on_the_place_in_a_batch(
    original: Original, place: int
) -> None:
    def disturb(logits: Logits) -> Logits:
        changed = logits.copy()
        changed[place : place + 1] += np.float32(1.0)
        return changed

    scattered = verify_export(Eager(original, disturb), original, bound=1e-3, seed=3).parities[-1]
    assert scattered.max_abs_dlogit == pytest.approx(1.0, abs=1e-4)


def test_verify_export_takes_photographs_too(original: Original) -> None:
    real = photographs(SPEC)
    assert real is not None
    parities = verify_export(Eager(original), original, bound=1e-5, photographs=real).parities
    assert [p.images for p in parities] == [FRESH] * 4 + [len(real)] * 4
    assert [p.reference for p in parities[4:]] == [
        "original in float32, photographs",
        "original in float64, photographs",
        "the engine itself in batches of 8, photographs",
        "the engine itself in batches of 8, photographs",
    ]
    assert all(p.holds for p in parities)


def test_original_leaves_the_network_as_it_is(tiny_network: nn.Module) -> None:
    tiny_network.train()
    before = {key: tensor.clone() for key, tensor in tiny_network.state_dict().items()}
    logits = Original(tiny_network, SPEC).logits(varied_pictures(9, 16, 0), torch.float64)
    assert logits.shape == (9, 6)
    assert tiny_network.training
    after = tiny_network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
