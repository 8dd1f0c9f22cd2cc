"""Draws docs/monitoring-overview.svg: what the dashboards showed of a service under load.

    python -m benchmarks.dashboard_picture

From a record of `python -m monitoring.recording`. Grafana has no part in it, as the picture says.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Canvas

from benchmarks.report.plots import (
    COLOURS,
    GREEN,
    GREY,
    LINES,
    ORANGE,
    PURPLE,
    VERMILION,
    house_style,
    literal,
    svg,
)

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "results" / "published" / "monitoring.json"
PICTURE = ROOT / "docs" / "monitoring-overview.svg"
SIZE = (12.6, 10.4)
LABEL = "drawn from the dashboards' queries; Grafana itself was not run"
_OUTCOMES = {"ok": GREEN, "rejected": ORANGE, "expired": PURPLE, "error": VERMILION}
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """What one series of one query is called, and its points: (seconds, value)."""

    name: str
    labels: Mapping[str, str]
    points: Points


def lines(record: Mapping[str, Any], panel: str, *, dashboard: str = "overview") -> list[Line]:
    """All series of a panel with points, in the order of its queries."""
    return [
        Line(_filled(query["legend"], series["labels"]), series["labels"], series["points"])
        for query in record["panels"]
        if (query["dashboard"], query["panel"]) == (dashboard, panel)
        for series in query["series"]
        if series["points"]
    ]


def draw(record: Mapping[str, Any]) -> Canvas:
    """Numbers of the moment first, then fast, busy, failing, and where the time goes."""
    with house_style():
        figure = Canvas(figsize=SIZE, layout="constrained")
        grid = figure.add_gridspec(4, 2, height_ratios=(0.34, 1, 1, 1))
        _numbers(figure.add_subplot(grid[0, :]), record)
        cells = [figure.add_subplot(grid[row, column]) for row in (1, 2, 3) for column in (0, 1)]
        _courses(cells[0], record, "p50 and p99", "seconds", only="v1")
        cells[0].set_yscale("log")
        _courses(cells[1], record, "Images per second", "images per second", only="answered")
        _courses(cells[2], record, "Instances at work", "share of the time")
        _stacked(cells[3], record, "Requests by outcome", "requests per second")
        _buckets(cells[4], record, "Requests by time")
        _waterfall(cells[5], record)
        for cell in cells[:5]:
            _runs(cell, record)
            cell.set_xlabel("seconds")
        machine = record["machine"]
        figure.suptitle(
            f"Stride / Overview and Latency under load: {LABEL}\n"
            f"{record['moment'][:10]}, {machine['cores']} cores of {machine['processor']}, shared"
            " with the load generator",
            fontsize=11, x=0.01, ha="left",
        )  # fmt: skip
    return figure


def _numbers(cell: Axes, record: Mapping[str, Any]) -> None:
    """The stats on top of Overview, as they were when the second load ended."""
    cell.set_axis_off()
    at = record["runs"][min(1, len(record["runs"]) - 1)]["end"] - record["start"]
    panels = [query for query in record["panels"] if query["kind"] == "stat"]
    for place, query in enumerate(panels):
        points = query["series"][0]["points"] if query["series"] else []
        left = (place + 0.5) / len(panels)
        cell.text(left, 0.95, query["panel"], ha="center", va="top", color="#555555")
        cell.text(left, 0.05, _told(_at(points, at), query["unit"]), ha="center", va="bottom",
                  fontsize=18, fontweight="bold")  # fmt: skip
    cell.text(0, 1.15, f"At {at:.0f} s", va="bottom", fontweight="bold")


def _courses(
    cell: Axes, record: Mapping[str, Any], panel: str, unit: str, *, only: str = ""
) -> None:
    found = [line for line in lines(record, panel) if only in line.name]
    models = _models(record)
    styles: dict[str, list[str]] = {model: list(LINES) for model in models}
    for line in found:
        model = line.labels["model"]
        times, values = zip(*line.points, strict=True)
        cell.plot(times, values, styles[model].pop(0), color=models[model],
                  label=literal(line.name))  # fmt: skip
    cell.set_title(f"Overview: {panel}")
    cell.set_ylabel(unit)
    cell.legend(fontsize=7)


def _stacked(cell: Axes, record: Mapping[str, Any], panel: str, unit: str) -> None:
    found = [line for line in lines(record, panel) if max(value for _, value in line.points) > 0]
    times = sorted({at for line in found for at, _ in line.points})
    rows = [[dict(line.points).get(at, 0.0) for at in times] for line in found]
    names = [line.name for line in found]
    colours = [_OUTCOMES.get(name, GREY) for name in names]
    cell.stackplot(times, rows, labels=names, colors=colours, alpha=0.8)
    cell.set_title(f"Overview: {panel}")
    cell.set_ylabel(unit)
    cell.legend(fontsize=7, loc="upper left")


def _buckets(cell: Axes, record: Mapping[str, Any], panel: str) -> None:
    """A heat map: cumulated counts by upper bound, told apart again."""
    found = {
        float(line.labels["le"]): dict(line.points)
        for line in lines(record, panel, dashboard="latency")
    }
    bounds = sorted(bound for bound in found if np.isfinite(bound))
    times = sorted({at for points in found.values() for at in points})
    counts = np.array([[found[bound].get(at, 0.0) for at in times] for bound in bounds])
    each = np.diff(counts, axis=0, prepend=0.0)
    each[each < 0.5] = np.nan  # less than half a request is the rate's extrapolation
    edges = [bounds[0] / 1.5, *bounds]
    widths = [*times, times[-1] + 1.0]
    mesh = cell.pcolormesh(widths, edges, each, norm=LogNorm(), cmap="viridis", rasterized=True)
    cell.set_yscale("log")
    shown = [bound for bound, row in zip(bounds, each, strict=True) if np.isfinite(row).any()]
    cell.set_ylim(shown[0] / 2, shown[-1] * 1.5)
    cell.set_title(f"Latency: {panel}, {literal(list(_models(record))[-1])}")
    cell.set_ylabel("seconds")
    colours = cell.figure.colorbar(mesh, ax=cell)
    colours.set_label("requests in 5 s")


def _waterfall(cell: Axes, record: Mapping[str, Any]) -> None:
    """Means of the stages over a minute, one after the other, when a model's load had ended."""
    stages = [q for q in record["panels"] if q["panel"] == "Waterfall"]
    over = {run["model"]: run["end"] - record["start"] for run in reversed(record["runs"])}
    ends = dict.fromkeys(_models(record), 0.0)
    for query, colour in zip(stages, COLOURS, strict=False):
        means = {each["labels"]["model"]: each["points"] for each in query["series"]}
        for row, model in enumerate(ends):
            width = _at(means.get(model, ()), over[model])
            cell.barh(row, width, left=ends[model], height=0.6, color=colour,
                      label=query["legend"] if row == 0 else None)  # fmt: skip
            ends[model] += width
    for row, model in enumerate(ends):
        cell.text(0, row - 0.33, literal(model), va="bottom", fontsize=8)
    cell.set_yticks([])
    cell.set_ylim(len(ends) - 0.4, -0.75)
    cell.set_title("Latency: Waterfall, when a model's first load ended")
    cell.set_xlabel("seconds")
    cell.legend(fontsize=7, ncols=3)


