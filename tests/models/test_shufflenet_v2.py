"""ShuffleNetV2 against torchvision's published figures and answers."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.catalog import create
from models.cost import cost
from models.shufflenet_v2 import DownsamplingUnit, Unit

# Parameters and MACs at 224; the paper's 41, 146, 299 and 591 million count pooling as well.
PUBLISHED = {
    "shufflenet_v2_x0_5": (1_366_792, 40_476_448),
    "shufflenet_v2_x1_0": (2_278_604, 144_907_992),
    "shufflenet_v2_x1_5": (3_503_624, 295_759_392),
    "shufflenet_v2_x2_0": (7_393_996, 583_253_464),
}
each = pytest.mark.parametrize("name", PUBLISHED)


@each
def test_shufflenet_costs_what_is_published(name: str) -> None:
    parameters, macs = PUBLISHED[name]
    with torch.device("meta"):
        network = create(name)

    counted = cost(network, 224)

    assert (counted.parameters, counted.macs) == (parameters, macs)
    assert sum(tensor.numel() for tensor in network.parameters()) == parameters


@each
def test_shufflenet_answers_as_torchvision(
    name: str, assert_golden: Callable[[str, nn.Module], None]
) -> None:
    assert_golden(name, create(name))


@pytest.mark.parametrize("size", [32, 48, 75, 96])
def test_shufflenet_takes_other_sizes_and_class_counts(size: int) -> None:
    network = create("shufflenet_v2_x0_5", num_classes=7).eval()

    with torch.inference_mode():
        logits = network(torch.rand(3, 3, size, size))

    assert logits.shape == (3, 7)


def test_unit_passes_half_of_the_channels_and_shuffles_at_its_end() -> None:
    unit = Unit(8).eval()
    features = torch.rand(2, 8, 4, 4)

    with torch.inference_mode():
        result = unit(features)
        branch = unit.branch2(features[:, 4:])

    torch.testing.assert_close(result[:, 0::2], features[:, :4], rtol=0, atol=0)
    torch.testing.assert_close(result[:, 1::2], branch, rtol=0, atol=0)


def test_downsampling_unit_interleaves_both_branches() -> None:
    unit = DownsamplingUnit(6, 8).eval()
    features = torch.rand(2, 6, 5, 5)

    with torch.inference_mode():
        result = unit(features)

        assert result.shape == (2, 8, 3, 3)
        assert torch.equal(result[:, 0::2], unit.branch1(features))
        assert torch.equal(result[:, 1::2], unit.branch2(features))


def test_depthwise_convolutions_are_not_activated() -> None:
    layers = list(Unit(8).branch2)

    depthwise = next(
        i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d) and layer.groups > 1
    )

    assert isinstance(layers[depthwise + 1], nn.BatchNorm2d)
    assert isinstance(layers[depthwise + 2], nn.Conv2d)
