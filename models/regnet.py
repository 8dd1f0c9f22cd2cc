"""RegNet: a whole family whose widths follow from four numbers.

"Designing Network Design Spaces", arXiv 2003.13678, section 3.3; X has no squeeze and excitation,
Y does (section 5). State-dict keys are torchvision's.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor, nn

from models.layers import conv_norm
from models.operators import SqueezeExcitation

STEM = 32


@dataclass(frozen=True)
class Design:
    """One point of the design space. Block j is `initial_width + slope * j` wide before rounding
    to a power of `step`; `squeeze`: squeeze channels as a part of the block's input."""

    depth: int
    initial_width: int
    slope: float
    step: float
    group_width: int
    squeeze: float | None = None


@dataclass(frozen=True)
class Stage:
    """`depth` blocks of `width` channels, convolved in groups of `group_width`."""

    depth: int
    width: int
    group_width: int


X_400MF = Design(22, 24, 24.48, 2.54, 16)
X_8GF = Design(23, 80, 49.56, 2.88, 120)
Y_400MF = Design(16, 48, 27.89, 2.09, 8, squeeze=0.25)
Y_800MF = Design(14, 56, 38.84, 2.4, 16, squeeze=0.25)


def block_widths(design: Design) -> list[int]:
    """Width of every block: the quantised linear rule, equations 2 to 4, in multiples of 8."""
    widths = []
    for block in range(design.depth):
        linear = design.initial_width + design.slope * block
        power = round(math.log(linear / design.initial_width) / math.log(design.step))
        widths.append(8 * round(design.initial_width * design.step**power / 8))
    return widths


def stages(design: Design) -> tuple[Stage, ...]:
    """Runs of equal width, each made divisible by its groups. Halves round up as in torchvision's
    checkpoints: RegNetX-400MF ends in 400 channels there, in 384 in the paper."""
    found = []
    for width, run in groupby(block_widths(design)):
        group_width = min(design.group_width, width)
        groups = (width + group_width // 2) // group_width
        found.append(Stage(len(list(run)), groups * group_width, group_width))
    return tuple(found)


class RegNet(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, design: Design, num_classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(3, STEM, 3, stride=2), nn.ReLU(inplace=True))
        width = STEM
        trunk = OrderedDict[str, nn.Module]()
        for number, stage in enumerate(stages(design), start=1):
            blocks = OrderedDict[str, nn.Module]()
            for index in range(stage.depth):
                stride = 2 if index == 0 else 1
                blocks[f"block{number}-{index}"] = Block(stage, width, stride, design.squeeze)
                width = stage.width
            trunk[f"block{number}"] = nn.Sequential(blocks)
        self.trunk_output = nn.Sequential(trunk)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.avgpool(self.trunk_output(self.stem(images))).flatten(1)
        logits: Tensor = self.fc(features)
        return logits


class Block(nn.Module):
    """1x1, 3x3 in groups and 1x1, all of one width (bottleneck ratio 1), around a shortcut."""

    def __init__(self, stage: Stage, inputs: int, stride: int, squeeze: float | None) -> None:
        super().__init__()
        width = stage.width
        groups = width // stage.group_width
        grouped = conv_norm(width, width, 3, stride=stride, groups=groups)
        layers = OrderedDict[str, nn.Module](
            a=nn.Sequential(*conv_norm(inputs, width), nn.ReLU(inplace=True)),
            b=nn.Sequential(*grouped, nn.ReLU(inplace=True)),
        )
        if squeeze is not None:
            layers["se"] = SqueezeExcitation(width, round(squeeze * inputs))
        layers["c"] = nn.Sequential(*conv_norm(width, width))
        self.proj = _shortcut(inputs, width, stride)
        self.f = nn.Sequential(layers)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        activated: Tensor = self.activation(self.proj(features) + self.f(features))
        return activated


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(*conv_norm(inputs, outputs, stride=stride))


def regnet_x_400mf(num_classes: int = 1000) -> nn.Module:
    """5.5 million parameters, 0.41 GMACs at 224 pixels."""
    return RegNet(X_400MF, num_classes)


def regnet_x_8gf(num_classes: int = 1000) -> nn.Module:
    """39.6 million parameters, 8.0 GMACs at 224 pixels."""
    return RegNet(X_8GF, num_classes)


def regnet_y_400mf(num_classes: int = 1000) -> nn.Module:
    """4.3 million parameters, 0.40 GMACs at 224 pixels."""
    return RegNet(Y_400MF, num_classes)


def regnet_y_800mf(num_classes: int = 1000) -> nn.Module:
    """6.4 million parameters, 0.83 GMACs at 224 pixels."""
    return RegNet(Y_800MF, num_classes)
