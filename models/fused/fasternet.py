"""FasterNet: the partial convolution writes its quarter apart, and the pointwise convolution after
it reads that and the untouched channels where they are; nothing is concatenated."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from measuring.input_spec import InputSpec
from models.fasternet import Block, FasterNet, PatchMerging, Stage
from models.fused.layers import ADDED, Pointwise, Window
from models.fused.pack import folded
from models.operators import PartialConv


class FusedFasterNet(nn.Module):
    """Pixels (N, H, W, 3) uint8 to logits (N, classes)."""

    def __init__(self, network: FasterNet, spec: InputSpec, dtype: torch.dtype) -> None:
        super().__init__()
        embed = network.patch_embed
        self.stem = Window(folded(embed.proj, embed.norm), embed.proj, dtype, spec=spec)
        steps: list[nn.Module] = []
        for part in network.stages:
            if isinstance(part, PatchMerging):
                made = folded(part.reduction, part.norm)
                steps.append(Window(made, part.reduction, dtype))
            else:
                blocks = cast("list[Block]", list(cast(Stage, part).blocks))
                steps += [FusedBlock(block, dtype) for block in blocks]
        self.steps = nn.Sequential(*steps)
        _, conv, activation = network.avgpool_pre_head
        self.features = Pointwise(folded(cast(nn.Conv2d, conv), None, activation), dtype)
        self.head = copy.deepcopy(network.head).to(dtype)

    def forward(self, pixels: Tensor) -> Tensor:
        pooled = self.steps(self.stem(pixels)).mean((1, 2), keepdim=True)
        logits: Tensor = self.head(self.features(pooled).flatten(1))
        return logits


class FusedBlock(nn.Module):
    """Three kernels: the partial convolution, out with its activation, back with the shortcut."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        super().__init__()
        mixing: PartialConv = block.spatial_mixing
        outward, norm, activation, back = block.mlp
        conv = mixing.partial_conv3
        self.mixing = Window(folded(conv), conv, dtype)
        widened = folded(cast(nn.Conv2d, outward), cast(nn.BatchNorm2d, norm), activation)
        self.outward = Pointwise(widened, dtype, before=conv.in_channels)
        self.back = Pointwise(folded(cast(nn.Conv2d, back)), dtype)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.outward(self.mixing(features), features)
        back: Tensor = self.back(hidden, other=features, use=ADDED)
        return back
