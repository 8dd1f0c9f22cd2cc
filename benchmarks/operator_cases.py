"""The operators and blocks that are timed: one row each, ten layers on the maps of FasterNet's
table 1 (arXiv 2303.03667), and the building blocks of ShuffleNetV2's guidelines (1807.11164)."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.operators import OPERATORS, DepthwiseConv, GroupConv, PartialConv, PointwiseConv, conv

LAYERS = 10
MAPS = ((96, 56), (192, 28), (384, 14), (768, 7))  # channels and side

# In the order in which they are shown. `squeeze_excitation` is no convolution.
EQUAL_WIDTH = tuple(name for name in OPERATORS if name != "squeeze_excitation")


@dataclass(frozen=True)
class Case:
    """`table`: which comparison it belongs to; `channels` and `side` of the map it stands for, of
    which it takes `times` as many channels; `published`: figures of the paper for the same case.
    """

    table: str
    name: str
    channels: int
    side: int
    build: Callable[[], nn.Module]
    published: Mapping[str, float]
    times: int = 1

    @property
    def place(self) -> str:
        """Cases of one place are timed against one another: a map, or a whole guideline."""
        guideline = self.table.startswith("G")
        return self.table if guideline else f"{self.table} {self.channels}x{self.side}"


class InvertedResidual(nn.Sequential):
    """Pointwise to c' = k c, depthwise, pointwise back: how a network widens a depthwise
    convolution to win its accuracy back (MobileNetV2; FasterNet, section 3.1)."""

    def __init__(self, channels: int, times: int) -> None:
        super().__init__(
            OrderedDict[str, nn.Module](
                widen=PointwiseConv(channels, times * channels),
                depthwise=DepthwiseConv(times * channels),
                narrow=PointwiseConv(times * channels, channels),
            )
        )


class PartialBlock(nn.Sequential):
    """Partial convolution, pointwise to 2 c and back: FasterNet's block without norm, activation
    and shortcut, as the other blocks here."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            OrderedDict[str, nn.Module](
                partial=PartialConv(channels),
                widen=PointwiseConv(channels, 2 * channels),
                narrow=PointwiseConv(2 * channels, channels),
            )
        )


class Parallel(nn.Module):
    """Branches on the same map, laid end to end."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


class Bottleneck(nn.Module):
    """ResNet's unit: 1x1 to a quarter, 3x3, 1x1 back, with or without ReLU and shortcut."""

    def __init__(self, channels: int, *, relu: bool, shortcut: bool) -> None:
        super().__init__()
        inner = channels // 4
        layers: list[nn.Module] = []
        for layer in (PointwiseConv(channels, inner), conv(inner, inner)):
            layers += [layer, nn.ReLU()] if relu else [layer]
        self.body = nn.Sequential(*layers, PointwiseConv(inner, channels))
        self.relu: nn.Module = nn.ReLU() if relu else nn.Identity()
        self.shortcut = shortcut

    def forward(self, maps: Tensor) -> Tensor:
        made = self.body(maps)
        result: Tensor = self.relu(maps + made if self.shortcut else made)
        return result


def stacked(build: Callable[[], nn.Module], layers: int = LAYERS) -> nn.Sequential:
    """`layers` of them, one after the other, of different weights."""
    return nn.Sequential(*(build() for _ in range(layers)))


# FasterNet's table 1: frames per second on a GPU (2080 Ti, batch 32), milliseconds on one thread
# of an i9-9900X and of a Cortex-A72, in the order of MAPS.
_TABLE_1: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    "conv": (
        (3010, 4893, 4558, 3159), (35.67, 28.41, 31.85, 62.71), (779.57, 619.64, 595.09, 662.17),
    ),
    "group": (
        (2888, 10811, 15534, 16000), (21.90, 7.58, 4.40, 4.28), (166.30, 96.22, 63.57, 65.20),
    ),
    "depthwise": (
        (11940, 23358, 46377, 88889), (3.59, 1.97, 1.06, 0.68), (108.70, 82.01, 94.89, 150.89),
    ),
    "partial": (
        (9215, 14360, 24408, 32866), (5.46, 3.09, 3.58, 5.02), (85.30, 66.46, 49.98, 48.30),
    ),
}  # fmt: skip
# By the author, in the repository's first issue; no ARM figures.
_PARTIAL_POINTWISE = ((6970, 9580, 11430, 10460), (7.88, 5.42, 6.86, 8.34))


def _published(name: str, index: int) -> dict[str, float]:
    if name == "partial_pointwise":
        frames, milliseconds = _PARTIAL_POINTWISE
        return {"gpu_fps": frames[index], "cpu_ms": milliseconds[index]}
    if name not in _TABLE_1:
        return {}
    frames_, intel, arm = _TABLE_1[name]
    return {"gpu_fps": frames_[index], "cpu_ms": intel[index], "arm_ms": arm[index]}


