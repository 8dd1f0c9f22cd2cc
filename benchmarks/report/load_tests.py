"""A running service under load: what `stride loadtest` measured, with its floor and verdicts."""

from collections.abc import Callable, Sequence

from benchmarks.pages import number
from benchmarks.recommend_choices import is_valid, reasons
from benchmarks.report.plots import canvas, legend_below, literal, plain_ticks, styles, svg
from benchmarks.report.section import Figure, Section, Table, table
from measuring.percentiles import CLAIMS, least_count
from measuring.record import Measurement

LOAD, GOODPUT = "load", "goodput"
_NULL = "null"
_STAGES = ("queue", "inference")
_WIDE = 24
"""Characters of a name, two of which do not fit side by side under a plot."""


def load_tests(points: Sequence[Measurement], searches: Sequence[Measurement]) -> Section | None:
    """Points of the newest load test and searches of the newest that had some; None where nobody
    ran one."""
    if not points and not searches:
        return None
    tables = [_points(points)] if points else []
    tables += [_searches(searches)] if searches else []
    first = [*points, *searches][0]
    return Section(
        "load-tests",
        "Under load",
        paragraphs=(
            f"A running service at {first.settings.get('url', 'an address that is not told')}, "
            "driven by stride loadtest. Latencies count from when a request was due, whether or "
            "not it could be sent then; every answer was checked. Percentiles stand where the "
            "answers are enough to claim them, n<... says how many it would take.",
            *_of_the_floor(points),
        ),
        figures=_figures(points),
        tables=tables,
        notes=_notes(points),
    )


def _of_the_floor(points: Sequence[Measurement]) -> tuple[str, ...]:
    """What it is, where there is one."""
    if not any(it.settings.get("runtime") == _NULL for it in points):
        return ()
    return (
        "The floor is a model that answers zeros, under the same load: what the service and "
        "the network around it take. What is above it is left for the backbone.",
    )


def _figures(points: Sequence[Measurement]) -> list[Figure]:
    """Throughput by batch size for each number of clients, latency by rate for each batch size."""
    answering = [it for it in points if number(it, "images_per_second") > 0.0]
    closed = [it for it in answering if it.settings.get("arrivals") == "closed"]
    opened = [it for it in answering if it.settings.get("arrivals") != "closed"]
    figures = [
        _by_batch([it for it in closed if it.settings["load"] == load], str(load))
        for load in dict.fromkeys(it.settings["load"] for it in closed)
        if len({it.settings["batch"] for it in closed if it.settings["load"] == load}) > 1
    ]
    for batch in dict.fromkeys(it.settings["batch"] for it in opened):
        of_size = [it for it in opened if it.settings["batch"] == batch]
        if len({it.settings.get("rate") for it in of_size}) > 1:
            figures.append(_by_rate(of_size, str(batch)))
    return figures


def _by_batch(points: Sequence[Measurement], load: str) -> Figure:
    caption = f"Images per second by batch size, {load}, with 95 % intervals; empty: INVALID."
    return _plot(
        points, "batch", lambda it: number(it, "images_per_second"), f"load-batch-{load}", caption,
        labels=("images in a request", "images/s"), title=load,
    )  # fmt: skip


def _by_rate(points: Sequence[Measurement], batch: str) -> Figure:
    caption = (
        f"Median latency by the rate that requests came at, batch size {batch}; empty: INVALID."
    )
    return _plot(
        points, "rate", lambda it: it.latencies.percentile(50.0) * 1e3, f"load-rate-{batch}",
        caption, labels=("requests/s", "latency, median (ms)"),
        title=f"latency by rate, batch size {batch}",
    )  # fmt: skip


def _plot(
    points: Sequence[Measurement],
    across: str,
    value: Callable[[Measurement], float],
    name: str,
    caption: str,
    *,
    labels: tuple[str, str],
    title: str,
) -> Figure:
    models = list(dict.fromkeys(str(it.settings["model"]) for it in points))
    looks = styles(models)
    with canvas() as (figure, axes):
        for model in models:
            mine = sorted(
                (it for it in points if it.settings["model"] == model),
                key=lambda it: number(it, across),
            )
            colour, marker = looks[model]
            places = [number(it, across) for it in mine]
            axes.plot([], [], color=colour, marker=marker, label=literal(_shown(mine[0])))
            axes.plot(places, [value(it) for it in mine], color=colour, linewidth=1.0)
            for it, place in zip(mine, places, strict=True):
                face = colour if is_valid(it) else "white"
                axes.plot(place, value(it), marker=marker, color=colour, markerfacecolor=face)
                if across == "batch" and {"ci_low", "ci_high"} <= set(it.settings):
                    bounds = (number(it, "ci_low"), number(it, "ci_high"))
                    axes.vlines(place, *bounds, color=colour, linewidth=1.0)
        axes.set_xscale("log", base=2)
        if across == "batch":  # the floor is far above the networks
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set(title=literal(title), xlabel=labels[0], ylabel=labels[1])
        plain_ticks(axes, "xy" if across == "batch" else "x")
        wide = max(len(_shown(it)) for it in points) > _WIDE
        legend_below(figure, axes, columns=1 if wide else 2)
        return Figure(svg(figure, name, caption), caption)


