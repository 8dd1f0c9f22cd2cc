"""FasterNet against the paper's sizes and an independent implementation's answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.catalog import create
from models.cost import cost
from models.fasternet import T0, Block, FasterNet, Variant
from models.operators import PartialConv

# Parameters and MACs at 224; the README of the authors rounds them to 3.9M and 0.34G, and so on.
PUBLISHED = {
    "fasternet_t0": (3_905_500, 335_422_720),
    "fasternet_t1": (7_595_368, 850_511_872),
    "fasternet_t2": (14_982_888, 1_904_334_848),
    "fasternet_s": (31_181_032, 4_549_740_544),
    "fasternet_m": (53_521_464, 8_721_938_432),
    "fasternet_l": (93_465_192, 15_494_383_616),
}
each = pytest.mark.parametrize("name", PUBLISHED)


@each
def test_fasternet_costs_what_is_published(name: str) -> None:
    parameters, macs = PUBLISHED[name]
    with torch.device("meta"):
        network = create(name)

    counted = cost(network, 224)

    assert (counted.parameters, counted.macs) == (parameters, macs)
    assert sum(tensor.numel() for tensor in network.parameters()) == parameters


@pytest.mark.parametrize("name", ["fasternet_t0", "fasternet_t1", "fasternet_t2", "fasternet_s"])
def test_fasternet_answers_as_timm(
    name: str, assert_golden: Callable[[str, nn.Module], None]
) -> None:
    assert_golden(name, create(name))


@each
def test_fasternet_keys_are_those_of_the_checkpoints(
    name: str, assert_layout: Callable[[str, nn.Module], None]
) -> None:
    with torch.device("meta"):
        network = create(name)

    assert_layout(name, network)


def test_fasternet_t0_keys_are_spelt_as_the_authors_do() -> None:
    with torch.device("meta"):
        state = create("fasternet_t0").state_dict()

    expected = (Path(__file__).parent / "data" / "fasternet_t0.keys").read_text().splitlines()

    assert {f"{key} {','.join(map(str, t.shape))}" for key, t in state.items()} == set(expected)
    assert "stages.6.blocks.1.spatial_mixing.partial_conv3.weight 80,80,3,3" in expected


@pytest.mark.parametrize("size", [32, 48, 75, 96])
def test_fasternet_takes_other_sizes_and_class_counts(size: int) -> None:
    network = create("fasternet_t0", num_classes=7).eval()

    with torch.inference_mode():
        logits = network(torch.rand(3, 3, size, size))

    assert logits.shape == (3, 7)


def test_fasternet_takes_large_images() -> None:
    with torch.device("meta"):
        network = FasterNet(T0).eval()

    assert network(torch.empty(2, 3, 456, 456, device="meta")).shape == (2, 1000)


def test_block_adds_its_input_and_not_the_mixed_features() -> None:
    block = Block(T0, 8).eval()
    features = torch.rand(1, 8, 4, 4)
    projection = block.mlp[3]
    assert isinstance(projection, nn.Conv2d)
    nn.init.zeros_(projection.weight)

    with torch.inference_mode():
        result = block(features)

    torch.testing.assert_close(result, features, rtol=0, atol=0)


def test_block_leaves_its_input_as_it_was() -> None:
    block = Block(T0, 8).eval()
    features = torch.rand(1, 8, 4, 4)
    before = features.clone()

    with torch.inference_mode():
        block(features)

    assert torch.equal(features, before)


def test_variant_with_another_share_mixes_that_many_channels() -> None:
    variant = Variant(16, (1, 1, 1, 1), nn.ReLU, n_div=2)

    network = FasterNet(variant, num_classes=3)

    mixed = [m.partial_conv3.in_channels for m in network.modules() if isinstance(m, PartialConv)]
    assert mixed == [8, 16, 32, 64]


def test_fasternet_learns_to_tell_two_images_apart() -> None:
    torch.manual_seed(0)
    network = FasterNet(Variant(8, (1, 1, 1, 1), nn.GELU), num_classes=2)
    images, labels = torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 0, 1])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    losses = [_step(network, optimizer, images, labels) for _ in range(8)]

    assert losses[-1] < losses[0] / 2
    assert all(p.grad is not None for p in network.parameters())


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> float:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(loss.detach())
