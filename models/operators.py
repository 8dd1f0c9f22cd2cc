"""Every convolution operator the claims speak of, each as a small module with one forward path.

Operators map `(N, c_in, h, w)` to `(N, c_out, h, w)` without bias, norm or activation, so that
time, MACs and memory access compare like with like. In the docstrings h and w are the output's,
k the kernel's side, c1 and c2 the channels in and out; memory access counts elements read and
written once, weights included, for one image.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from measuring.errors import InputError
from models.spatially_separable import SpatiallySeparableConv, SpatiallySeparableDepthwiseConv


def conv(c_in: int, c_out: int, kernel_size: int = 3, padding: int = 1) -> nn.Conv2d:
    """Regular convolution. MACs h w k² c1 c2; memory access h w (c1 + c2) + k² c1 c2."""
    return nn.Conv2d(c_in, c_out, kernel_size, padding=padding, bias=False)


class DepthwiseConv(nn.Conv2d):
    """One k x k filter per channel. MACs h w k² c; memory access 2 h w c + k² c.

    Sifre 2014; MobileNets (arXiv 1704.04861). Channels do not mix.
    """

    def __init__(self, channels: int, kernel_size: int = 3, padding: int = 1) -> None:
        super().__init__(
            channels, channels, kernel_size, padding=padding, groups=channels, bias=False
        )


class PointwiseConv(nn.Conv2d):
    """1 x 1 convolution. MACs h w c1 c2; memory access h w (c1 + c2) + c1 c2."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 1, bias=False)


class DepthwiseSeparableConv(nn.Sequential):
    """Depthwise, then pointwise. MACs h w (k² c1 + c1 c2).

    Memory access h w (3 c1 + c2) + k² c1 + c1 c2: the map between the two kernels is written and
    read again. MobileNets (arXiv 1704.04861), section 3.1.
    """

    def __init__(self, c_in: int, c_out: int, kernel_size: int = 3, padding: int = 1) -> None:
        super().__init__(
            OrderedDict[str, nn.Module](
                depthwise=DepthwiseConv(c_in, kernel_size, padding),
                pointwise=PointwiseConv(c_in, c_out),
            )
        )