def _shown(record: Measurement) -> str:
    floor = " (null: the floor)" if record.settings.get("runtime") == _NULL else ""
    return f"{record.settings['model']}{floor}"


def _points(points: Sequence[Measurement]) -> Table:
    columns = (
        *("model", "body", ">batch", "load", ">images/s", ">95 %"),
        *(f">{name} ms" for name in CLAIMS),
        *(">errors", *(f">{stage} ms" for stage in _STAGES), ">floor ms", ">above it"),
        *(">CPU cores", ">MB", "SLO", "verdict"),
    )
    rows = [_point(it, points) for it in points]
    broken = [at for at, it in enumerate(points) if it.settings.get("kept") is False]
    return table(
        columns,
        rows,
        "Each point; queue and inference are means by the service's own account, floor and what is "
        "above it medians.",
        marked=broken,
    )


def _point(record: Measurement, points: Sequence[Measurement]) -> tuple[str, ...]:
    settings, summary = record.settings, record.latencies.summary
    median, floor = record.latencies.percentile(50.0), _floor(record, points)
    interval = "ci_low" in settings and "ci_high" in settings
    share = number(record, "error_share")
    return (
        _shown(record),
        str(settings.get("body", "")),
        str(settings["batch"]),
        str(settings["load"]),
        f"{number(record, 'images_per_second'):.1f}",
        f"{number(record, 'ci_low'):.0f} to {number(record, 'ci_high'):.0f}" if interval else "",
        *(
            f"{summary[name] * 1e3:.2f}" if name in summary else f"n<{least_count(rank):,}"
            for name, rank in CLAIMS.items()
        ),
        f"{share:.2%}" if share else "0",
        *(_stage(record, stage) for stage in _STAGES),
        "" if floor is None else f"{floor * 1e3:.2f}",
        "" if floor is None else f"{(median - floor) * 1e3:.2f}",
        _cores(record),
        f"{number(record, 'server_memory') / 1e6:.0f}" if "server_memory" in settings else "",
        str(settings.get("slo", "")),
        _verdict(record),
    )


def _stage(record: Measurement, stage: str) -> str:
    name = f"stage {stage}"
    return f"{number(record, name) * 1e3:.2f}" if name in record.settings else ""


def _floor(record: Measurement, points: Sequence[Measurement]) -> float | None:
    """The median of a null model's point with the same bodies under the same load."""
    same = ("load", "batch", "body", "side", "protocol")
    if record.settings.get("runtime") == _NULL:
        return None
    return next(
        (
            it.latencies.percentile(50.0)
            for it in points
            if it.settings.get("runtime") == _NULL
            and all(it.settings.get(name) == record.settings.get(name) for name in same)
        ),
        None,
    )


def _cores(record: Measurement) -> str:
    if "server_cpu_per_image" not in record.settings:
        return ""
    used = number(record, "server_cpu_per_image") * number(record, "images_per_second")
    return f"{used:.2f}"


def _verdict(record: Measurement) -> str:
    told = [] if is_valid(record) else ["INVALID"]
    if (kept := record.settings.get("kept")) is not None:
        told.append("kept" if kept else str(record.settings.get("broken", "BROKEN")))
    return "; ".join(told)


def _searches(searches: Sequence[Measurement]) -> Table:
    columns = (
        *("model", "body", ">batch", "SLO", ">kept, requests/s", ">broken at", ">images/s"),
        *(">probes", "verdict"),
    )
    rows = [
        (
            str(it.settings["model"]),
            str(it.settings.get("body", "")),
            str(it.settings["batch"]),
            str(it.settings.get("slo", "")),
            f"{number(it, 'rate'):.4g}",
            f"{number(it, 'broken_rate'):.4g}" if "broken_rate" in it.settings else "not reached",
            f"{number(it, 'images_per_second'):.4g}",
            str(it.settings.get("probes", "")),
            "; ".join(filter(None, (_verdict(it), str(it.settings.get("ended", ""))))),
        )
        for it in searches
    ]
    return table(columns, rows, "The highest rate of Poisson arrivals that keeps the SLO.")


def _notes(points: Sequence[Measurement]) -> list[str]:
    return [
        f"INVALID: {it.settings['model']}, batch {it.settings['batch']}, {it.settings['load']}: "
        f"{reasons(it)}"
        for it in points
        if not is_valid(it)
    ]