def _runs(cell: Axes, record: Mapping[str, Any]) -> None:
    """Load tests, as annotations mark them."""
    for run in record["runs"]:
        cell.axvspan(run["start"] - record["start"], run["end"] - record["start"],
                     color=GREY, alpha=0.12, linewidth=0)  # fmt: skip


def _models(record: Mapping[str, Any]) -> dict[str, str]:
    """Colour of each."""
    names = dict.fromkeys(run["model"] for run in record["runs"])
    return dict(zip(names, COLOURS, strict=False))


def _at(points: Points, moment: float) -> float:
    """The value that is nearest to the moment, NaN where there is none."""
    return min(points, key=lambda point: abs(point[0] - moment), default=(0.0, float("nan")))[1]


def _filled(legend: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    return legend


def _told(value: float, unit: str) -> str:
    match unit:
        case "percentunit":
            return f"{value:.1%}"
        case "s":
            return f"{value * 1e3:.1f} ms"
        case "reqps":
            return f"{value:.0f}/s"
        case _:
            return f"{value:g}"


def description(record: Mapping[str, Any]) -> str:
    """For who cannot see it."""
    models = ", ".join(_models(record))
    return f"Dashboards of {models} under load: latency, throughput, busy shares, outcomes. {LABEL}"


def main() -> None:
    """Draw the published record."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    with house_style():
        PICTURE.write_text(
            svg(draw(record), "monitoring-overview", description(record)) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
