"""ShuffleNetV2 without a channel shuffle: the permutations move into the pointwise weights.

The branches compute what they did, from the same channels in another order, so the rewrite is
exact in real arithmetic; `shuffle_plan.py` says which order. What is left of a unit's Split,
Concat, Reshape, Transpose, Reshape over all channels is one Concat over the half that its branch
reads, and one Split of that branch's own map (or none, where each segment has a convolution of its
own). The identity branch of a unit moves no data.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from exporters.rewrites.channels import Layout, aligned, depthwise_like, pointwise_like
from exporters.rewrites.shuffle_plan import Arrangement, Segment, StagePlan, plan_stage
from models.shufflenet_v2 import DownsamplingUnit, ShuffleNetV2, Unit


def shuffle_free(network: nn.Module, arrangement: Arrangement) -> nn.Module | None:
    """The same function of a ShuffleNetV2 with its BatchNorms folded; None for other networks."""
    if not isinstance(network, ShuffleNetV2):
        return None
    return ShuffleFree(network, arrangement).eval()


class ShuffleFree(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes), from the weights of `network`."""

    def __init__(self, network: ShuffleNetV2, arrangement: Arrangement) -> None:
        super().__init__()
        stem = _convolutions(network.conv1)[0]
        layout: Layout = aligned(range(stem.out_channels), arrangement.block)
        self.stem = nn.Sequential(
            pointwise_like(stem, inputs=range(3), outputs=layout), nn.ReLU(), network.maxpool
        )
        self.stages = nn.Sequential()
        for stage in (network.stage2, network.stage3, network.stage4):
            units = list(stage)
            half = _convolutions(cast(DownsamplingUnit, units[0]).branch2)[0].out_channels
            plan = plan_stage(half, len(units) - 1, arrangement)
            self.stages.append(Stage(units, plan, layout, arrangement))
            layout = plan.reads[-1].layout
        last = _convolutions(network.conv5)[0]
        features = range(last.out_channels)
        self.last = nn.Sequential(pointwise_like(last, inputs=layout, outputs=features), nn.ReLU())
        self.pool = network.pool
        self.fc = network.fc

    def forward(self, images: Tensor) -> Tensor:
        features = self.last(self.stages(self.stem(images)))
        logits: Tensor = self.fc(self.pool(features).flatten(1))
        return logits


class Stage(nn.Module):
    """Units over maps that stay where they are made; only what a branch reads is concatenated."""

    def __init__(
        self, units: Sequence[nn.Module], plan: StagePlan, layout: Layout, arrangement: Arrangement
    ) -> None:
        super().__init__()
        first, *others = units
        first = cast(DownsamplingUnit, first)
        shrink, widen = _convolutions(first.branch1)
        self.shrink = depthwise_like(shrink, layout)
        self.widen = Segmented(widen, layout, plan.maps[0], arrangement)
        self.branches = nn.ModuleList([Branch(first.branch2, layout, plan.maps[1], arrangement)])
        self.reads = [_numbers(plan, k) for k in range(len(plan.reads))]
        for k, unit in enumerate(others):
            branch = cast(Unit, unit).branch2
            read, made = plan.reads[k].layout, plan.maps[k + 2]
            self.branches.append(Branch(branch, read, made, arrangement))

    def forward(self, features: Tensor) -> Tensor:
        segments: list[Tensor] = [*self.widen(self.shrink(features))]
        first, *others = self.branches
        segments += first(features)
        *reads, output = self.reads
        for read, branch in zip(reads, others, strict=True):
            segments += branch(torch.cat([segments[number] for number in read], dim=1))
        return torch.cat([segments[number] for number in output], dim=1)


class Branch(nn.Module):
    """Pointwise, depthwise, pointwise: (N, len(inputs), h, w) to one map per segment."""

    def __init__(
        self,
        branch: nn.Module,
        inputs: Layout,
        segments: tuple[Segment, ...],
        arrangement: Arrangement,
    ) -> None:
        super().__init__()
        enter, filtered, leave = _convolutions(branch)
        inner = aligned(range(enter.out_channels), arrangement.block)
        self.enter = pointwise_like(enter, inputs=inputs, outputs=inner)
        self.filter = depthwise_like(filtered, inner)
        self.leave = Segmented(leave, inner, segments, arrangement)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        filtered = self.filter(torch.relu(self.enter(features)))
        segments: tuple[Tensor, ...] = self.leave(filtered)
        return segments


class Segmented(nn.Module):
    """A pointwise convolution and its ReLU: one map per segment."""

    def __init__(
        self,
        conv: nn.Conv2d,
        inputs: Layout,
        segments: tuple[Segment, ...],
        arrangement: Arrangement,
    ) -> None:
        super().__init__()
        layouts = [segment.channels for segment in segments]
        self.sizes = [[len(layout)] for layout in layouts]
        if arrangement.split:
            self.sizes = [[len(layout) for layout in layouts]]
            layouts = [tuple(channel for layout in layouts for channel in layout)]
        self.convs = nn.ModuleList(
            pointwise_like(conv, inputs=inputs, outputs=layout) for layout in layouts
        )

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        segments: list[Tensor] = []
        for conv, sizes in zip(self.convs, self.sizes, strict=True):
            made = torch.relu(conv(features))
            parts = torch.split(made, sizes, dim=1) if len(sizes) > 1 else [made]
            # By number, so that tools which trace the network know how many there are.
            segments += [parts[number] for number in range(len(sizes))]
        return tuple(segments)


def _numbers(plan: StagePlan, k: int) -> list[int]:
    """Where in the list of all segments, in the order they are made, the k-th read finds its."""
    made = [segment for segments in plan.maps for segment in segments]
    return [made.index(segment) for segment in plan.reads[k].segments]


def _convolutions(branch: nn.Module) -> list[nn.Conv2d]:
    return [module for module in branch.modules() if isinstance(module, nn.Conv2d)]
