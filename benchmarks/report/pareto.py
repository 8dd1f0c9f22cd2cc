"""Accuracy against latency and throughput: what is worth a look, and what another one beats."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes

from benchmarks.recommend import Recommendation
from benchmarks.recommend_choices import Choice
from benchmarks.recommend_front import Dominated
from benchmarks.recommend_requirements import Assessed, Requirements
from benchmarks.report.plots import GREY, canvas, legend_below, literal, plain_ticks, styles, svg
from benchmarks.report.section import Figure, Section, Table, table

Value = Callable[[Assessed], float]


def pareto(found: Recommendation) -> Section:
    """Two plots and the table of all options, the front first."""
    asked = found.requirements
    shown = [it for it in found.assessed if it.choice.accuracy is not None]
    name = f"p{asked.percentile:g}"
    figures = []
    if shown:
        latency = [it for it in shown if math.isfinite(it.prediction.seconds)]
        figures = [
            _plot(found, latency, lambda it: it.prediction.seconds * 1e3, "latency"),
            _plot(found, shown, lambda it: it.choice.throughput.estimate, "throughput"),
        ]
    front = len(found.assessed) - len(found.dominated)
    return Section(
        "options",
        "Accuracy against latency and throughput",
        paragraphs=(
            f"{front} of {len(found.assessed)} options are beaten by no other in accuracy, {name} "
            f"at {asked.rate:g} requests/s, images/s and memory together (filled; the Pareto set). "
            "The others are grey, and the table says who beats them in what, beyond noise.",
        ),
        figures=figures,
        tables=[_table(found)],
    )


def _plot(found: Recommendation, shown: Sequence[Assessed], value: Value, what: str) -> Figure:
    beaten = {it.choice for it in found.dominated}
    looks = styles(sorted({it.choice.network for it in found.assessed}))
    with canvas() as (figure, axes):
        for it in shown:
            colour, marker = looks[it.choice.network]
            _point(axes, it, value, marker, None if it.choice in beaten else colour)
            if it.choice is found.chosen:
                x, y = value(it), _top1(it.choice) * 100
                axes.plot(x, y, "o", color="black", mfc="none", ms=15, mew=1.6, label="chosen")
        axes.set_xscale("log")
        axes.set_ylabel("top-1 accuracy (%)")
        _bounds(axes, found.requirements, what)
        for network, (colour, marker) in looks.items():
            axes.plot([], [], marker, color=colour, label=literal(network))
        plain_ticks(axes, "x")
        legend_below(figure, axes)
        hidden = len(found.assessed) - len(shown)
        caption = f"Top-1 accuracy against {axes.get_xlabel()}."
        if hidden:
            caption += f" Not in it: {hidden}, of unknown accuracy or unable to keep up."
        return Figure(svg(figure, f"pareto-{what}", caption), caption)


def _bounds(axes: Axes, asked: Requirements, what: str) -> None:
    """What is asked for, as lines."""
    if what == "latency":
        axes.set_xlabel(f"p{asked.percentile:g} at {asked.rate:g} requests/s, predicted (ms)")
        axes.axvline(asked.slo * 1e3, color="black", linestyle=":", label="SLO")
    else:
        axes.set_xlabel("images/s, measured")
        axes.axvline(asked.rate, color="black", linestyle=":", label="rate asked for")
    if asked.accuracy is not None:
        axes.axhline(asked.accuracy * 100, color="black", linestyle="-.", label="least accuracy")


def _point(axes: Axes, it: Assessed, value: Value, marker: str, colour: str | None) -> None:
    axes.plot(
        value(it),
        _top1(it.choice) * 100,
        marker,
        color=colour or GREY,
        markerfacecolor=colour or "none",
        markersize=7 if colour else 4.5,
        linestyle="none",
        alpha=1.0 if colour else 0.8,
        zorder=3 if colour else 2,
    )


def _top1(choice: Choice) -> float:
    return choice.accuracy.top1 if choice.accuracy else math.nan


def _table(found: Recommendation) -> Table:
    beaten = {it.choice: it for it in found.dominated}
    ordered = sorted(
        found.assessed,
        key=lambda it: (
            it.choice is not found.chosen,
            it.choice in beaten,
            not it.feasible,
            it.prediction.seconds,
        ),
    )
    percentile = f">p{found.requirements.percentile:g} ms"
    columns = (
        *("network", "precision", "runtime", ">instances x threads", ">max_batch"),
        *(">top-1", percentile, ">of capacity", ">images/s", ">95 %", ">memory MB"),
        *("verdict", "accuracy is"),
    )
    rows = [_row(it, found, beaten.get(it.choice)) for it in ordered]
    return table(
        columns,
        rows,
        "All options; predicted latency at the rate asked for, measured images/s at max_batch.",
        faded=[i for i, it in enumerate(ordered) if it.choice in beaten],
        marked=[i for i, it in enumerate(ordered) if it.choice is found.chosen],
    )


def _row(it: Assessed, found: Recommendation, beaten: Dominated | None) -> tuple[str, ...]:
    choice, prediction = it.choice, it.prediction
    device = "" if choice.device == "cpu" else f" ({choice.device})"
    weights = "" if choice.trained else ", weights untrained"
    finite = math.isfinite(prediction.seconds)
    return (
        choice.network if choice.artifact.startswith(choice.network) else choice.artifact,
        choice.precision,
        f"{choice.runtime}{device}",
        f"{choice.instances} x {choice.threads}",
        str(choice.max_batch),
        "" if choice.accuracy is None else f"{choice.accuracy.top1 * 100:.1f} %",
        f"{prediction.seconds * 1e3:.1f}" if finite else "no end",
        f"{prediction.utilisation:.0%}",
        f"{choice.throughput.estimate:.0f}",
        f"{choice.throughput.low:.0f} to {choice.throughput.high:.0f}",
        "" if choice.memory is None else f"{choice.memory / 1e6:.0f}",
        _verdict(it, found, beaten),
        f"{choice.accuracy.origin if choice.accuracy else 'not known'}{weights}",
    )


def _verdict(it: Assessed, found: Recommendation, beaten: Dominated | None) -> str:
    if it.choice is found.chosen:
        return "chosen"
    parts = [short.words for short in it.shortfalls]
    if it.choice in found.ties:
        parts.append("ties with the chosen one")
    if beaten is not None:
        parts.append(f"beaten in {', '.join(beaten.better)} by {beaten.by.name}")
    return "; ".join(parts)
