"""The cost model against arithmetic done by hand, and against a count that shares no line."""

import copy
from collections.abc import Callable
from typing import Protocol

import pytest
import torch
from torch import Tensor, nn

from measuring.errors import InputError
from models.catalog import create, names, sketch
from models.cost import Cost, LayerCost, cost
from models.operators import (
    ChannelShuffle,
    ChannelwiseConv,
    DepthwiseSeparableConv,
    GroupConv,
    PartialConv,
    TShapedConv,
    conv,
)


class Counted(Protocol):
    @property
    def macs(self) -> int: ...


def only(network: nn.Module, size: int, channels: int) -> LayerCost:
    """The one layer of a network that has one."""
    (layer,) = cost(network, size, channels=channels).layers
    return layer


def test_regular_convolution_of_the_worked_example() -> None:
    counted = cost(conv(3, 256, kernel_size=5, padding=0), 12)

    assert (counted.parameters, counted.macs) == (19_200, 1_228_800)


def test_depthwise_separable_convolution_of_the_worked_example() -> None:
    counted = cost(DepthwiseSeparableConv(3, 256, kernel_size=5, padding=0), 12)

    assert (counted.parameters, counted.macs) == (843, 53_952)
    assert [(layer.kind, layer.macs) for layer in counted.layers] == [
        ("depthwise", 4_800),
        ("pointwise", 49_152),
    ]
    assert round(53_952 / 1_228_800, 3) == 0.044


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        pytest.param(conv(8, 16), "regular", id="3x3"),
        pytest.param(nn.Conv2d(8, 16, (1, 3)), "regular", id="1x3"),
        pytest.param(nn.Conv2d(8, 16, 1), "pointwise", id="1x1"),
        pytest.param(nn.Conv2d(8, 8, 3, groups=8), "depthwise", id="one-channel-per-group"),
        pytest.param(nn.Conv2d(8, 16, 3, groups=8), "depthwise", id="two-filters-per-channel"),
        pytest.param(nn.Conv2d(8, 16, 3, groups=4), "grouped", id="two-channels-per-group"),
        pytest.param(nn.Conv2d(8, 16, 1, groups=4), "grouped", id="grouped-1x1"),
        pytest.param(nn.ReLU(inplace=True), "activation", id="in-place-relu"),
        pytest.param(nn.ReLU6(), "activation", id="relu6"),
        pytest.param(nn.GELU(), "activation", id="gelu"),
        pytest.param(nn.Hardswish(), "activation", id="hardswish"),
        pytest.param(nn.MaxPool2d(2), "pool", id="max-pool"),
        pytest.param(nn.AdaptiveAvgPool2d(1), "pool", id="global-pool"),
        pytest.param(nn.AvgPool2d(2), "pool", id="average-pool"),
        pytest.param(nn.BatchNorm2d(8), "normalization", id="batch-norm"),
        pytest.param(ChannelShuffle(8, groups=2), "shuffle", id="shuffle"),
        pytest.param(nn.Softplus(), "other", id="what-it-does-not-know"),
    ],
)
def test_each_layer_has_its_kind(layer: nn.Module, kind: str) -> None:
    assert only(layer, 8, 8).kind == kind


def test_convolution_reads_its_input_and_weights_and_writes_its_output() -> None:
    layer = only(nn.Conv2d(8, 16, 3, stride=2, padding=1), 10, 8)

    assert layer.macs == 16 * 5 * 5 * 8 * 9
    assert layer.parameters == 16 * 8 * 9 + 16
    assert layer.bytes_read == 4 * (8 * 10 * 10 + 16 * 8 * 9 + 16)
    assert layer.bytes_written == 4 * 16 * 5 * 5
    assert layer.intensity == layer.macs / (layer.bytes_read + layer.bytes_written)


def test_transposed_convolution_multiplies_once_per_input_position() -> None:
    assert only(nn.ConvTranspose2d(8, 4, 2, stride=2), 5, 8).macs == 8 * 5 * 5 * 4 * 4


@pytest.mark.parametrize("bias", [True, False])
def test_linear_layer_multiplies_each_weight_once(bias: bool) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5, bias=bias))

    layer = only(network, 2, 3)

    assert (layer.name, layer.kind, layer.macs) == ("1", "linear", 60)
    assert layer.bytes_read == 4 * (12 + 60 + 5 * bias)


def test_group_convolution_divides_arithmetic_and_weights_by_its_groups() -> None:
    dense, grouped = only(conv(16, 32), 7, 16), only(GroupConv(16, 32, groups=4), 7, 16)

    assert dense.macs == 4 * grouped.macs
    assert dense.parameters == 4 * grouped.parameters


def test_channelwise_convolution_has_one_small_kernel() -> None:
    counted = cost(ChannelwiseConv(16, kernel_size=7), 8, channels=16)

    assert (counted.parameters, counted.macs) == (7, 7 * 16 * 8 * 8)


def test_partial_convolution_has_a_sixteenth_of_the_arithmetic() -> None:
    channels, size = 96, 56

    partial, concat = cost(PartialConv(channels), size, channels=channels).layers
    dense = only(conv(channels, channels), size, channels)

    assert 16 * partial.macs == dense.macs
    assert partial.bytes_moved == 4 * 155_712
    assert dense.bytes_moved == 4 * 685_056
    assert (concat.name, concat.kind) == ("cat", "concat")
    assert concat.bytes_moved == 4 * 2 * channels * size * size


def test_t_shaped_convolution_costs_what_its_formula_says() -> None:
    counted = cost(TShapedConv(16, 16), 8, channels=16)

    assert counted.macs == 8 * 8 * (9 * 4 * 16 + 16 * (16 - 4))


