"""Every rewrite computes the same function: in float64, with random weights, for every network
that it applies to."""

from collections.abc import Callable
from functools import lru_cache

import pytest
import torch
from torch import nn

from exporters.rewrites import REWRITES, rewrite
from exporters.rewrites.prelude import pixels_in
from measuring.input_spec import InputSpec
from models import create, names

SIZE = 32
SPEC = InputSpec(size=SIZE, resize=SIZE, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
FIRST = ("fold_batch_norms",)  # the others are written for folded networks
# The same layers as the others', more of them: gigabytes in float64.
HEAVY = {"fasternet_s", "fasternet_m", "fasternet_l", "efficientnet_b5", "regnet_x_8gf", "resnet50"}
EVERY = [pytest.param(n, marks=pytest.mark.full) if n in HEAVY else n for n in names()]
SHUFFLENETS = {name for name in names() if name.startswith("shufflenet")}
UNPADDED_STEM = {name for name in names() if name.startswith("fasternet")}
APPLIES = {
    "fold_batch_norms": set(names()),
    "pool_by_rows": set(names()),
    "shuffle_free": SHUFFLENETS,
    "shuffle_free_aligned": SHUFFLENETS,
    "scale_in_stem": set(names()),
    "mean_in_stem": UNPADDED_STEM,
}

Vary = Callable[[nn.Module, int], None]


@lru_cache(maxsize=1)
def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return create(name, 10).double().eval()


def chain_of(name: str, vary: Vary) -> nn.Sequential:
    varied = network(name)
    vary(varied, 3)
    return pixels_in(varied, SPEC, dtype=torch.float64)


def relative_error(changed: nn.Module, original: nn.Module) -> float:
    pixels = torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = original(pixels)
        return float((changed(pixels) - expected).abs().max() / expected.abs().max())


def test_every_rewrite_has_its_networks_listed() -> None:
    assert set(APPLIES) == set(REWRITES)


@pytest.mark.parametrize("name", EVERY)
def test_every_rewrite_is_exact_where_it_applies(name: str, vary: Vary) -> None:
    original = chain_of(name, vary)
    folded = rewrite(original, FIRST).chain
    for row, networks in APPLIES.items():
        # The mean can only move after the scale has.
        before = ("scale_in_stem",) if row == "mean_in_stem" else ()
        changed = rewrite(original if row in FIRST else folded, (*before, row))
        assert (row in changed.applied) == (name in networks), row
        assert relative_error(changed.chain, original) <= 1e-12, row


@pytest.mark.parametrize("name", ["fasternet_t0", "mobilenet_v2", "shufflenet_v2_x1_0"])
def test_all_rewrites_together_are_exact(name: str, vary: Vary) -> None:
    original = chain_of(name, vary)
    changed = rewrite(
        original,
        ("fold_batch_norms", "pool_by_rows", "shuffle_free", "scale_in_stem", "mean_in_stem"),
    )
    assert relative_error(changed.chain, original) <= 1e-12


@pytest.mark.parametrize("row", ["shuffle_free", "shuffle_free_aligned"])
def test_stem_rewrites_apply_after_the_shuffles_are_gone(row: str, vary: Vary) -> None:
    original = chain_of("shufflenet_v2_x0_5", vary)
    changed = rewrite(original, (*FIRST, row, "scale_in_stem"))
    assert changed.applied == (*FIRST, row, "scale_in_stem")
    assert relative_error(changed.chain, original) <= 1e-12


def test_rewrite_leaves_the_given_chain_as_it_is(vary: Vary) -> None:
    original = chain_of("shufflenet_v2_x0_5", vary)
    before = {key: tensor.clone() for key, tensor in original.state_dict().items()}
    rewrite(original, tuple(REWRITES))
    after = original.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
