"""Convolutions with their channels reordered, dropped or joined by zero channels.

A layout says what each channel of a map holds: the number of a channel of the original map, or
None for a channel that is zero. A convolution whose input has a layout takes its columns in that
order, with zeros for the channels that are none of its own; one whose output gets a layout gives
its rows in that order, with zero rows and zero bias for None. ReLU and depthwise convolutions
with zero weights keep a zero channel zero, so all of it is exact.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Layout = Sequence[int | None]


def aligned(layout: Layout, block: int) -> tuple[int | None, ...]:
    """The layout with zero channels after it, up to a multiple of `block`."""
    return (*layout, *[None] * (-len(layout) % block))


def pointwise_like(conv: nn.Conv2d, *, inputs: Layout, outputs: Layout) -> nn.Conv2d:
    """`conv`, of one group, for a map laid out as `inputs`, giving `outputs`."""
    weight, bias = _parameters(conv)
    made = _conv(conv, len(inputs), len(outputs), groups=1)
    _set(made, _take(_take(weight, inputs, dim=1), outputs, dim=0), _take(bias, outputs, dim=0))
    return made


def depthwise_like(conv: nn.Conv2d, layout: Layout) -> nn.Conv2d:
    """`conv`, one filter per channel, for a map laid out as `layout`, which it keeps."""
    weight, bias = _parameters(conv)
    made = _conv(conv, len(layout), len(layout), groups=len(layout))
    _set(made, _take(weight, layout, dim=0), _take(bias, layout, dim=0))
    return made


def _conv(like: nn.Conv2d, inputs: int, outputs: int, *, groups: int) -> nn.Conv2d:
    size, stride, padding = like.kernel_size, like.stride, like.padding
    return nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups)  # type: ignore[arg-type]


def _set(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)


def _parameters(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    weight = conv.weight.detach()
    bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach()
    return weight, bias


def _take(tensor: Tensor, layout: Layout, *, dim: int) -> Tensor:
    """The slices of `tensor` that the layout names, zeros for None."""
    zero = torch.zeros_like(tensor.narrow(dim, 0, 1))
    padded = torch.cat((tensor, zero), dim)
    last = tensor.shape[dim]
    return padded.index_select(
        dim, torch.tensor([last if channel is None else channel for channel in layout])
    )