def test_memory_only_layers_have_no_arithmetic() -> None:
    shuffle = only(ChannelShuffle(8, groups=2), 4, 8)

    assert (shuffle.macs, shuffle.intensity) == (0, 0.0)
    assert shuffle.bytes_moved == 4 * 2 * 8 * 4 * 4


def test_batch_norm_has_parameters_and_no_other_cost() -> None:
    layer = only(nn.BatchNorm2d(8), 4, 8)

    assert layer.parameters == 16
    assert (layer.macs, layer.bytes_moved, layer.intensity) == (0, 0, 0.0)


def test_views_cost_nothing() -> None:
    assert cost(nn.Sequential(nn.Flatten(), nn.Identity()), 4).layers == ()


def test_totals_are_the_sums_of_the_layers() -> None:
    layers = (LayerCost("a", "regular", 30, 5, 6, 4), LayerCost("b", "linear", 10, 2, 7, 3))

    counted = Cost(layers)

    assert (counted.macs, counted.parameters, counted.bytes_moved) == (40, 7, 20)
    assert counted.intensity == 2.0
    assert Cost(()).intensity == 0.0


def test_shared_weights_count_once_and_their_arithmetic_twice() -> None:
    layer = nn.Conv2d(3, 3, 1, bias=False)

    counted = cost(nn.Sequential(layer, nn.ReLU(), layer), 4)

    assert (counted.parameters, counted.macs) == (9, 2 * 9 * 16)


def test_layers_are_named_by_module_and_operation() -> None:
    with torch.device("meta"):
        network = create("fasternet_t0")

    counted = [layer.name for layer in cost(network, 64).layers]

    assert counted[:4] == [
        "patch_embed.proj",
        "patch_embed.norm",
        "stages.0.blocks.0.spatial_mixing.partial_conv3",
        "stages.0.blocks.0.spatial_mixing.cat",
    ]
    assert "stages.0.blocks.0.add" in counted
    assert counted[-1] == "head"


@pytest.mark.parametrize("name", names())
def test_cost_agrees_with_a_count_of_another_kind(
    name: str, count: Callable[[nn.Module, tuple[int, ...]], Counted]
) -> None:
    with torch.device("meta"):
        network = create(name).eval()

    counted = cost(network, 96)

    assert counted.macs == count(network, (1, 3, 96, 96)).macs
    assert counted.parameters == sum(p.numel() for p in network.parameters())
    assert "other" not in {layer.kind for layer in counted.layers}


@pytest.mark.parametrize("training", [True, False])
def test_cost_leaves_the_network_as_it_was(training: bool) -> None:
    network = create("shufflenet_v2_x0_5", num_classes=3).train(training)
    network.get_submodule("conv1.1").eval()
    modes = [module.training for module in network.modules()]
    before = copy.deepcopy(network.state_dict())
    seen: list[Tensor] = []
    network.register_forward_hook(lambda *called: seen.append(called[2]))

    counted = cost(network, 64)

    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert [module.training for module in network.modules()] == modes
    assert not seen
    assert [len(m._forward_hooks) for m in network.modules()][:2] == [1, 0]
    assert counted == cost(network.eval(), 64)


def test_cost_of_half_precision_weights_is_that_of_single() -> None:
    assert cost(conv(3, 4).half(), 8) == cost(conv(3, 4), 8)


@pytest.mark.parametrize(
    ("size", "channels"),
    [
        pytest.param(8, 3, id="too-small"),
        pytest.param(0, 3, id="empty"),
        pytest.param(-1, 3, id="negative"),
        pytest.param(64, 4, id="too-many-channels"),
    ],
)
def test_cost_refuses_images_that_do_not_pass(size: int, channels: int) -> None:
    with torch.device("meta"):
        network = create("fasternet_t0")

    with pytest.raises(InputError, match=rf"FasterNet takes no image .*1, {channels}, {size}"):
        cost(network, size, channels=channels)


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("fasternet_t0", 335_422_720),
        ("fasternet_t1", 850_511_872),
        ("fasternet_t2", 1_904_334_848),
        ("fasternet_s", 4_549_740_544),
        ("fasternet_m", 8_721_938_432),
        ("fasternet_l", 15_494_383_616),
        ("mobilenet_v1", 568_740_352),
        ("mobilenet_v2", 300_774_272),
        ("mobilenet_v3_small", 56_510_400),
        ("mobilenet_v3_large", 216_589_760),
        ("mobilenet_v4_conv_small", 186_005_568),
        ("mobilenet_v4_conv_medium", 827_649_984),
        ("shufflenet_v2_x0_5", 40_476_448),
        ("shufflenet_v2_x1_0", 144_907_992),
        ("shufflenet_v2_x1_5", 295_759_392),
        ("shufflenet_v2_x2_0", 583_253_464),
    ],
)
def test_totals_are_the_reference_counts(name: str, macs: int) -> None:
    """Counted by another program from the published implementations, at 224 x 224."""
    assert cost(sketch(name), 224).macs == macs


@pytest.mark.parametrize(
    ("name", "size", "gmacs"),
    [
        ("resnet18", 224, 1.814),
        ("resnet50", 224, 4.089),
        ("efficientnet_b0", 224, 0.386),
        ("efficientnet_b5", 456, 10.266),
        ("regnet_x_400mf", 224, 0.414),
        ("regnet_x_8gf", 224, 7.995),
        ("regnet_y_400mf", 224, 0.402),
        ("regnet_y_800mf", 224, 0.834),
    ],
)
def test_totals_are_what_torchvision_publishes(name: str, size: int, gmacs: float) -> None:
    """Its `_ops`, which are rounded to a thousandth."""
    assert cost(sketch(name), size).macs / 1e9 == pytest.approx(gmacs, abs=6e-4)
