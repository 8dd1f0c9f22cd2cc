"""ShuffleNetV2: a branch reads its half of the channels where they lie, and its last kernel writes
its own channels between those that were kept; nothing is split, concatenated or shuffled."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from measuring.input_spec import InputSpec
from models.fused.layers import SHUFFLED, Pointwise, Pool, Separable, Window
from models.fused.pack import sequence
from models.shufflenet_v2 import DownsamplingUnit, ShuffleNetV2, Unit


class FusedShuffleNetV2(nn.Module):
    """Pixels (N, H, W, 3) uint8 to logits (N, classes)."""

    def __init__(self, network: ShuffleNetV2, spec: InputSpec, dtype: torch.dtype) -> None:
        super().__init__()
        conv = cast(nn.Conv2d, network.conv1[0])
        self.stem = Window(sequence(network.conv1)[0], conv, dtype, spec=spec)
        self.pool = Pool()
        units: list[nn.Module] = []
        for stage in (network.stage2, network.stage3, network.stage4):
            first, *others = stage
            units.append(FusedDownsampling(cast(DownsamplingUnit, first), dtype))
            units += [FusedUnit(cast(Unit, unit), dtype) for unit in others]
        self.units = nn.Sequential(*units)
        self.last = Pointwise(sequence(network.conv5)[0], dtype)
        self.fc = copy.deepcopy(network.fc).to(dtype)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.last(self.units(self.pool(self.stem(pixels)))).mean((1, 2))
        logits: Tensor = self.fc(features[:, : self.fc.in_features])
        return logits


class FusedUnit(nn.Module):
    """Two kernels."""

    def __init__(self, unit: Unit, dtype: torch.dtype) -> None:
        super().__init__()
        enter, filters, leave = sequence(unit.branch2)
        self.kept = enter.weight.shape[1]
        self.enter = Pointwise(enter, dtype)
        self.leave = Separable(filters, leave, 1, dtype)

    def forward(self, features: Tensor) -> Tensor:
        # The map may have more channels than the network: those have weights of zero.
        entered = self.enter(features, first=self.kept)
        left: Tensor = self.leave(entered, other=features, use=SHUFFLED)
        return left


class FusedDownsampling(nn.Module):
    """Three kernels."""

    def __init__(self, unit: DownsamplingUnit, dtype: torch.dtype) -> None:
        super().__init__()
        filters, leave = sequence(unit.branch1)
        self.beside = Separable(filters, leave, 2, dtype)
        enter, filters, leave = sequence(unit.branch2)
        self.enter = Pointwise(enter, dtype)
        self.leave = Separable(filters, leave, 2, dtype)

    def forward(self, features: Tensor) -> Tensor:
        beside = self.beside(features)
        left: Tensor = self.leave(self.enter(features), other=beside, use=SHUFFLED)
        return left
