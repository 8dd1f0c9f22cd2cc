"""MobileNetV4, the convolutional variants: universal inverted bottlenecks.

Arxiv 2404.10518, MNv4-Conv-S and -M in its appendix. State-dict keys are timm's.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from models.layers import conv_norm

STEM = 32
FEATURES = 1280


@dataclass(frozen=True)
class Conv:
    """A regular convolution."""

    kernel: int
    channels: int
    stride: int = 1


@dataclass(frozen=True)
class Fused:
    """A fused inverted bottleneck: regular convolution out, pointwise back; never a shortcut."""

    kernel: int
    channels: int
    expansion: int
    stride: int


@dataclass(frozen=True)
class Universal:
    """A universal inverted bottleneck. `start` and `middle`: kernels of the depthwise convolutions
    before and after the expansion, 0 for none; the stride belongs to the last of them."""

    start: int
    middle: int
    channels: int
    expansion: int
    stride: int = 1


Row = Conv | Fused | Universal
Variant = tuple[tuple[Row, ...], ...]

SMALL: Variant = (
    (Conv(3, 32, stride=2), Conv(1, 32)),
    (Conv(3, 96, stride=2), Conv(1, 64)),
    (
        Universal(5, 5, 96, 3, stride=2),
        *(Universal(0, 3, 96, 2),) * 4,
        Universal(3, 0, 96, 4),
    ),
    (
        Universal(3, 3, 128, 6, stride=2),
        Universal(5, 5, 128, 4),
        Universal(0, 5, 128, 4),
        Universal(0, 5, 128, 3),
        *(Universal(0, 3, 128, 4),) * 2,
    ),
    (Conv(1, 960),),
)

MEDIUM: Variant = (
    (Fused(3, 48, 4, stride=2),),
    (Universal(3, 5, 80, 4, stride=2), Universal(3, 3, 80, 2)),
    (
        Universal(3, 5, 160, 6, stride=2),
        *(Universal(3, 3, 160, 4),) * 2,
        Universal(3, 5, 160, 4),
        Universal(3, 3, 160, 4),
        Universal(3, 0, 160, 4),
        Universal(0, 0, 160, 2),
        Universal(3, 0, 160, 4),
    ),
    (
        Universal(5, 5, 256, 6, stride=2),
        Universal(5, 5, 256, 4),
        *(Universal(3, 5, 256, 4),) * 2,
        Universal(0, 0, 256, 4),
        Universal(3, 0, 256, 4),
        Universal(3, 5, 256, 2),
        Universal(5, 5, 256, 4),
        *(Universal(0, 0, 256, 4),) * 2,
        Universal(5, 0, 256, 2),
    ),
    (Conv(1, 960),),
)


class MobileNetV4(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes). The head's convolution follows the pooling, so
    that it costs one pixel."""

    def __init__(self, variant: Variant, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = conv_norm(3, STEM, 3, stride=2)
        self.act1 = nn.ReLU(inplace=True)
        channels = STEM
        stages: list[nn.Module] = []
        for rows in variant:
            stages.append(nn.Sequential(*_blocks(channels, rows)))
            channels = rows[-1].channels
        self.blocks = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv_head, self.norm_head = conv_norm(channels, FEATURES)
        self.act2 = nn.ReLU(inplace=True)
        self.classifier = nn.Linear(FEATURES, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.act1(self.bn1(self.conv_stem(images)))
        pooled = self.pool(self.blocks(stem))
        features = self.act2(self.norm_head(self.conv_head(pooled)))
        logits: Tensor = self.classifier(features.flatten(1))
        return logits


def _blocks(inputs: int, rows: Iterable[Row]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for row in rows:
        match row:
            case Conv():
                blocks.append(_conv(inputs, row))
            case Fused():
                blocks.append(_fused(inputs, row))
            case Universal():
                blocks.append(UniversalInvertedBottleneck(inputs, row))
        inputs = row.channels
    return blocks


def _conv(inputs: int, row: Conv) -> nn.Sequential:
    conv, bn1 = conv_norm(inputs, row.channels, row.kernel, stride=row.stride)
    return nn.Sequential(OrderedDict[str, nn.Module](conv=conv, bn1=bn1, act=nn.ReLU(inplace=True)))


def _fused(inputs: int, row: Fused) -> nn.Sequential:
    hidden = inputs * row.expansion
    conv_exp, bn1 = conv_norm(inputs, hidden, row.kernel, stride=row.stride)
    conv_pwl, bn2 = conv_norm(hidden, row.channels)
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv_exp=conv_exp, bn1=bn1, act=nn.ReLU(inplace=True), conv_pwl=conv_pwl, bn2=bn2
        )
    )


class UniversalInvertedBottleneck(nn.Module):
    """Depthwise (no activation), pointwise out, depthwise, pointwise back, the two depthwise ones
    where the row has a kernel for them; the input is added where the shape allows."""

    def __init__(self, inputs: int, row: Universal) -> None:
        super().__init__()
        hidden = inputs * row.expansion
        start_stride = 1 if row.middle else row.stride
        self.dw_start = _depthwise(inputs, row.start, start_stride)
        self.pw_exp = _named(*conv_norm(inputs, hidden), nn.ReLU(inplace=True))
        self.dw_mid = _depthwise(hidden, row.middle, row.stride, nn.ReLU(inplace=True))
        self.pw_proj = _named(*conv_norm(hidden, row.channels))
        self.residual = row.stride == 1 and inputs == row.channels

    def forward(self, features: Tensor) -> Tensor:
        expanded = self.dw_mid(self.pw_exp(self.dw_start(features)))
        projected: Tensor = self.pw_proj(expanded)
        return features + projected if self.residual else projected


def _depthwise(channels: int, kernel: int, stride: int, *activation: nn.Module) -> nn.Module:
    if kernel == 0:
        return nn.Identity()
    return _named(
        *conv_norm(channels, channels, kernel, stride=stride, groups=channels), *activation
    )


def _named(conv: nn.Module, bn: nn.Module, *activation: nn.Module) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module](conv=conv, bn=bn)
    for act in activation:
        layers["act"] = act
    return nn.Sequential(layers)
