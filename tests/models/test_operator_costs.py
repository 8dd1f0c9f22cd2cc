"""The formulas of the operators' docstrings, the claims' worked figures, and what is counted."""

from collections.abc import Callable
from typing import Protocol

import pytest
from torch import nn

from models.operators import OPERATORS, DepthwiseSeparableConv, conv


class Counted(Protocol):
    @property
    def macs(self) -> int: ...
    @property
    def elements(self) -> int: ...


Count = Callable[[nn.Module, tuple[int, ...]], Counted]

# With 3 x 3 kernels, 16 groups, a quarter of the channels mixed, d_c of 7 and (in groups) 64:
# MACs and memory access for m pixels and c channels in and out, as the docstrings have them.
FORMULAS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "conv": lambda m, c: (m * 9 * c * c, 2 * m * c + 9 * c * c),
    "depthwise": lambda m, c: (m * 9 * c, 2 * m * c + 9 * c),
    "pointwise": lambda m, c: (m * c * c, 2 * m * c + c * c),
    "depthwise_separable": lambda m, c: (m * (9 * c + c * c), 4 * m * c + 9 * c + c * c),
    "group": lambda m, c: (m * 9 * c * c // 16, 2 * m * c + 9 * c * c // 16),
    "group_shuffle": lambda m, c: (m * 9 * c * c // 16, 4 * m * c + 9 * c * c // 16),
    "channelwise": lambda m, c: (m * 7 * c, 2 * m * c + 7),
    "group_channelwise": lambda m, c: (m * 64 * c, 2 * m * c + 64 * 16),
    "depthwise_separable_channelwise": lambda m, c: (m * (9 + 7) * c, 4 * m * c + 9 * c + 7),
    "spatially_separable": lambda m, c: (m * 6 * c * c, 4 * m * c + 6 * c * c),
    "spatially_separable_depthwise": lambda m, c: (m * 6 * c, 4 * m * c + 6 * c),
    "partial": lambda m, c: (m * 9 * (c // 4) ** 2, 2 * m * (c // 4) + 9 * (c // 4) ** 2),
    "partial_pointwise": lambda m, c: (
        m * (9 * (c // 4) ** 2 + c * c),
        2 * m * (c // 4) + 2 * m * c + 9 * (c // 4) ** 2 + c * c,
    ),
    "channel_shuffle": lambda m, c: (0, 2 * m * c),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_operator_costs_what_its_docstring_says(name: str, count: Count) -> None:
    channels, height, width = 64, 7, 9

    counted = count(OPERATORS[name](channels, channels), (1, channels, height, width))

    assert (counted.macs, counted.elements) == FORMULAS[name](height * width, channels)


def test_t_shaped_conv_costs_what_its_docstring_says(count: Count) -> None:
    counted = count(OPERATORS["t_shaped"](64, 32), (1, 64, 7, 9))

    weights = 9 * 16 * 32 + 48 * 32
    assert counted.macs == 63 * weights
    # Square and point each write the output, of which the formula counts one.
    assert counted.elements - 63 * 32 == 63 * (64 + 32) + weights


def test_squeeze_excitation_multiplies_twice_per_pair_of_channels(count: Count) -> None:
    counted = count(OPERATORS["squeeze_excitation"](64, 64), (1, 64, 7, 9))

    assert counted.macs == 2 * 64 * 16


def test_depthwise_separable_worked_example(count: Count) -> None:
    """12 x 12 x 3 to 8 x 8 x 256 with a 5 x 5 kernel and no padding."""
    regular = conv(3, 256, kernel_size=5, padding=0)
    separable = DepthwiseSeparableConv(3, 256, kernel_size=5, padding=0)
    weights = [sum(p.numel() for p in m.parameters()) for m in (regular, separable)]

    macs = [count(module, (1, 3, 12, 12)).macs for module in (regular, separable)]

    assert weights == [19_200, 843]
    assert macs == [1_228_800, 53_952]
    assert round(100 * macs[1] / macs[0], 1) == 4.4


# Channels and side of the four maps of FasterNet's table 1, which cuts decimals off.
MAPS = ((96, 56), (192, 28), (384, 14), (768, 7))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("conv", (2601, 2601, 2601, 2601), id="conv"),
        pytest.param("group", (162, 162, 162, 162), id="group-of-16"),
        pytest.param("depthwise", (27.09, 13.54, 6.77, 3.38), id="depthwise"),
        pytest.param("partial", (162, 162, 162, 162), id="partial"),
        pytest.param("partial_pointwise", (451, 451, 451, 451), id="partial-pointwise"),
        pytest.param("t_shaped", (867, 867, 867, 867), id="t-shaped"),
    ],
)
def test_ten_layers_have_the_macs_of_fasternet_table_1(
    name: str, expected: tuple[float, ...], count: Count
) -> None:
    macs = [10 * count(OPERATORS[name](c, c), (1, c, side, side)).macs for c, side in MAPS]

    assert [value / 1e6 for value in macs] == pytest.approx(expected, rel=4e-3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("conv", (685_056, 632_832, 1_477_632, 5_383_680), id="conv"),
        pytest.param("depthwise", (602_976, 302_784, 153_984, 82_176), id="depthwise"),
        pytest.param("partial", (155_712, 96_000, 120_576, 350_592), id="partial"),
        pytest.param("pointwise", (611_328, 337_920, 297_984, 665_088), id="pointwise"),
    ],
)
def test_layer_moves_the_elements_of_the_formulas(
    name: str, expected: tuple[int, ...], count: Count
) -> None:
    found = [count(OPERATORS[name](c, c), (1, c, side, side)).elements for c, side in MAPS]

    assert tuple(found) == expected


def test_partial_conv_has_a_sixteenth_of_the_macs(count: Count) -> None:
    regular = count(OPERATORS["conv"](192, 192), (1, 192, 28, 28))
    thin = count(OPERATORS["partial"](192, 192), (1, 192, 28, 28))

    assert regular.macs == 16 * thin.macs
    assert thin.elements / regular.elements < 0.25


def test_split_t_shape_has_fewer_macs_than_the_whole(count: Count) -> None:
    split = count(OPERATORS["partial_pointwise"](192, 192), (1, 192, 28, 28))
    whole = count(OPERATORS["t_shaped"](192, 192), (1, 192, 28, 28))

    assert split.macs < 0.53 * whole.macs
