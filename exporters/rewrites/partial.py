"""FasterNet's partial convolution followed by a pointwise one, without the Split and the Concat
between them. Nothing nonlinear stands between the two, so every form is exact.

With x = (x1, x2), x1 the c_p channels that the 3 x 3 convolution K reads, and the pointwise weights
W = (W1, W2) split the same way, a block computes W1 K x1 + W2 x2 (reference figures of the
arithmetic in units of c² per pixel, the original's being 4.56).
"""

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from exporters.rewrites.channels import aligned, pointwise_like
from models.fasternet import Block, FasterNet, PatchMerging, Stage
from models.operators import PartialConv

Rewritten = Callable[[Block], nn.Module]


def concat_free(network: nn.Module) -> nn.Module | None:
    """W1 K slice(x) + (0, W2) x: no Concat, one slice. 5.06."""
    return _blocks(network, ConcatFree)


def slice_free(network: nn.Module) -> nn.Module | None:
    """W1 (K, 0) x + (0, W2) x: K reads all channels, most with zeros. No data moves. 6.75."""
    return _blocks(network, SliceFree)


def t_shaped(network: nn.Module) -> nn.Module | None:
    """(W1 K) x1 + W2 x2 with W1 K as one 3 x 3 convolution into all channels. 8.0."""
    return _blocks(network, TShaped)


def partial_aligned(network: nn.Module) -> nn.Module | None:
    """K reads c_p channels rounded up to 16, the added ones copied. About 4.8."""
    return _blocks(network, Aligned)


def two_track(network: nn.Module) -> nn.Module | None:
    """x1 and x2 stay two maps from the stem to the head: every convolution that made x makes
    both, and W reads both, so that neither Split nor Concat is left inside a stage. 4.56."""
    return TwoTrack(network).eval() if isinstance(network, FasterNet) else None


def _blocks(network: nn.Module, rewritten: Rewritten) -> nn.Module | None:
    if not isinstance(network, FasterNet):
        return None
    copied = copy.deepcopy(network)
    for name, block in list(copied.named_modules()):
        if isinstance(block, Block):
            copied.set_submodule(name, rewritten(block))
    return copied.eval()


def _parts(block: Block) -> tuple[nn.Conv2d, list[int], nn.Conv2d]:
    """K, (c_p, c - c_p) and W."""
    partial = block.spatial_mixing
    return partial.partial_conv3, partial.sizes, cast(nn.Conv2d, block.mlp[0])


def _without_bias(conv: nn.Conv2d) -> nn.Conv2d:
    conv.bias = None
    return conv


