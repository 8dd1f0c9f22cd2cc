"""The pair that every family is made of."""

import pytest
import torch
from torch import nn

from models.layers import conv_norm, set_batch_norm


@pytest.mark.parametrize(
    ("kernel", "stride", "side"),
    [
        pytest.param(1, 1, 7, id="pointwise-keeps"),
        pytest.param(3, 1, 7, id="3x3-keeps"),
        pytest.param(5, 1, 7, id="5x5-keeps"),
        pytest.param(3, 2, 4, id="stride-2-halves-rounding-up"),
    ],
)
def test_conv_norm_pads_for_its_kernel(kernel: int, stride: int, side: int) -> None:
    convolution, norm = conv_norm(4, 6, kernel, stride=stride)

    result = norm(convolution(torch.rand(2, 4, 7, 7)))

    assert result.shape == (2, 6, side, side)
    assert convolution.bias is None


def test_set_batch_norm_reaches_every_batch_norm_and_nothing_else() -> None:
    inner = nn.Sequential(*conv_norm(4, 4), nn.GroupNorm(2, 4))
    network = nn.Sequential(*conv_norm(3, 4), inner)

    set_batch_norm(network, epsilon=1e-3, momentum=0.01)

    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-3, 0.01)] * 2
    assert inner.get_submodule("2").eps == 1e-5
