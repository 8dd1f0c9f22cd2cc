"""The roofline of a machine with the operations of networks under it, and what their time is made
of, as pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure as Canvas

from benchmarks.operation_kinds import KINDS
from benchmarks.report.plots import (
    BLACK,
    COLOURS,
    GREY,
    HATCHES,
    ORANGE,
    SKY,
    STYLE,
    plain_ticks,
)
from benchmarks.roofline import Point, Roof
from benchmarks.roofline_shares import by_kind

_MARKERS = ("o", "^", "v", "D", "s", "P", "*", "X", "<", ">")
# More kinds than the palette has colours: two greys and a brown for what is no arithmetic.
_COLOURS = (*COLOURS[:4], ORANGE, SKY, BLACK, GREY, "#6B4C2A", "#C8C8C8")
_LOOKS = {kind: (_COLOURS[i], _MARKERS[i]) for i, kind in enumerate(KINDS)}
_CELL = (4.3, 3.4)  # inches of one network's plot
_LEAST_SHARE = 0.004  # of a network's time: what is shorter is not drawn
_LOW = 0.05  # multiply-accumulates per byte, and 10^9 of them per second


def roofline_plot(found: Sequence[Point], roof: Roof, *, runtime: str) -> Canvas:
    """A cell for each network: every operation with arithmetic, its area its share of the time."""
    networks = list(dict.fromkeys(p.network for p in found if p.runtime == runtime))
    columns = min(2, len(networks))
    rows = -(-len(networks) // columns)
    with rc_context(STYLE):
        figure = Canvas(figsize=(_CELL[0] * columns, _CELL[1] * rows + 0.6), layout="constrained")
        cells = np.ravel(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False))
        for cell, network in zip(cells, networks, strict=False):
            _cell(cell, [p for p in found if (p.network, p.runtime) == (network, runtime)], roof)
            cell.set_title(network)
        for cell in cells[len(networks) :]:
            cell.set_axis_off()
        for cell in cells[max(0, len(networks) - columns) : len(networks)]:
            cell.set_xlabel("MACs per byte moved")
            cell.xaxis.set_tick_params(labelbottom=True)
        for cell in cells[::columns]:
            cell.set_ylabel("10⁹ MACs per second")
        handles = {
            label: handle
            for cell in cells
            for handle, label in zip(*cell.get_legend_handles_labels(), strict=True)
        }
        legend = figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=4
        )
        for handle in legend.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set_sizes([40.0])
    return figure


def _cell(axes: Axes, found: Sequence[Point], roof: Roof) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    intensity = np.geomspace(_LOW, 300.0, 200)
    for label, bandwidth, line in (
        (f"memory, {roof.memory / 1e9:.0f} GB/s", roof.memory, "-"),
        (f"caches, {roof.bandwidth[0][1] / 1e9:.0f} GB/s", roof.bandwidth[0][1], "--"),
    ):
        reach = np.minimum(roof.macs, intensity * bandwidth) / 1e9
        axes.plot(intensity, reach, line, color="black", label=label)
    total = sum(point.seconds for point in found)
    for kind in KINDS:
        drawn = [
            p for p in found
            if p.kind == kind and p.macs and p.seconds > _LEAST_SHARE * total
        ]  # fmt: skip
        if drawn:
            colour, marker = _LOOKS[kind]
            axes.scatter(
                [p.intensity for p in drawn],
                [p.rate / 1e9 for p in drawn],
                s=[20.0 + 900.0 * p.seconds / total for p in drawn],
                color=colour,
                marker=marker,
                alpha=0.75,
                edgecolors="black",
                linewidths=0.5,
                label=kind,
            )
    axes.text(280.0, 1.12 * roof.macs / 1e9, f"{roof.macs / 1e9:.0f}", ha="right")
    axes.set_xlim(_LOW, 300.0)
    axes.set_ylim(0.5, 2.0 * roof.macs / 1e9)
    plain_ticks(axes)


def time_plot(found: Sequence[Point]) -> Canvas:
    """A bar for each network and runtime, cut into kinds by their share of its time."""
    bars = list(dict.fromkeys((p.network, p.runtime) for p in found))
    shares = [by_kind([p for p in found if (p.network, p.runtime) == bar]) for bar in bars]
    with rc_context({**STYLE, "hatch.linewidth": 0.5}):
        figure = Canvas(figsize=(7.6, 0.42 * len(bars) + 1.6), layout="constrained")
        axes = figure.subplots()
        _bars(axes, [f"{network}, {runtime}" for network, runtime in bars], shares)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _bars(axes: Axes, labels: Sequence[str], shares: Sequence[Mapping[str, float]]) -> None:
    left = np.zeros(len(labels))
    for index, kind in enumerate(KINDS):
        widths = np.array([100.0 * share.get(kind, 0.0) for share in shares])
        if widths.any():
            axes.barh(
                labels,
                widths,
                left=left,
                color=_COLOURS[index],
                hatch=HATCHES[index % len(HATCHES)],
                edgecolor="white",
                linewidth=0.6,
                label=kind,
            )
        left += widths
    axes.invert_yaxis()
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("% of the time of a run")
    axes.grid(visible=False, axis="y")


def save(figure: Canvas, path: Path) -> None:
    """As the suffix says; an SVG is the same file for the same figures."""
    metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
    with rc_context({**STYLE, "svg.hashsalt": path.stem}):
        figure.savefig(path, metadata=metadata, dpi=110)
