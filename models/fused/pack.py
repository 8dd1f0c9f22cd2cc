"""Weights as the kernels read them: BatchNorms folded in, depth by outputs, filled up to blocks."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.fused.kernels import GELU, NONE, RELU, RELU6

ACTIVATIONS: dict[type[nn.Module], int] = {nn.ReLU: RELU, nn.ReLU6: RELU6, nn.GELU: GELU}
WIDE = 8  # channels that 16 bytes hold; every map has a multiple
_DEPTHS = (64, 32)


@dataclass(frozen=True)
class Folded:
    """A convolution with what follows it. `weight`: float64 (outputs, inputs, height, width);
    `bias`: float64 (outputs); `activation`: as the kernels number them."""

    weight: Tensor
    bias: Tensor
    activation: int = NONE


def folded(
    conv: nn.Conv2d, norm: nn.BatchNorm2d | None = None, activation: nn.Module | None = None
) -> Folded:
    """Jacob et al., arXiv 1712.05877, section 3.2. Raises KeyError for an activation that the
    kernels do not have."""
    weight = conv.weight.detach().double()
    bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach().double()
    if norm is not None:
        if norm.running_mean is None or norm.running_var is None:
            raise KeyError("a BatchNorm without statistics")
        scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
        bias = scale * (bias - norm.running_mean.double()) + norm.bias.detach().double()
        weight = weight * scale.view(-1, 1, 1, 1)
    return Folded(weight, bias, NONE if activation is None else ACTIVATIONS[type(activation)])


def sequence(layers: nn.Sequential) -> list[Folded]:
    """Each convolution of the sequence with the BatchNorm and activation after it."""
    found: list[Folded] = []
    modules = [m for m in layers.modules() if not list(m.children())]
    conv: nn.Conv2d | None = None
    norm: nn.BatchNorm2d | None = None
    for module in [*modules, None]:
        if isinstance(module, nn.BatchNorm2d):
            norm = module
        elif module is None or isinstance(module, nn.Conv2d):
            if conv is not None:
                found.append(folded(conv, norm))
            conv, norm = module, None
        elif conv is not None:
            found.append(folded(conv, norm, module))
            conv, norm = None, None
    return found


def columns_of(outputs: int, largest: int = 128) -> int:
    """Outputs that a block computes, at most `largest`: what leaves least to fill up, the larger
    where it is equal."""
    smallest = max(16, 1 << (outputs - 1).bit_length())
    sizes = [size for size in (largest, largest // 2) if size <= smallest] or [smallest]
    return min(sizes, key=lambda size: (-(-outputs // size) * size, -size))


def depth_of(inputs: int) -> int:
    """Inputs that a block multiplies at once, likewise."""
    smallest = max(16, 1 << (inputs - 1).bit_length())
    sizes = [size for size in _DEPTHS if size <= smallest] or [smallest]
    return min(sizes, key=lambda size: (-(-inputs // size) * size, -size))


def up_to(number: int, block: int) -> int:
    """The multiple of `block` at or above."""
    return -(-number // block) * block


def filled(matrix: Tensor, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """The matrix in a larger one of zeros."""
    made = torch.zeros(rows, columns, dtype=dtype)
    made[: matrix.shape[0], : matrix.shape[1]] = matrix.to(dtype)
    return made
