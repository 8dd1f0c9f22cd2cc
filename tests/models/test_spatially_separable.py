"""Two one-dimensional passes against the two-dimensional kernel they were split from."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from measuring.errors import InputError
from models.spatially_separable import split_conv, split_depthwise


def rank_one(*shape: int, size: int = 5) -> Tensor:
    """Kernels a b^T of the given leading shape, float64."""
    columns = torch.randn(*shape, size, 1, dtype=torch.float64)
    return columns @ torch.randn(*shape, 1, size, dtype=torch.float64)


def test_split_depthwise_answers_as_the_full_kernel() -> None:
    kernel = rank_one(6, 1)
    images = torch.randn(2, 6, 8, 9, dtype=torch.float64)

    split = split_depthwise(kernel)

    expected = functional.conv2d(images, kernel, padding=2, groups=6)
    torch.testing.assert_close(split(images), expected, rtol=1e-11, atol=1e-11)
    assert sum(p.numel() for p in split.parameters()) == 2 * 5 * 6


def test_split_depthwise_of_a_sobel_filter_is_smoothing_and_difference() -> None:
    sobel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).reshape(1, 1, 3, 3)

    split = split_depthwise(sobel).state_dict()

    vertical, horizontal = split["vertical.weight"].flatten(), split["horizontal.weight"].flatten()
    torch.testing.assert_close(vertical / vertical[0], torch.tensor([1.0, 2, 1]))
    torch.testing.assert_close(horizontal / horizontal[0], torch.tensor([1.0, 0, -1]))


def test_split_depthwise_of_a_zero_kernel_is_zero() -> None:
    split = split_depthwise(torch.zeros(2, 1, 3, 3))

    assert not split(torch.ones(1, 2, 4, 4)).any()


def test_split_depthwise_of_a_full_rank_channel_is_refused() -> None:
    kernel = rank_one(3, 1, size=3)
    kernel[1, 0] = torch.eye(3)

    with pytest.raises(InputError, match=r"rank 1 leaves 8\.2e-01 of its norm"):
        split_depthwise(kernel)


@pytest.mark.parametrize(("c_in", "c_out"), [(4, 4), (3, 7), (7, 3)])
def test_split_conv_answers_as_a_mix_of_one_rank_one_kernel(c_in: int, c_out: int) -> None:
    mix = torch.randn(c_out, c_in, dtype=torch.float64)
    kernel = torch.einsum("oi,kl->oikl", mix, rank_one())
    images = torch.randn(2, c_in, 8, 9, dtype=torch.float64)

    split = split_conv(kernel)

    expected = functional.conv2d(images, kernel, padding=2)
    torch.testing.assert_close(split(images), expected, rtol=1e-11, atol=1e-11)


def test_split_conv_of_unrelated_kernels_is_refused() -> None:
    with pytest.raises(InputError, match="keep the two-dimensional convolution"):
        split_conv(torch.randn(4, 4, 3, 3))
