"""FasterNet: a partial 3x3 convolution and two pointwise ones per block, and nothing else.

"Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks", arXiv 2303.03667, table 8.
State-dict keys are those of the authors' checkpoints.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from models.operators import PartialConv

FEATURES = 1280
EXPANSION = 2

relu = partial(nn.ReLU, inplace=True)


@dataclass(frozen=True)
class Variant:
    """`width`: channels of the first stage, doubled by each later one; `depths`: blocks per stage;
    `n_div`: one part in so many of the channels passes the 3x3 convolution."""

    width: int
    depths: tuple[int, int, int, int]
    activation: Callable[[], nn.Module]
    n_div: int = 4


T0 = Variant(40, (1, 2, 8, 2), nn.GELU)
T1 = Variant(64, (1, 2, 8, 2), nn.GELU)
T2 = Variant(96, (1, 2, 8, 2), relu)
S = Variant(128, (1, 2, 13, 2), relu)
M = Variant(144, (3, 4, 18, 3), relu)
L = Variant(192, (3, 4, 18, 3), relu)


class FasterNet(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes); H and W of at least 32."""

    def __init__(self, variant: Variant, num_classes: int = 1000) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(variant.width)
        stages: list[nn.Module] = []
        for index, depth in enumerate(variant.depths):
            channels = variant.width << index
            if index:
                stages.append(PatchMerging(channels // 2))
            stages.append(Stage(variant, channels, depth))
        self.stages = nn.Sequential(*stages)
        self.avgpool_pre_head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, FEATURES, 1, bias=False),
            variant.activation(),
        )
        self.head = nn.Linear(FEATURES, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.avgpool_pre_head(self.stages(self.patch_embed(images)))
        logits: Tensor = self.head(features.flatten(1))
        return logits


class PatchEmbed(nn.Module):
    """Patches of 4x4 pixels to `channels`. No padding: mean and std fold into it exactly."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, kernel_size=4, stride=4, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        patches: Tensor = self.norm(self.proj(images))
        return patches


class PatchMerging(nn.Module):
    """Halves (H, W) and doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(channels, 2 * channels, kernel_size=2, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, features: Tensor) -> Tensor:
        merged: Tensor = self.norm(self.reduction(features))
        return merged


class Stage(nn.Module):
    """Blocks of equal width, one after the other."""

    def __init__(self, variant: Variant, channels: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(variant, channels) for _ in range(depth)))

    def forward(self, features: Tensor) -> Tensor:
        mixed: Tensor = self.blocks(features)
        return mixed


class Block(nn.Module):
    """Partial convolution, then pointwise out and back; figure 4 of the paper."""

    def __init__(self, variant: Variant, channels: int) -> None:
        super().__init__()
        hidden = EXPANSION * channels
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            variant.activation(),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )
        self.spatial_mixing = PartialConv(channels, variant.n_div)

    def forward(self, features: Tensor) -> Tensor:
        # The published weights need the shortcut of the block's input, not of the mixed features.
        mixed: Tensor = self.mlp(self.spatial_mixing(features))
        return features + mixed