class GroupConv(nn.Conv2d):
    """g convolutions side by side, each on 1/g of the channels. MACs h w k² c1 c2 / g.

    Memory access h w (c1 + c2) + k² c1 c2 / g. Groups do not mix (AlexNet, 2012).
    Raises InputError where g does not divide both channel counts.
    """

    def __init__(self, c_in: int, c_out: int, *, groups: int, kernel_size: int = 3) -> None:
        _require_divisible(c_in, groups)
        _require_divisible(c_out, groups)
        super().__init__(
            c_in, c_out, kernel_size, padding=kernel_size // 2, groups=groups, bias=False
        )


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Channel j of group i becomes channel i of block j: (g, c/g) transposed to (c/g, g).

    Written as reshape, transpose, reshape with only the batch left open, the form that
    optimising runtimes recognise. `channel_shuffle(_, c // groups)` is its inverse.
    """
    _, channels, height, width = x.shape
    grouped = x.reshape(-1, groups, channels // groups, height, width)
    return grouped.transpose(1, 2).reshape(-1, channels, height, width)


class ChannelShuffle(nn.Module):
    """No MACs, memory access 2 h w c. ShuffleNet (arXiv 1707.01083), section 3.1."""

    def __init__(self, channels: int, *, groups: int) -> None:
        super().__init__()
        _require_divisible(channels, groups)
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        return channel_shuffle(x, self.groups)


class GroupShuffleConv(nn.Sequential):
    """Group convolution whose groups mix: a channel shuffle follows (arXiv 1707.01083).

    MACs of GroupConv; memory access of GroupConv plus 2 h w c2.
    """

    def __init__(self, c_in: int, c_out: int, *, groups: int, kernel_size: int = 3) -> None:
        super().__init__(
            OrderedDict[str, nn.Module](
                group=GroupConv(c_in, c_out, groups=groups, kernel_size=kernel_size),
                shuffle=ChannelShuffle(c_out, groups=groups),
            )
        )


class ChannelwiseConv(nn.Module):
    """A shared kernel of d_c weights slides over the channel axis, the same at every pixel.

    MACs h w d_c c; memory access 2 h w c + d_c g; d_c g weights: the c1 c2 term of the pointwise
    convolution is gone. With g > 1 groups, each of g kernels moves in steps of g channels and
    yields c/g maps, laid end to end, so that every output block sees all groups (group
    channel-wise convolution). The channel axis is zero-padded at both ends.
    ChannelNets (arXiv 1809.01330), sections 3.2 and 3.3.

    Raises InputError where g does not divide the channels, the kernel is shorter than its step,
    or a single kernel (g = 1) has no centre.
    """

    def __init__(self, channels: int, *, kernel_size: int, groups: int = 1) -> None:
        super().__init__()
        _require_divisible(channels, groups)
        if kernel_size < groups or (groups == 1 and kernel_size % 2 == 0):
            raise InputError(
                f"channel-wise convolution: got kernel_size {kernel_size} with groups {groups}, "
                "expected at least one weight per group and an odd size for one group"
            )
        self.slide = nn.Conv2d(
            1,
            groups,
            (kernel_size, 1),
            stride=(groups, 1),
            padding=((kernel_size - groups + 1) // 2, 0),
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        columns = self.slide(x.reshape(-1, 1, channels, height * width))  # (N, g, c/g, h w)
        mixed: Tensor = columns.reshape(-1, channels, height, width)
        return mixed


class DepthwiseSeparableChannelwiseConv(nn.Sequential):
    """Depthwise, then channel-wise instead of pointwise. MACs h w (k² + d_c) c.

    Memory access 4 h w c + k² c + d_c. ChannelNets (arXiv 1809.01330), section 3.4.
    """

    def __init__(self, channels: int, *, channel_kernel: int, kernel_size: int = 3) -> None:
        super().__init__(
            OrderedDict[str, nn.Module](
                depthwise=DepthwiseConv(channels, kernel_size, kernel_size // 2),
                channelwise=ChannelwiseConv(channels, kernel_size=channel_kernel),
            )
        )


class PartialConv(nn.Module):
    """3 x 3 convolution on the first c_p = c / n_div channels; the others pass untouched.

    MACs h w k² c_p²: 1/16 of the regular convolution at n_div = 4. Memory access
    2 h w c_p + k² c_p², about 1/4, without the copy of 2 h w c that the concatenation may cost.
    FasterNet (arXiv 2303.03667), section 3.2; the key is the authors'.
    """

    def __init__(self, channels: int, n_div: int = 4) -> None:
        super().__init__()
        _require_divisible(channels, n_div)
        mixed = channels // n_div
        self.sizes = [mixed, channels - mixed]
        self.partial_conv3 = conv(mixed, mixed)

    def forward(self, x: Tensor) -> Tensor:
        mixed, untouched = torch.split(x, self.sizes, dim=1)
        return torch.cat((self.partial_conv3(mixed), untouched), dim=1)


class PartialPointwiseConv(nn.Sequential):
    """PConv, then pointwise: the two thin parts of a T-shaped kernel. MACs h w (k² c_p² + c1 c2).

    Memory access 2 h w c_p + h w (c1 + c2) + weights. FasterNet (arXiv 2303.03667), section 3.3.
    """

    def __init__(self, c_in: int, c_out: int, *, n_div: int = 4) -> None:
        super().__init__(
            OrderedDict[str, nn.Module](
                partial=PartialConv(c_in, n_div), pointwise=PointwiseConv(c_in, c_out)
            )
        )


class TShapedConv(nn.Module):
    """3 x 3 on the first c_p channels into all c2, plus 1 x 1 on the rest.

    MACs h w (k² c_p c2 + (c1 - c_p) c2); memory access h w (c1 + c2) + k² c_p c2 + (c1 - c_p) c2.
    FasterNet (arXiv 2303.03667), section 3.3, figure 5.
    """

    def __init__(self, c_in: int, c_out: int, *, n_div: int = 4) -> None:
        super().__init__()
        _require_divisible(c_in, n_div)
        mixed = c_in // n_div
        self.sizes = [mixed, c_in - mixed]
        self.square = conv(mixed, c_out)
        self.point = PointwiseConv(c_in - mixed, c_out)

    def forward(self, x: Tensor) -> Tensor:
        mixed, rest = torch.split(x, self.sizes, dim=1)
        total: Tensor = self.square(mixed) + self.point(rest)
        return total


def merge_t_shape(first: PartialConv, pointwise: nn.Conv2d) -> TShapedConv:
    """The T-shaped convolution equal to `pointwise(first(x))`: nothing nonlinear is between."""
    mixed, rest = first.sizes
    merged = TShapedConv(mixed + rest, pointwise.out_channels, n_div=(mixed + rest) // mixed)
    weight = pointwise.weight.detach()
    square = torch.einsum("om,mikl->oikl", weight[:, :mixed, 0, 0], first.partial_conv3.weight)
    merged.square.weight = nn.Parameter(square.detach())
    merged.point.weight = nn.Parameter(weight[:, mixed:].clone())
    return merged


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from all channels' means (arXiv 1709.01507).

    MACs 2 c s for s squeeze channels, and one multiplication per element; memory access
    3 h w c + 2 c s: the map is read for the means and again to be scaled. Keys: torchvision's.
    """

    def __init__(
        self,
        channels: int,
        squeeze_channels: int,
        activation: Callable[[], nn.Module] = nn.ReLU,
        gate: Callable[[], nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeeze_channels, 1)
        self.activation = activation()
        self.fc2 = nn.Conv2d(squeeze_channels, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.activation(self.fc1(self.avgpool(x)))
        gate: Tensor = self.gate(self.fc2(squeezed))
        return x * gate


def _require_divisible(channels: int, divisor: int) -> None:
    if divisor < 1 or channels % divisor:
        raise InputError(
            f"cannot divide {channels} channels by {divisor}; expected a positive divisor"
        )


def _as_many(c_in: int, c_out: int) -> int:
    if c_in != c_out:
        raise InputError(
            f"this operator keeps the channels: got {c_in} in and {c_out} out, expected as many out"
        )
    return c_in


OPERATORS: dict[str, Callable[[int, int], nn.Module]] = {
    "conv": conv,
    "depthwise": lambda c_in, c_out: DepthwiseConv(_as_many(c_in, c_out)),
    "pointwise": PointwiseConv,
    "depthwise_separable": DepthwiseSeparableConv,
    "group": partial(GroupConv, groups=16),
    "group_shuffle": partial(GroupShuffleConv, groups=16),
    "channelwise": lambda c_in, c_out: ChannelwiseConv(_as_many(c_in, c_out), kernel_size=7),
    "group_channelwise": lambda c_in, c_out: ChannelwiseConv(
        _as_many(c_in, c_out), kernel_size=64, groups=16
    ),
    "depthwise_separable_channelwise": lambda c_in, c_out: DepthwiseSeparableChannelwiseConv(
        _as_many(c_in, c_out), channel_kernel=7
    ),
    "spatially_separable": SpatiallySeparableConv,
    "spatially_separable_depthwise": lambda c_in, c_out: SpatiallySeparableDepthwiseConv(
        _as_many(c_in, c_out)
    ),
    "partial": lambda c_in, c_out: PartialConv(_as_many(c_in, c_out)),
    "partial_pointwise": PartialPointwiseConv,
    "t_shaped": TShapedConv,
    "channel_shuffle": lambda c_in, c_out: ChannelShuffle(_as_many(c_in, c_out), groups=16),
    "squeeze_excitation": lambda c_in, c_out: SqueezeExcitation(_as_many(c_in, c_out), c_in // 4),
}
"""Name -> builder(c_in, c_out); 16 groups and c_p = c/4 as in FasterNet's table 1."""
