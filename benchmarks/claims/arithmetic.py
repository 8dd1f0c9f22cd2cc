"""Claims about counts: multiply-accumulates, weights, elements moved. They hold or do not, on any
machine; the counter is `models.cost`, which sees what PyTorch executes."""

import torch
from torch import nn

from benchmarks.claims.evidence import Evidence, ratio
from benchmarks.claims.verdict import Finding, above, below, beside, equal, exactly
from benchmarks.operator_cases import MAPS
from models.cost import ELEMENT_BYTES, Cost, cost
from models.operators import (
    OPERATORS,
    ChannelwiseConv,
    DepthwiseConv,
    DepthwiseSeparableConv,
    GroupConv,
    GroupShuffleConv,
    PartialConv,
    PartialPointwiseConv,
    PointwiseConv,
    conv,
    merge_t_shape,
)
from models.spatially_separable import split_depthwise

_ROUNDING = 1e-10  # relative, in float64


def worked_example(_: Evidence) -> list[Finding]:
    """Claim 1."""
    regular = cost(conv(3, 256, kernel_size=5, padding=0), 12)
    separable = cost(DepthwiseSeparableConv(3, 256, kernel_size=5, padding=0), 12)
    return [
        equal("regular: weights", regular.parameters, 19_200),
        equal("regular: multiplications", regular.macs, 1_228_800),
        equal("depthwise separable: weights", separable.parameters, 843),
        equal("depthwise separable: multiplications", separable.macs, 53_952),
        equal("share of the multiplications, rounded",
              round(100 * separable.macs / regular.macs, 1), 4.4, "%"),
    ]  # fmt: skip


def groups(evidence: Evidence) -> list[Finding]:
    """Claim 4."""
    found = []
    for g in (2, 4, 8, 16):
        whole, parts = _of("conv", 96, 56), _cost(GroupConv(96, 96, groups=g), 96, 56)
        found += [
            equal(f"{g} groups: multiplications are 1/{g}", whole.macs / parts.macs, g),
            equal(f"{g} groups: weights are 1/{g}", whole.parameters / parts.parameters, g),
        ]
    alone = _reached(GroupConv(16, 16, groups=4), GroupConv(16, 16, groups=4))
    mixed = _reached(GroupShuffleConv(16, 16, groups=4), GroupConv(16, 16, groups=4))
    found += [
        equal("two layers of 4 groups, no shuffle: outputs that see one input, of 16", alone, 4),
        equal("with a shuffle between: outputs that see it, of 16", mixed, 16),
    ]
    return found + _times(evidence, "group", "conv", "16 groups", "the regular convolution")


def channelwise(evidence: Evidence) -> list[Finding]:
    """Claim 5: 7 weights in all."""
    found = []
    for channels, side in MAPS:
        counted = _cost(ChannelwiseConv(channels, kernel_size=7), channels, side)
        where = _where(channels, side)
        found += [
            equal(f"{where}: weights", counted.parameters, 7),
            equal(f"{where}: multiplications are h w d_c c", counted.macs, side**2 * 7 * channels),
        ]
    return found + _times(evidence, "channelwise", "pointwise", "channel-wise", "the pointwise")