class ConcatFree(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.kernel, (self.mixed, rest), enter = _parts(block)
        width = self.mixed + rest
        outputs = range(enter.out_channels)
        of_mixed = pointwise_like(enter, inputs=range(self.mixed), outputs=outputs)
        self.of_mixed = _without_bias(of_mixed)
        untouched = [None] * self.mixed + list(range(self.mixed, width))
        self.of_all = pointwise_like(enter, inputs=untouched, outputs=outputs)
        self.leave = block.mlp[2:]

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.of_mixed(self.kernel(x[:, : self.mixed]))
        entered: Tensor = x + self.leave(mixed + self.of_all(x))
        return entered


class SliceFree(ConcatFree):
    def __init__(self, block: Block) -> None:
        super().__init__(block)
        kernel, (mixed, rest), _ = _parts(block)
        reads = [*range(mixed), *[None] * rest]
        self.kernel = _without_bias(pointwise_like(kernel, inputs=reads, outputs=range(mixed)))

    def forward(self, x: Tensor) -> Tensor:
        entered: Tensor = x + self.leave(self.of_mixed(self.kernel(x)) + self.of_all(x))
        return entered


class TShaped(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        kernel, self.sizes, enter = _parts(block)
        mixed, rest = self.sizes
        outputs = range(enter.out_channels)
        self.point = _without_bias(
            pointwise_like(enter, inputs=range(mixed, mixed + rest), outputs=outputs)
        )
        weight = torch.einsum("om,mikl->oikl", enter.weight[:, :mixed, 0, 0], kernel.weight)
        self.square = nn.Conv2d(mixed, enter.out_channels, 3, padding=1)
        self.square.weight = nn.Parameter(weight.detach())
        self.square.bias = enter.bias
        self.leave = block.mlp[2:]

    def forward(self, x: Tensor) -> Tensor:
        mixed, rest = torch.split(x, self.sizes, dim=1)
        entered: Tensor = x + self.leave(self.square(mixed) + self.point(rest))
        return entered


class Aligned(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        kernel, (mixed, rest), _ = _parts(block)
        width = min(len(aligned(range(mixed), 16)), mixed + rest)
        more = [None] * (width - mixed)
        layout = [*range(mixed), *more]
        self.spatial_mixing = PartialConv(mixed + rest, n_div=1)
        self.spatial_mixing.sizes = [width, mixed + rest - width]
        wide = _without_bias(pointwise_like(kernel, inputs=layout, outputs=layout))
        with torch.no_grad():
            for channel in range(mixed, width):
                wide.weight[channel, channel, 1, 1] = 1.0
        self.spatial_mixing.partial_conv3 = wide
        self.mlp = block.mlp

    def forward(self, x: Tensor) -> Tensor:
        entered: Tensor = x + self.mlp(self.spatial_mixing(x))
        return entered


class TwoTrack(nn.Module):
    def __init__(self, network: FasterNet) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        stages = list(network.stages)
        makers = [network.patch_embed.proj]
        makers += [cast(PatchMerging, stage).reduction for stage in stages[1::2]]
        for maker, stage in zip(makers, stages[::2], strict=True):
            blocks = list(cast(Stage, stage).blocks)
            steps.append(Fork(maker, cast(Block, blocks[0]).spatial_mixing.sizes[0]))
            steps += [TwoTrackBlock(cast(Block, block)) for block in blocks]
        self.steps = nn.ModuleList(steps)
        self.avgpool_pre_head, self.head = network.avgpool_pre_head, network.head

    def forward(self, x: Tensor) -> Tensor:
        tracks = [x]
        for step in self.steps:
            tracks = step(tracks)
        features = self.avgpool_pre_head(torch.cat(tracks, dim=1))
        logits: Tensor = self.head(features.flatten(1))
        return logits


class Fork(nn.Module):
    def __init__(self, conv: nn.Conv2d, mixed: int) -> None:
        super().__init__()
        inputs = range(conv.in_channels)
        self.mixed = pointwise_like(conv, inputs=inputs, outputs=range(mixed))
        self.rest = pointwise_like(conv, inputs=inputs, outputs=range(mixed, conv.out_channels))

    def forward(self, tracks: list[Tensor]) -> list[Tensor]:
        x = torch.cat(tracks, dim=1) if len(tracks) > 1 else tracks[0]
        return [self.mixed(x), self.rest(x)]


class TwoTrackBlock(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.kernel, (mixed, rest), enter = _parts(block)
        width, outputs = mixed + rest, range(enter.out_channels)
        self.of_mixed = pointwise_like(enter, inputs=range(mixed), outputs=outputs)
        self.of_rest = _without_bias(
            pointwise_like(enter, inputs=range(mixed, width), outputs=outputs)
        )
        self.activation = block.mlp[2]
        leave = cast(nn.Conv2d, block.mlp[3])
        inner = range(leave.in_channels)
        self.to_mixed = pointwise_like(leave, inputs=inner, outputs=range(mixed))
        self.to_rest = pointwise_like(leave, inputs=inner, outputs=range(mixed, width))

    def forward(self, tracks: list[Tensor]) -> list[Tensor]:
        mixed, rest = tracks
        entered = self.activation(self.of_mixed(self.kernel(mixed)) + self.of_rest(rest))
        return [mixed + self.to_mixed(entered), rest + self.to_rest(entered)]
