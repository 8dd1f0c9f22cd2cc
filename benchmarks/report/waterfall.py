"""Where the time of a request goes, stage by stage, as the service has measured it.

Two sources: records named `stage` (settings `model` and `stage`, latencies of that stage), and
saved answers of /metrics, `*.prom`, whose histogram `stride_stage_seconds` has the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.report.plots import COLOURS, HATCHES, canvas, literal, svg
from benchmarks.report.section import Figure, Section, Table, table
from measuring.errors import InputError
from measuring.record import Measurement

STAGES = ("receive", "decode", "resize", "queue", "inference", "respond")
"""In the order a request goes through them; docs/metrics.md says what each includes."""
ENGINES = ("queue", "inference")
"""Those that a prediction of the engines' queue has already."""
SUFFIX = ".prom"
HOW = (
    "stride serve &",
    "(send it the traffic that you expect)",
    "curl --silent localhost:8000/metrics > results/service.prom",
)


@dataclass(frozen=True)
class Stage:
    """Seconds of one stage: the mean, and what 99 % do not exceed; over `count` requests."""

    mean: float
    p99: float
    count: int


Waterfalls = Mapping[str, Mapping[str, Stage]]  # model -> stage -> times


def waterfalls(records: Sequence[Measurement], directory: Path) -> Waterfalls:
    """From records where there are any, else from the newest `*.prom` under `directory`.

    Raises InputError for one that is damaged."""
    found: dict[str, dict[str, Stage]] = {}
    for record in records:
        calls = record.latencies
        stage = Stage(calls.summary["mean"], calls.percentile(99.0), calls.count)
        found.setdefault(str(record.settings["model"]), {})[str(record.settings["stage"])] = stage
    if found:
        return found
    saved = sorted(directory.rglob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
    return _scraped(saved[-1]) if saved else {}


def around(found: Waterfalls) -> float:
    """Mean seconds of a request outside of queue and engine, of the slowest model; 0 if unknown."""
    return max(
        (
            sum(stage.mean for name, stage in stages.items() if name not in ENGINES)
            for stages in found.values()
        ),
        default=0.0,
    )


def waterfall(found: Waterfalls) -> Section:
    """A plot for each model, one table, and how much is not the network."""
    if not found:
        return Section(
            "request",
            "Waterfall of a request",
            missing="no stages among the results; the service measures them",
            commands=HOW,
        )
    return Section(
        "request",
        "Waterfall of a request",
        paragraphs=(
            "Mean time of each stage, one after the other, as the service measured it; the mark "
            "is what 99 % of requests do not exceed in that stage alone.",
            *(_verdict(model, stages) for model, stages in found.items()),
        ),
        figures=[_plot(model, stages) for model, stages in found.items()],
        tables=[_table(found)],
    )


def _verdict(model: str, stages: Mapping[str, Stage]) -> str:
    """What the choice of the network can change at most."""
    total = sum(stage.mean for stage in stages.values())
    engine = sum(stage.mean for name, stage in stages.items() if name in ENGINES)
    slowest = max(stages, key=lambda name: stages[name].mean)
    return (
        f"{model}: {stages[slowest].mean / total:.0%} of the mean request is {slowest}; the "
        f"network and its queue are {engine / total:.0%}, so another network changes no more "
        "than that."
    )


def _plot(model: str, stages: Mapping[str, Stage]) -> Figure:
    with canvas((5.4, 2.9)) as (figure, axes):
        names = [name for name in STAGES if name in stages]
        begin = 0.0
        for row, name in enumerate(names):
            stage = stages[name]
            axes.barh(
                row,
                stage.mean * 1e3,
                left=begin * 1e3,
                height=0.62,
                color=COLOURS[row % len(COLOURS)],
                hatch=HATCHES[row % len(HATCHES)],
                edgecolor="white",
                linewidth=0.5,
            )
            end = (begin + stage.mean) * 1e3
            axes.plot([end, (begin + stage.p99) * 1e3], [row, row], color="black", linewidth=0.8)
            axes.plot((begin + stage.p99) * 1e3, row, "|", color="black", markersize=9)
            axes.annotate(
                f"{stage.mean * 1e3:.2f}", (begin * 1e3, row), (-3, 0),
                textcoords="offset points", ha="right", va="center", fontsize=8,
            )  # fmt: skip
            begin += stage.mean
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(left=-0.09 * axes.get_xlim()[1])
        axes.grid(visible=False, axis="y")
        axes.set(title=literal(model), xlabel="ms since the request began, means added up")
        caption = f"{model}: mean milliseconds of each stage of a request, with its own p99."
        return Figure(svg(figure, f"waterfall-{model}", caption), caption)


def _table(found: Waterfalls) -> Table:
    names = [name for name in STAGES if any(name in stages for stages in found.values())]
    rows = [
        (
            model,
            str(max(stage.count for stage in stages.values())),
            *(_cell(stages.get(name)) for name in names),
            f"{sum(stage.mean for stage in stages.values()) * 1e3:.2f}",
        )
        for model, stages in found.items()
    ]
    columns = ("model", ">requests", *(f">{name}" for name in names), ">together")
    return table(columns, rows, "Mean ms (p99 ms) of each stage.")


def _cell(stage: Stage | None) -> str:
    return "" if stage is None else f"{stage.mean * 1e3:.2f} ({stage.p99 * 1e3:.2f})"


def _scraped(path: Path) -> Waterfalls:
    """From the classic text format of Prometheus. Raises InputError for what is none."""
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is no answer of the service's /metrics ({error!r}); save it again with: "
            "curl --silent localhost:8000/metrics"
        ) from error


def _parsed(text: str) -> Waterfalls:
    sums: dict[tuple[str, str], float] = {}
    buckets: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name == "stride_stage_seconds" else ():
            key = (sample.labels["model"], sample.labels["stage"])
            if sample.name.endswith("_sum"):
                sums[key] = sample.value
            elif sample.name.endswith("_bucket"):
                buckets.setdefault(key, []).append((float(sample.labels["le"]), sample.value))
    found: dict[str, dict[str, Stage]] = {}
    for (model, stage), counts in buckets.items():
        count = counts[-1][1]
        if count:
            mean = sums[model, stage] / count
            found.setdefault(model, {})[stage] = Stage(mean, _quantile(counts, 0.99), int(count))
    return found


def _quantile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """Within the bucket in proportion, as Prometheus does; the last finite bound beyond it."""
    wanted = share * buckets[-1][1]
    for (low, below), (high, up_to) in pairwise([(0.0, 0.0), *buckets]):
        if up_to >= wanted:
            if high == float("inf"):
                return low
            return low + (high - low) * (wanted - below) / (up_to - below)
    return buckets[-1][0]
