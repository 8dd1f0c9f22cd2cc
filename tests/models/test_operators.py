"""Each operator against one naive convolution with the dense kernel it must be equal to."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from measuring.errors import InputError
from models.operators import (
    OPERATORS,
    ChannelShuffle,
    ChannelwiseConv,
    DepthwiseConv,
    DepthwiseSeparableChannelwiseConv,
    DepthwiseSeparableConv,
    GroupConv,
    GroupShuffleConv,
    PartialConv,
    PartialPointwiseConv,
    PointwiseConv,
    SqueezeExcitation,
    TShapedConv,
    channel_shuffle,
    conv,
    merge_t_shape,
)

Array = NDArray[np.float64]


def naive(image: Array, kernel: Array) -> Array:
    """(c1, h, w) convolved with (c2, c1, k, k), zero-padded to keep (h, w): loops alone."""
    c_out, c_in, size, _ = kernel.shape
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (size // 2, size // 2), (size // 2, size // 2)))
    output = np.zeros((c_out, height, width))
    for o, i, y, x in product(range(c_out), range(c_in), range(size), range(size)):
        for row, column in product(range(height), range(width)):
            output[o, row, column] += kernel[o, i, y, x] * padded[i, row + y, column + x]
    return output


def assert_equals_dense(operator: nn.Module, c_in: int, kernel: Array) -> None:
    """Both images of a batch come out as the naive convolution with `kernel` has them."""
    images = torch.randn(2, c_in, 4, 5, dtype=torch.float64)
    with torch.inference_mode():
        outputs = operator(images)
    expected = np.stack([naive(image, kernel) for image in images.numpy()])
    np.testing.assert_allclose(outputs.numpy(), expected, rtol=1e-12, atol=1e-12)


def weight(layer: object) -> Array:
    assert isinstance(layer, nn.Conv2d)
    array: Array = layer.weight.detach().numpy()
    return array


def diagonal(per_channel: Array) -> Array:
    """A depthwise kernel (c, 1, k, k) as a dense one: nothing off the diagonal."""
    channels, _, size, _ = per_channel.shape
    dense = np.zeros((channels, channels, size, size))
    for channel in range(channels):
        dense[channel, channel] = per_channel[channel, 0]
    return dense


def composed(point: Array, first: Array) -> Array:
    """The one kernel equal to `first` and then the 1 x 1 `point`."""
    mixed: Array = np.einsum("om,mikl->oikl", point[:, :, 0, 0], first)
    return mixed


def block_diagonal(kernel: Array, groups: int) -> Array:
    """A grouped kernel (c2, c1 / g, k, k) as a dense one: groups see their own inputs alone."""
    c_out, per_group, size, _ = kernel.shape
    dense = np.zeros((c_out, per_group * groups, size, size))
    for output in range(c_out):
        first = output // (c_out // groups) * per_group
        dense[output, first : first + per_group] = kernel[output]
    return dense


def banded(slide: Array, channels: int) -> Array:
    """A channel-wise kernel (g, 1, d_c, 1) as a dense 1 x 1: each output sees a window of the
    channels, and the windows of one kernel are g channels apart."""
    groups, _, length, _ = slide.shape
    before = (length - groups + 1) // 2
    dense = np.zeros((channels, channels, 1, 1))
    for kernel, step, tap in product(range(groups), range(channels // groups), range(length)):
        source = step * groups + tap - before
        if 0 <= source < channels:
            dense[kernel * (channels // groups) + step, source] = slide[kernel, 0, tap, 0]
    return dense


def partial_dense(kernel: Array, channels: int) -> Array:
    """PConv as a dense kernel: the first channels mixed, a one in the centre for each other."""
    mixed = kernel.shape[0]
    dense = np.zeros((channels, channels, 3, 3))
    dense[:mixed, :mixed] = kernel
    for channel in range(mixed, channels):
        dense[channel, channel, 1, 1] = 1
    return dense


def test_conv_equals_the_naive_loop() -> None:
    operator = conv(3, 4).double()

    assert_equals_dense(operator, 3, weight(operator))


def test_depthwise_conv_is_diagonal() -> None:
    operator = DepthwiseConv(4).double()

    assert_equals_dense(operator, 4, diagonal(weight(operator)))


def test_pointwise_conv_sees_one_pixel() -> None:
    operator = PointwiseConv(4, 3).double()

    assert_equals_dense(operator, 4, weight(operator))


def test_depthwise_separable_conv_is_pointwise_of_diagonal() -> None:
    operator = DepthwiseSeparableConv(4, 6).double()
    depthwise, pointwise = map(weight, operator)

    assert_equals_dense(operator, 4, composed(pointwise, diagonal(depthwise)))


def test_group_conv_is_block_diagonal() -> None:
    operator = GroupConv(6, 9, groups=3).double()

    assert_equals_dense(operator, 6, block_diagonal(weight(operator), 3))


def test_group_shuffle_conv_deals_each_group_to_every_block() -> None:
    operator = GroupShuffleConv(6, 6, groups=3).double()
    dense = block_diagonal(weight(operator.get_submodule("group")), 3)

    assert_equals_dense(operator, 6, dense[[0, 2, 4, 1, 3, 5]])


@pytest.mark.parametrize(
    ("kernel_size", "groups"),
    [
        pytest.param(3, 1, id="one-kernel"),
        pytest.param(8, 2, id="two-groups"),
        pytest.param(3, 3, id="kernel-as-long-as-its-step"),
        pytest.param(7, 2, id="padding-that-does-not-halve"),
    ],
)
def test_channelwise_conv_is_a_banded_pointwise(kernel_size: int, groups: int) -> None:
    operator = ChannelwiseConv(12, kernel_size=kernel_size, groups=groups).double()

    assert_equals_dense(operator, 12, banded(weight(operator.slide), 12))


def test_depthwise_separable_channelwise_conv_is_banded_of_diagonal() -> None:
    operator = DepthwiseSeparableChannelwiseConv(6, channel_kernel=3).double()
    slide = weight(operator.get_submodule("channelwise.slide"))
    depthwise = diagonal(weight(operator.get_submodule("depthwise")))

    assert_equals_dense(operator, 6, composed(banded(slide, 6), depthwise))


def test_partial_conv_leaves_the_other_channels_untouched() -> None:
    operator = PartialConv(8).double()

    assert_equals_dense(operator, 8, partial_dense(weight(operator.partial_conv3), 8))


def test_partial_pointwise_conv_is_t_shaped() -> None:
    operator = PartialPointwiseConv(8, 6).double()
    dense = partial_dense(weight(operator.get_submodule("partial.partial_conv3")), 8)
    kernel = composed(weight(operator.get_submodule("pointwise")), dense)

    assert_equals_dense(operator, 8, kernel)
    assert not kernel[:, 2:, 0, 0].any(), "outside its centre the T has no stem"


def test_t_shaped_conv_is_square_on_the_first_quarter_and_a_point_on_the_rest() -> None:
    operator = TShapedConv(8, 6).double()
    kernel = np.zeros((6, 8, 3, 3))
    kernel[:, :2] = weight(operator.square)
    kernel[:, 2:, 1, 1] = weight(operator.point)[:, :, 0, 0]

    assert_equals_dense(operator, 8, kernel)


def test_merged_t_shape_answers_as_the_pair_it_came_from() -> None:
    pair = PartialPointwiseConv(16, 12, n_div=8).double()
    first, second = pair
    assert isinstance(first, PartialConv)
    assert isinstance(second, PointwiseConv)
    images = torch.randn(2, 16, 5, 5, dtype=torch.float64)

    merged = merge_t_shape(first, second)

    torch.testing.assert_close(merged(images), pair(images), rtol=1e-12, atol=1e-12)


def test_channel_shuffle_transposes_groups_and_members() -> None:
    channels = torch.arange(6.0).reshape(1, 6, 1, 1)

    shuffled = channel_shuffle(channels, 2)

    assert shuffled.flatten().tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
def test_channel_shuffle_is_undone_by_its_inverse(groups: int) -> None:
    images = torch.randn(3, 12, 2, 5)

    shuffled = ChannelShuffle(12, groups=groups)(images)

    assert torch.equal(channel_shuffle(shuffled, 12 // groups), images)
    assert torch.equal(shuffled.sort(dim=1).values, images.sort(dim=1).values)


def test_groups_mix_only_with_a_shuffle_between() -> None:
    def outputs_reached(*layers: nn.Module) -> Tensor:
        image = torch.zeros(1, 16, 3, 3)
        image[:, 0] = 1
        outputs: Tensor = nn.Sequential(*layers)(image)
        return outputs.abs().sum((0, 2, 3)) > 0

    alone = outputs_reached(GroupConv(16, 16, groups=4), GroupConv(16, 16, groups=4))
    mixed = outputs_reached(GroupShuffleConv(16, 16, groups=4), GroupConv(16, 16, groups=4))

    assert alone.nonzero().flatten().tolist() == [0, 1, 2, 3]
    assert mixed.all()


def test_squeeze_excitation_scales_by_a_gate_of_the_means() -> None:
    operator = SqueezeExcitation(8, 2).double()
    image = torch.randn(1, 8, 3, 4, dtype=torch.float64)
    values = image[0].numpy()
    first, second = weight(operator.fc1)[:, :, 0, 0], weight(operator.fc2)[:, :, 0, 0]
    biases = [
        layer.bias.detach().numpy()
        for layer in (operator.fc1, operator.fc2)
        if layer.bias is not None
    ]
    squeezed = np.maximum(first @ values.mean(axis=(1, 2)) + biases[0], 0)
    gate = 1 / (1 + np.exp(-(second @ squeezed + biases[1])))

    scaled = operator(image)[0].detach().numpy()

    np.testing.assert_allclose(scaled, values * gate[:, None, None], rtol=1e-12)


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_keeps_batch_and_map(name: str) -> None:
    outputs = OPERATORS[name](32, 32)(torch.randn(3, 32, 5, 7))

    assert outputs.shape == (3, 32, 5, 7)


@pytest.mark.parametrize("name", OPERATORS)
def test_exported_operator_leaves_the_batch_open(name: str) -> None:
    operator = OPERATORS[name](32, 32).eval()
    batch = torch.export.Dim("batch")

    exported = torch.export.export(
        operator, (torch.randn(2, 32, 6, 6),), dynamic_shapes=({0: batch},)
    ).module()

    images = torch.randn(5, 32, 6, 6)
    torch.testing.assert_close(exported(images), operator(images))


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: OPERATORS["depthwise"](32, 64), id="depthwise-cannot-widen"),
        pytest.param(lambda: OPERATORS["partial"](32, 16), id="partial-cannot-narrow"),
        pytest.param(lambda: GroupConv(30, 32, groups=4), id="groups-of-inputs"),
        pytest.param(lambda: GroupConv(32, 30, groups=4), id="groups-of-outputs"),
        pytest.param(lambda: PartialConv(10), id="no-quarter"),
        pytest.param(lambda: ChannelShuffle(10, groups=0), id="no-groups"),
        pytest.param(lambda: ChannelwiseConv(8, kernel_size=4), id="no-centre"),
        pytest.param(lambda: ChannelwiseConv(8, kernel_size=3, groups=4), id="skips-channels"),
    ],
)
def test_impossible_channels_are_refused(build: Callable[[], nn.Module]) -> None:
    with pytest.raises(InputError, match=r"got|cannot divide"):
        build()
