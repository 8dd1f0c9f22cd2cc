"""Pixels to the network's input as a chain of single steps, and the rewrites of that chain.

The chain computes what `models.pixels_in.PixelsIn` does: (pixels - 255 mean) / (255 std) with the
channels first. A rewrite takes a chain and gives another one, or None where it does not apply.
"""

import copy
from typing import cast

import torch
from torch import Tensor, fx, nn

from measuring.input_spec import InputSpec


class ChannelsFirst(nn.Module):
    """(N, H, W, 3) to (N, 3, H, W), in memory too."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.permute(0, 3, 1, 2).contiguous()


class Float(nn.Module):
    """uint8 to `dtype`."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.dtype)


class PerChannel(nn.Module):
    """One number for each of the three channels, (3, 1, 1)."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)


class Subtract(PerChannel):
    """x - value."""

    def forward(self, x: Tensor) -> Tensor:
        return x - self.value


class Multiply(PerChannel):
    """x * value."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.value


def pixels_in(
    network: nn.Module, spec: InputSpec, *, dtype: torch.dtype = torch.float32
) -> nn.Sequential:
    """uint8 (N, H, W, 3) to what `network`, in `dtype`, gives for (N, 3, H, W); it comes last.

    The bytes are transposed before they widen: a quarter of the traffic."""
    mean = 255.0 * torch.tensor(spec.mean, dtype=torch.float64)
    scale = 1.0 / (255.0 * torch.tensor(spec.std, dtype=torch.float64))
    subtract = Subtract(mean.view(3, 1, 1).to(dtype))
    multiply = Multiply(scale.view(3, 1, 1).to(dtype))
    return nn.Sequential(ChannelsFirst(), Float(dtype), subtract, multiply, network).eval()


def scale_in_stem(chain: nn.Sequential) -> nn.Sequential | None:
    """The division by the standard deviation moves into the first convolution's weights.

    conv(s x) = conv'(x) with w'[o, i] = s[i] w[o, i]. Zero padding is zero before and after the
    scale, so it holds for every stem. None where no single convolution reads the input.
    """
    steps = list(chain)
    stem = _stem(steps[-1])
    if stem is None or not isinstance(steps[-2], Multiply):
        return None
    scale = steps[-2].value.double().view(1, 3, 1, 1)
    network = copy.deepcopy(steps[-1])
    conv = cast(nn.Conv2d, network.get_submodule(stem))
    conv.weight = nn.Parameter((conv.weight.double() * scale).to(conv.weight.dtype))
    return nn.Sequential(*steps[:-2], network).eval()


def mean_in_stem(chain: nn.Sequential) -> nn.Sequential | None:
    """The subtraction of the mean moves into the bias of a first convolution without padding.

    conv(x - m) = conv(x) - sum over i and k of w[o, i, k] m[i], a number per output channel. A
    padded stem would have to be padded with the mean instead of zero: None for those.
    """
    steps = list(chain)
    stem = _stem(steps[-1])
    if stem is None or not isinstance(steps[-2], Subtract):
        return None
    network = copy.deepcopy(steps[-1])
    conv = network.get_submodule(stem)
    if not isinstance(conv, nn.Conv2d) or conv.padding not in ((0, 0), "valid"):
        return None
    weight = conv.weight.double()
    offset = (weight * steps[-2].value.double().view(1, 3, 1, 1)).sum((1, 2, 3))
    bias = torch.zeros_like(offset) if conv.bias is None else conv.bias.double()
    conv.bias = nn.Parameter((bias - offset).to(conv.weight.dtype))
    return nn.Sequential(*steps[:-2], network).eval()


def _stem(network: nn.Module) -> str | None:
    """The name of the one dense convolution that reads the input, if nothing else does."""
    try:
        nodes = fx.Tracer().trace(network).nodes
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError):
        return None
    images = next(node for node in nodes if node.op == "placeholder")
    if len(images.users) != 1:
        return None
    (reader,) = images.users
    name = str(reader.target)
    if reader.op != "call_module" or sum(str(node.target) == name for node in nodes) != 1:
        return None
    module = network.get_submodule(name)
    dense = isinstance(module, nn.Conv2d) and module.groups == 1 and module.in_channels == 3
    return name if dense else None
