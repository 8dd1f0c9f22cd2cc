"""MobileNetV3: inverted residuals, some with squeeze and excitation, found by search.

Arxiv 1905.02244, tables 1 and 2. State-dict keys and BatchNorm constants are torchvision's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from models.layers import conv_norm, set_batch_norm
from models.operators import SqueezeExcitation

STEM = 16

relu = partial(nn.ReLU, inplace=True)
hardswish = partial(nn.Hardswish, inplace=True)


@dataclass(frozen=True)
class Row:
    """One block: a line of table 1 or 2."""

    kernel: int
    expanded: int
    channels: int
    squeeze: bool
    activation: Callable[[], nn.Module]
    stride: int


@dataclass(frozen=True)
class Variant:
    """The blocks, and the channels of the last convolution and of the hidden linear layer."""

    rows: tuple[Row, ...]
    features: int
    hidden: int


LARGE = Variant(
    (
        Row(3, 16, 16, False, relu, 1),
        Row(3, 64, 24, False, relu, 2),
        Row(3, 72, 24, False, relu, 1),
        Row(5, 72, 40, True, relu, 2),
        Row(5, 120, 40, True, relu, 1),
        Row(5, 120, 40, True, relu, 1),
        Row(3, 240, 80, False, hardswish, 2),
        Row(3, 200, 80, False, hardswish, 1),
        Row(3, 184, 80, False, hardswish, 1),
        Row(3, 184, 80, False, hardswish, 1),
        Row(3, 480, 112, True, hardswish, 1),
        Row(3, 672, 112, True, hardswish, 1),
        Row(5, 672, 160, True, hardswish, 2),
        Row(5, 960, 160, True, hardswish, 1),
        Row(5, 960, 160, True, hardswish, 1),
    ),
    features=960,
    hidden=1280,
)

SMALL = Variant(
    (
        Row(3, 16, 16, True, relu, 2),
        Row(3, 72, 24, False, relu, 2),
        Row(3, 88, 24, False, relu, 1),
        Row(5, 96, 40, True, hardswish, 2),
        Row(5, 240, 40, True, hardswish, 1),
        Row(5, 240, 40, True, hardswish, 1),
        Row(5, 120, 48, True, hardswish, 1),
        Row(5, 144, 48, True, hardswish, 1),
        Row(5, 288, 96, True, hardswish, 2),
        Row(5, 576, 96, True, hardswish, 1),
        Row(5, 576, 96, True, hardswish, 1),
    ),
    features=576,
    hidden=1024,
)


class MobileNetV3(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes), at width 1.0."""

    def __init__(self, variant: Variant, num_classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*conv_norm(3, STEM, 3, stride=2), hardswish())]
        channels = STEM
        for row in variant.rows:
            layers.append(Block(channels, row))
            channels = row.channels
        layers.append(nn.Sequential(*conv_norm(channels, variant.features), hardswish()))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(variant.features, variant.hidden),
            hardswish(),
            nn.Dropout(0.2),
            nn.Linear(variant.hidden, num_classes),
        )
        set_batch_norm(self, epsilon=1e-3, momentum=0.01)

    def forward(self, images: Tensor) -> Tensor:
        features = self.pool(self.features(images)).flatten(1)
        logits: Tensor = self.classifier(features)
        return logits


class Block(nn.Module):
    """Pointwise out, depthwise, squeeze and excitation where the row asks for it, pointwise back;
    figure 4 of the paper. The expansion is left out where it would change nothing."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if row.expanded != inputs:
            layers.append(nn.Sequential(*conv_norm(inputs, row.expanded), row.activation()))
        depthwise = conv_norm(
            row.expanded, row.expanded, row.kernel, stride=row.stride, groups=row.expanded
        )
        layers.append(nn.Sequential(*depthwise, row.activation()))
        if row.squeeze:
            squeezed = _near_multiple_of_8(row.expanded // 4)
            layers.append(SqueezeExcitation(row.expanded, squeezed, gate=nn.Hardsigmoid))
        layers.append(nn.Sequential(*conv_norm(row.expanded, row.channels)))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and inputs == row.channels

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.block(features)
        return features + projected if self.residual else projected


def _near_multiple_of_8(channels: int) -> int:
    """The nearest multiple of 8 that does not fall more than 10 % below `channels`."""
    nearest = max(8, (channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