def rank_one(evidence: Evidence) -> list[Finding]:
    """Claim 7."""
    channels, side = MAPS[0]
    torch.manual_seed(0)
    columns, rows = torch.randn(2, channels, 3, dtype=torch.float64)
    whole = DepthwiseConv(channels).double()
    whole.weight = nn.Parameter((columns[:, :, None] * rows[:, None, :]).unsqueeze(1))
    parts = split_depthwise(whole.weight)
    maps = torch.randn(1, channels, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        error = float((parts(maps) - whole(maps)).abs().max() / whole(maps).abs().max())
    per_pixel = _cost(parts, channels, side).macs / (side * side * channels)
    name = "spatially_separable_depthwise"
    return [
        below("two 1-D passes give the same answer: relative error", exactly(error), _ROUNDING,
              unit=""),
        equal("multiplications per pixel and channel, k = 3: 2 k", per_pixel, 6),
        equal("of the whole kernel: k^2", _of("depthwise", channels, side).macs
              / (side * side * channels), 9),
        *_times(evidence, name, "depthwise", "two passes", "the depthwise convolution"),
    ]  # fmt: skip


def memory_access(_: Evidence) -> list[Finding]:
    """Claim 9: what the cost model counts is the formula; c' is six times c."""
    found = []
    for channels, side in MAPS:
        pixels, where = side * side, _where(channels, side)
        regular, wide = _of("conv", channels, side), 6 * channels
        depthwise = _cost(DepthwiseConv(wide), wide, side)
        found += [
            equal(f"{where}: regular, h w 2c + k^2 c^2", _elements(regular),
                  pixels * 2 * channels + 9 * channels**2, "elements"),
            equal(f"{where}: depthwise of c' = 6c, h w 2c' + k^2 c'", _elements(depthwise),
                  pixels * 2 * wide + 9 * wide, "elements"),
            beside(f"{where}: the second over the first",
                   exactly(_elements(depthwise) / _elements(regular))),
        ]  # fmt: skip
    return found


def partial(evidence: Evidence) -> list[Finding]:
    """Claim 10. The copy that the concatenation may cost is told beside."""
    found = []
    for channels, side in MAPS:
        where, regular = _where(channels, side), _of("conv", channels, side)
        layers = _cost(PartialConv(channels), channels, side).layers
        convolution = layers[0]
        share = convolution.bytes_moved / regular.bytes_moved
        copied = sum(layer.bytes_moved for layer in layers) / regular.bytes_moved
        found += [
            equal(f"{where}: multiplications are 1/16", regular.macs / convolution.macs, 16),
            below(f"{where}: memory access, at most a quarter", exactly(share), 0.25),
            beside(f"{where}: memory access with the copy", exactly(copied)),
        ]
    for channels, side in MAPS:
        for runtime in evidence.runtimes("operator"):
            measured = evidence.operator("partial", runtime, table="operator", channels=channels,
                                         device="cpu")  # fmt: skip
            if measured is not None:
                what = f"{runtime}, {_where(channels, side)}: its time"
                found.append(below(f"{what}, of the regular convolution's",
                                   ratio(measured, "conv"), 1.0))  # fmt: skip
                found.append(beside(f"{what}, of the depthwise convolution's of equal width",
                                    ratio(measured, "depthwise")))  # fmt: skip
    return found


def t_shaped(evidence: Evidence) -> list[Finding]:
    """Claim 11."""
    torch.manual_seed(0)
    pair = PartialPointwiseConv(16, 16).double()
    first, second = pair
    assert isinstance(first, PartialConv) and isinstance(second, PointwiseConv)  # noqa: S101, PT018
    maps = torch.randn(1, 16, 7, 7, dtype=torch.float64)
    with torch.no_grad():
        error = float((merge_t_shape(first, second)(maps) - pair(maps)).abs().max())
    found = [below("every pair is a T-shaped convolution: difference", exactly(error), _ROUNDING,
                   unit="")]  # fmt: skip
    for channels, side in MAPS:
        split, whole = (_of(name, channels, side) for name in ("partial_pointwise", "t_shaped"))
        found.append(
            above(f"{_where(channels, side)}: multiplications of the T, of the pair's",
                  exactly(whole.macs / split.macs), 1.0)
        )  # fmt: skip
    return found + _times(evidence, "partial_pointwise", "t_shaped", "the pair", "the T")


def _times(evidence: Evidence, operator: str, base: str, what: str, than: str) -> list[Finding]:
    """What the arithmetic comes to in time; the claims do not speak of it."""
    found = []
    for measured in evidence.find("operator", operator=operator, table="operator", device="cpu"):
        where = _where(int(str(measured.settings["channels"])), int(str(measured.settings["side"])))
        statement = f"{measured.settings['runtime']}, {where}: time of {what}, of {than}'s"
        found.append(beside(statement, ratio(measured, base)))
    return found


def _where(channels: int, side: int) -> str:
    return f"{channels} x {side}²"


def _of(name: str, channels: int, side: int) -> Cost:
    return _cost(OPERATORS[name](channels, channels), channels, side)


def _cost(operator: nn.Module, channels: int, side: int) -> Cost:
    return cost(operator, side, channels=channels)


def _elements(counted: Cost) -> int:
    return counted.bytes_moved // ELEMENT_BYTES


def _reached(*layers: nn.Module) -> int:
    """How many of 16 outputs change with the first input."""
    maps = torch.zeros(1, 16, 3, 3)
    maps[:, 0] = 1.0
    with torch.no_grad():
        outputs = nn.Sequential(*layers)(maps)
    return int((outputs.abs().sum((0, 2, 3)) > 0).sum())
