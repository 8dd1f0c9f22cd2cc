"""EfficientNet: one found network, scaled in width, depth and resolution together.

Arxiv 1905.11946, table 1 and equation 3. State-dict keys are torchvision's. Stochastic depth is
left out: it has no weights and is the identity at inference.
"""

import math
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from models.layers import conv_norm, set_batch_norm
from models.operators import SqueezeExcitation

STEM = 32
HEAD = 4  # Channels of the last convolution, as a multiple of the last stage's.

silu = partial(nn.SiLU, inplace=True)


@dataclass(frozen=True)
class Stage:
    """Blocks of one shape: `expansion` of the channels inside, `kernel` of the depthwise
    convolution, `stride` of the first block."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    depth: int


@dataclass(frozen=True)
class Scaling:
    """What makes B0 into its larger kin; `dropout` is that of the classifier."""

    width: float
    depth: float
    dropout: float


STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
B0 = Scaling(1.0, 1.0, 0.2)
B5 = Scaling(1.6, 2.2, 0.4)


class EfficientNet(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, scaling: Scaling, num_classes: int = 1000) -> None:
        super().__init__()
        channels = scaled_channels(STEM, scaling.width)
        layers: list[nn.Module] = [_unit(3, channels, 3, stride=2)]
        for stage in STAGES:
            outputs = scaled_channels(stage.channels, scaling.width)
            blocks: list[nn.Module] = []
            for index in range(math.ceil(stage.depth * scaling.depth)):
                stride = stage.stride if index == 0 else 1
                blocks.append(MBConv(stage, channels, outputs, stride))
                channels = outputs
            layers.append(nn.Sequential(*blocks))
        layers.append(_unit(channels, HEAD * channels))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(scaling.dropout), nn.Linear(HEAD * channels, num_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        features = self.avgpool(self.features(images)).flatten(1)
        logits: Tensor = self.classifier(features)
        return logits


class MBConv(nn.Module):
    """Pointwise out, depthwise, squeeze and excitation, pointwise back without an activation.

    The squeeze has a quarter of the block's input channels, not of the expanded ones.
    """

    def __init__(self, stage: Stage, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        hidden = stage.expansion * inputs
        layers: list[nn.Module] = []
        if stage.expansion > 1:
            layers.append(_unit(inputs, hidden))
        layers.append(_unit(hidden, hidden, stage.kernel, stride=stride, groups=hidden))
        layers.append(SqueezeExcitation(hidden, max(1, inputs // 4), activation=silu))
        layers.append(nn.Sequential(*conv_norm(hidden, outputs)))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.block(features)
        return features + projected if self.residual else projected


def scaled_channels(channels: int, width: float) -> int:
    """`width` times the channels, to the nearest multiple of 8 that loses no more than a tenth."""
    scaled = channels * width
    nearest = max(8, int(scaled + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * scaled else nearest + 8


def _unit(
    inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(*conv_norm(inputs, outputs, kernel, stride=stride, groups=groups), silu())


def efficientnet_b0(num_classes: int = 1000) -> nn.Module:
    """5.3 million parameters, 0.39 GMACs at 224 pixels."""
    return EfficientNet(B0, num_classes)


def efficientnet_b5(num_classes: int = 1000) -> nn.Module:
    """30.4 million parameters, 10.3 GMACs at its 456 pixels."""
    network = EfficientNet(B5, num_classes)
    # Its checkpoint comes from TensorFlow, with that framework's constants.
    set_batch_norm(network, epsilon=1e-3, momentum=0.01)
    return network
