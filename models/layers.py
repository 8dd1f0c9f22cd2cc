"""Convolution with BatchNorm, the one pair that every family repeats. What a family wraps
around it decides the names of its checkpoint, so this returns the pair and wraps nothing."""

from torch import nn


def conv_norm(
    inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A bias-free convolution, padded so that stride 1 keeps (H, W), and its BatchNorm."""
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    return convolution, nn.BatchNorm2d(outputs)


def set_batch_norm(network: nn.Module, *, epsilon: float, momentum: float) -> None:
    """Give every BatchNorm of `network` the constants its weights were trained with."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = epsilon
            module.momentum = momentum