def operator_cases(maps: tuple[tuple[int, int], ...] = MAPS) -> list[Case]:
    """Every operator at equal width, and blocks at equal accuracy budget, on each map."""
    cases = []
    for index, (channels, side) in enumerate(MAPS):
        if (channels, side) not in maps:
            continue
        for name in EQUAL_WIDTH:
            build = _of_width(name, channels)
            row = _published(name, index)
            cases.append(Case("operator", name, channels, side, build, row))
        for times in (4, 6):
            wide = _wide(channels, times)
            cases.append(Case("operator", f"depthwise_x{times}", channels, side, wide, {}, times))
        for name, build in _blocks(channels).items():
            cases.append(Case("block", name, channels, side, build, {}))
    return cases


def _of_width(name: str, channels: int) -> Callable[[], nn.Module]:
    return lambda: OPERATORS[name](channels, channels)


def _wide(channels: int, times: int) -> Callable[[], nn.Module]:
    return lambda: DepthwiseConv(times * channels)


def _blocks(channels: int) -> dict[str, Callable[[], nn.Module]]:
    return {
        "partial_block": lambda: PartialBlock(channels),
        "inverted_x4": lambda: InvertedResidual(channels, 4),
        "inverted_x6": lambda: InvertedResidual(channels, 6),
    }


SIDE = 56  # of the guidelines' maps


def guideline_cases() -> list[Case]:
    """The four tables; published are batches per second on a 1080 Ti and images per second on a
    Snapdragon 810, at the smallest width of each."""
    return [*_g1(), *_g2(), *_g3(), *_g4()]


def _case(
    table: str, name: str, channels: int, build: Callable[[], nn.Module], published: float
) -> Case:
    return Case(table, name, channels, SIDE, build, {"gpu_batches": published})


def _g1() -> list[Case]:
    """Two pointwise convolutions, c1 to c2 and back: the product of both is the same in each."""
    rows = (("1:1", 128, 128, 1480), ("1:2", 90, 180, 1296), ("1:6", 52, 312, 876),
            ("1:12", 36, 432, 748))  # fmt: skip
    return [
        _case("G1", name, c1, _sequence(PointwiseConv(c1, c2), PointwiseConv(c2, c1)), gpu)
        for name, c1, c2, gpu in rows
    ]


def _g2() -> list[Case]:
    """Pointwise convolutions in g groups, wider with more groups: the arithmetic is the same."""
    rows = ((1, 128, 2451), (2, 180, 1725), (4, 256, 1026), (8, 360, 634))
    return [
        _case("G2", f"g{g}", c, _sequence(GroupConv(c, c, groups=g, kernel_size=1)), gpu)
        for g, c, gpu in rows
    ]


def _g3() -> list[Case]:
    """One pointwise convolution of 128 channels cut into pieces of the same arithmetic."""
    c, half, quarter, inner = 128, 64, 32, 47  # 2 c 47 + 2 * 47^2 is c^2, within 0.4 %
    series = [(c, inner), (inner, inner), (inner, inner), (inner, c)]
    return [
        _case("G3", "1 fragment", c, _sequence(PointwiseConv(c, c)), 2446),
        _case(
            "G3", "2 in series", c, _sequence(PointwiseConv(c, half), PointwiseConv(half, c)), 1790
        ),
        _case("G3", "4 in series", c, _sequence(*(PointwiseConv(*io) for io in series)), 752),
        _case("G3", "2 in parallel", c, _parallel(c, half, 2), 1537),
        _case("G3", "4 in parallel", c, _parallel(c, quarter, 4), 691),
    ]


def _g4() -> list[Case]:
    """ResNet's bottleneck without its element-wise operations."""
    rows = ((True, True, 2427), (True, False, 2647), (False, True, 2672), (False, False, 2842))
    return [
        _case("G4", f"{_with(relu, 'ReLU')}, {_with(shortcut, 'shortcut')}", 128,
              _bottleneck(relu, shortcut), gpu)
        for relu, shortcut, gpu in rows
    ]  # fmt: skip


def _with(there: bool, what: str) -> str:
    return what if there else f"no {what}"


def _sequence(*layers: nn.Module) -> Callable[[], nn.Module]:
    """Each time with weights of its own, so that ten of them are not one in the cache."""
    return lambda: copy.deepcopy(nn.Sequential(*layers))


def _parallel(channels: int, each: int, count: int) -> Callable[[], nn.Module]:
    return lambda: Parallel(*(PointwiseConv(channels, each) for _ in range(count)))


def _bottleneck(relu: bool, shortcut: bool) -> Callable[[], nn.Module]:
    return lambda: Bottleneck(128, relu=relu, shortcut=shortcut)
