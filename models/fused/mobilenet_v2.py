"""MobileNetV2: the widest maps, behind the depthwise convolutions, are never stored."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from measuring.input_spec import InputSpec
from models.fused.layers import ADDED, Pointwise, Separable, Window
from models.fused.pack import sequence
from models.mobilenet_v2 import InvertedResidual, MobileNetV2


class FusedMobileNetV2(nn.Module):
    """Pixels (N, H, W, 3) uint8 to logits (N, classes)."""

    def __init__(self, network: MobileNetV2, spec: InputSpec, dtype: torch.dtype) -> None:
        super().__init__()
        stem, *blocks, last = network.features
        conv = cast(nn.Conv2d, cast(nn.Sequential, stem)[0])
        self.stem = Window(sequence(cast(nn.Sequential, stem))[0], conv, dtype, spec=spec)
        self.blocks = nn.Sequential(
            *(FusedResidual(cast(InvertedResidual, block), dtype) for block in blocks)
        )
        self.last = Pointwise(sequence(cast(nn.Sequential, last))[0], dtype)
        self.classifier = copy.deepcopy(network.classifier[1]).to(dtype)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.last(self.blocks(self.stem(pixels))).mean((1, 2))
        logits: Tensor = self.classifier(features)
        return logits


class FusedResidual(nn.Module):
    """Two kernels, or one for the block that does not widen its maps."""

    def __init__(self, block: InvertedResidual, dtype: torch.dtype) -> None:
        super().__init__()
        *widen, filters, project = sequence(block.conv)
        depthwise = next(
            m for m in block.conv.modules() if isinstance(m, nn.Conv2d) and m.groups > 1
        )
        self.widen = Pointwise(widen[0], dtype) if widen else nn.Identity()
        self.project = Separable(filters, project, depthwise.stride[0], dtype)
        self.residual = block.residual

    def forward(self, features: Tensor) -> Tensor:
        widened = self.widen(features)
        if self.residual:
            added: Tensor = self.project(widened, other=features, use=ADDED)
            return added
        projected: Tensor = self.project(widened)
        return projected
