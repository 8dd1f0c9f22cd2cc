"""How calls grow with the batch: measured points, the line T(b) = t0 + a b, images per second."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from benchmarks.pages import number
from benchmarks.recommend_choices import is_valid
from benchmarks.report.plots import (
    BLACK,
    BLUE,
    GREEN,
    LINES,
    MARKERS,
    ORANGE,
    PURPLE,
    VERMILION,
    canvas,
    legend_below,
    literal,
    plain_ticks,
    svg,
)
from benchmarks.report.section import Figure, Section, Table, table
from measuring.record import Measurement

Way = tuple[str, str, str, int, int]
_RUNTIMES = (BLUE, ORANGE, BLACK, GREEN, VERMILION, PURPLE)
"""In this order, since the first three are told apart in grey, too."""
POOR = 0.1
"""Residual above which the line does not describe the machine."""


def curves(bench: Sequence[Measurement], fits: Sequence[Measurement]) -> Section:
    """For each network a plot of times and one of images per second, and the table of the lines."""
    networks = sorted({str(record.settings["network"]) for record in bench})
    figures = [
        plot(bench, fits, network)
        for network in networks
        for plot in (_times, _rates)
        if any(len(points) > 1 for points in _by_way(bench, network).values())
    ]
    return Section(
        "batch-sizes",
        "Batch sizes",
        paragraphs=(
            "What a call takes by the number of images in it, all instances busy, and the line "
            "T(b) = t0 + a b through it: t0 is what a call costs however small it is, a what one "
            "more image costs. Where t0 is small beside a, batches bring nothing but waiting.",
            "Colour: runtime; marker: precision; line: instances and threads. Empty markers: "
            "records marked INVALID.",
        ),
        figures=figures,
        tables=[_table(fits)] if fits else [],
        missing=None if fits else "no fits among the records; `stride bench` makes them",
    )


def way(record: Measurement) -> Way:
    """What is the same along a curve."""
    settings = record.settings
    return (
        str(settings["artifact"]),
        str(settings["runtime"]),
        str(settings["device"]),
        int(number(record, "instances")),
        int(number(record, "threads")),
    )


def _by_way(bench: Sequence[Measurement], network: str) -> dict[Way, list[Measurement]]:
    ways: dict[Way, list[Measurement]] = {}
    for record in sorted(bench, key=lambda record: number(record, "batch")):
        if record.settings["network"] == network:
            ways.setdefault(way(record), []).append(record)
    return dict(sorted(ways.items()))


class _Looks:
    """One colour per runtime, marker per precision, line per shape, over all networks alike."""

    def __init__(self, bench: Sequence[Measurement]) -> None:
        runtimes = sorted({str(record.settings["runtime"]) for record in bench})
        precisions = sorted({str(record.settings["precision"]) for record in bench})
        shapes = sorted({way(record)[3:] for record in bench})
        self._colour = {name: _RUNTIMES[i % len(_RUNTIMES)] for i, name in enumerate(runtimes)}
        self._marker = {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(precisions)}
        self._line = {shape: LINES[i % len(LINES)] for i, shape in enumerate(shapes)}

    def of(self, record: Measurement) -> dict[str, str]:
        """Keyword arguments for a plot."""
        return {
            "color": self._colour[str(record.settings["runtime"])],
            "marker": self._marker[str(record.settings["precision"])],
            "linestyle": self._line[way(record)[3:]],
        }


def _label(record: Measurement) -> str:
    instances, threads = way(record)[3:]
    precision, runtime = record.settings["precision"], record.settings["runtime"]
    return f"{runtime} {precision}, {instances} x {threads}"


def _markers(
    axes: Axes,
    points: Sequence[Measurement],
    values: Sequence[float],
    look: Mapping[str, str],
) -> None:
    """Filled for what is valid; the first one brings the curve into the legend."""
    axes.plot([], [], **look, label=literal(_label(points[0])))  # type: ignore[arg-type]
    for record, value in zip(points, values, strict=True):
        axes.plot(
            number(record, "batch"),
            value,
            marker=look["marker"],
            color=look["color"],
            markerfacecolor=look["color"] if is_valid(record) else "white",
            linestyle="none",
        )


def _times(bench: Sequence[Measurement], fits: Sequence[Measurement], network: str) -> Figure:
    looks, lines = _Looks(bench), {way(fit): fit for fit in fits}
    with canvas() as (figure, axes):
        largest = 1.0
        for key, points in _by_way(bench, network).items():
            look = looks.of(points[0])
            sizes = [number(record, "batch") for record in points]
            largest = max(largest, *sizes)
            times = [record.latencies.percentile(50.0) * 1e3 for record in points]
            _markers(axes, points, times, look)
            if (fit := lines.get(key)) is not None:
                at = np.geomspace(sizes[0], sizes[-1], 50)
                line = (number(fit, "t0") + number(fit, "per_image") * at) * 1e3
                axes.plot(at, line, color=look["color"], linestyle=look["linestyle"], linewidth=1.2)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set(title=literal(network), xlabel="images in a call", ylabel="a call, median (ms)")
        plain_ticks(axes)
        legend_below(figure, axes)
        caption = f"{network}: median time of a call by batch size, with T(b) = t0 + a b."
        return Figure(svg(figure, f"times-{network}", caption), caption)


def _rates(bench: Sequence[Measurement], _: Sequence[Measurement], network: str) -> Figure:
    looks = _Looks(bench)
    with canvas() as (figure, axes):
        for points in _by_way(bench, network).values():
            look = looks.of(points[0])
            sizes = [number(record, "batch") for record in points]
            rates = [number(record, "images_per_second") for record in points]
            _markers(axes, points, rates, look)
            axes.plot(sizes, rates, color=look["color"], linestyle=look["linestyle"], linewidth=1.0)
            for record, size in zip(points, sizes, strict=True):
                if "ci_low" in record.settings and "ci_high" in record.settings:
                    bounds = (number(record, "ci_low"), number(record, "ci_high"))
                    axes.vlines(size, *bounds, color=look["color"], linewidth=1.0)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.set(
            title=literal(network), xlabel="images in a call", ylabel="images/s, all instances"
        )
        plain_ticks(axes, "x")
        legend_below(figure, axes)
        caption = f"{network}: images per second by batch size, with 95 % intervals."
        return Figure(svg(figure, f"rates-{network}", caption), caption)


def _table(fits: Sequence[Measurement]) -> Table:
    ordered = sorted(fits, key=way)
    columns = (
        *("artifact", "runtime", ">instances x threads", ">t0 ms", ">a ms per image"),
        *(">most images/s", ">residual", "batch sizes", "remark"),
    )
    return table(columns, [_row(fit) for fit in ordered], "T(b) = t0 + a b, all instances busy.")


def _row(fit: Measurement) -> tuple[str, ...]:
    artifact, runtime, _, instances, threads = way(fit)
    per_image, residual = number(fit, "per_image"), number(fit, "residual")
    remarks = [] if is_valid(fit) else ["INVALID"]
    if residual > POOR:
        remarks.append("no line: do not use it between the sizes")
    return (
        artifact,
        runtime,
        f"{instances} x {threads}",
        f"{number(fit, 't0') * 1e3:.2f}",
        f"{per_image * 1e3:.2f}",
        f"{instances / per_image:.0f}" if per_image > 0 else "",
        f"{residual:.1%}",
        str(fit.settings.get("batch_sizes") or "").replace(",", ", "),
        "; ".join(remarks),
    )
