"""ShuffleNetV2: equal widths, half of the channels untouched, one shuffle per unit.

Arxiv 1807.11164, figure 3 and table 5. State-dict keys are torchvision's, whose shuffle ends the
unit; the authors' own weights were trained with the shuffle at its start and do not fit.
"""

import torch
from torch import Tensor, nn

from models.layers import conv_norm
from models.operators import ChannelShuffle

STEM = 24
REPEATS = (4, 8, 4)

# Channels of the three stages and of the last convolution.
Widths = tuple[int, int, int, int]
X0_5: Widths = (48, 96, 192, 1024)
X1_0: Widths = (116, 232, 464, 1024)
X1_5: Widths = (176, 352, 704, 1024)
X2_0: Widths = (244, 488, 976, 2048)


class ShuffleNetV2(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, widths: Widths, num_classes: int = 1000) -> None:
        super().__init__()
        *stages, features = widths
        self.conv1 = nn.Sequential(*conv_norm(3, STEM, 3, stride=2), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.stage2, self.stage3, self.stage4 = (
            _stage(inputs, outputs, repeats)
            for inputs, outputs, repeats in zip((STEM, *stages), stages, REPEATS, strict=False)
        )
        self.conv5 = nn.Sequential(*conv_norm(stages[-1], features), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.maxpool(self.conv1(images))
        features = self.conv5(self.stage4(self.stage3(self.stage2(stem))))
        logits: Tensor = self.fc(self.pool(features).flatten(1))
        return logits


def _stage(inputs: int, outputs: int, repeats: int) -> nn.Sequential:
    units = (Unit(outputs) for _ in range(repeats - 1))
    return nn.Sequential(DownsamplingUnit(inputs, outputs), *units)


class Unit(nn.Module):
    """Half of the channels pass the branch, half stay; figure 3c."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch2 = _branch(channels // 2, channels // 2, stride=1)
        self.shuffle = ChannelShuffle(channels, groups=2)

    def forward(self, features: Tensor) -> Tensor:
        kept, passed = features.chunk(2, dim=1)
        shuffled: Tensor = self.shuffle(torch.cat((kept, self.branch2(passed)), dim=1))
        return shuffled


class DownsamplingUnit(nn.Module):
    """All channels pass both branches, which halve (H, W); figure 3d."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.branch1 = nn.Sequential(
            *conv_norm(inputs, inputs, 3, stride=2, groups=inputs),
            *conv_norm(inputs, half),
            nn.ReLU(inplace=True),
        )
        self.branch2 = _branch(inputs, half, stride=2)
        self.shuffle = ChannelShuffle(outputs, groups=2)

    def forward(self, features: Tensor) -> Tensor:
        both = torch.cat((self.branch1(features), self.branch2(features)), dim=1)
        shuffled: Tensor = self.shuffle(both)
        return shuffled


def _branch(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *conv_norm(inputs, outputs),
        nn.ReLU(inplace=True),
        *conv_norm(outputs, outputs, 3, stride=stride, groups=outputs),
        *conv_norm(outputs, outputs),
        nn.ReLU(inplace=True),
    )
