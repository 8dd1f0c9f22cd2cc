"""The tables of docs/crosscheck.md: what five load generators say of the same points.

python -m benchmarks.crosscheck_page
"""

from collections.abc import Sequence
from statistics import median

from benchmarks.crosscheck import FLOOR, NAME, NET
from benchmarks.crosscheck_tools import LOCUST, STRIDE, TOOLS
from benchmarks.pages import PUBLISHED, ROOT, header, machine_line, number, rewrite_part, row
from benchmarks.serving_summary import Spread, spread
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "crosscheck.jsonl"
PAGE = ROOT / "docs" / "crosscheck.md"
PART = "made by python -m benchmarks.crosscheck_page"
AGREED = 0.10
_LIBRARIES = ("onnxruntime", "fastapi", "uvicorn", "uvloop", "httptools", "locust")
_MODELS = {FLOOR: "the null runtime", NET: "shufflenet_v2_x1_0"}
_MODES = {
    "closed": "one request after the other",
    "constant": "at an even rate",
    "poisson": "at random moments",
}
_WHY = {
    "stride": "takes less time for a request than most, see below",
    "wrk": "sends one prepared buffer and looks at nothing but the status, see below",
    "hey": "tells latencies in tenths of a millisecond",
    "perf_analyzer": "writes the JSON of each request anew and hands it to libcurl, see below",
    "locust": "its client is Python, which adds the same time everywhere, see below",
}
Place = tuple[str, str, int, str]
Rounds = list[Measurement]


def tables(measurements: Sequence[Measurement]) -> str:
    """One for each point, then what lies beyond 10 %, what clients add, how tools were called."""
    found = [measured for measured in measurements if measured.name == NAME]
    points: dict[Place, dict[str, Rounds]] = {}
    for measured in found:
        of_point = points.setdefault(_place(measured), {})
        of_point.setdefault(str(measured.settings["tool"]), []).append(measured)
    ordered = {place: points[place] for place in sorted(points, key=_order)}
    parts = [machine_line(found, _LIBRARIES)]
    for place, tools in ordered.items():
        parts += [f"### {_title(place, tools)}", "\n".join(_table(tools))]
    parts += ["### Beyond 10 %", "\n".join(_beyond(ordered))]
    parts += ["### What is outside the service", "\n".join(_outside(ordered))]
    parts += ["### From one request to the next", "\n".join(_between(ordered))]
    parts += ["### How the tools were called", "\n".join(_commands(ordered))]
    return "\n\n".join(parts) + "\n"


def _place(measured: Measurement) -> Place:
    settings = measured.settings
    return (
        str(settings["model"]),
        str(settings["body"]),
        int(number(measured, "batch")),
        str(settings["mode"]),
    )


def _order(place: Place) -> tuple[int, int, int, int]:
    model, body, batch, mode = place
    return (list(_MODELS).index(model), body == "jpeg", batch, list(_MODES).index(mode))


def _title(place: Place, tools: dict[str, Rounds]) -> str:
    model, body, batch, mode = place
    what = "a JPEG file" if body == "jpeg" else f"pixels, batch size {batch}"
    rate = number(next(iter(tools.values()))[0], "rate")
    of_rate = "" if mode == "closed" else f", {rate:.0f}/s offered"
    title = f"{_MODELS[model]}, {what}, {_MODES[mode]}{of_rate}"
    return title.replace("the null", "The null", 1)


def _table(tools: dict[str, Rounds]) -> list[str]:
    lines = header(
        ("tool", "requests/s", "of the median", "p50 us", "of the median", "p99 us",
         "service's processor time us", "failures")
    )  # fmt: skip
    for tool in _known(tools):
        rounds = tools[tool]
        cpu = median(number(m, "cpu") / number(m, "requests") for m in rounds)
        cells = (
            tool,
            _spread(rounds, "throughput").told(1),
            f"{_ratio(tools, tool, 'throughput'):.3f}",
            _spread(rounds, "p50").times(1e6).told(0),
            f"{_ratio(tools, tool, 'p50'):.3f}",
            f"{_spread(rounds, 'p99').median * 1e6:.0f}",
            f"{cpu * 1e6:.0f}",
            f"{sum(number(m, 'failures') for m in rounds):.0f}",
        )
        lines.append(row(cells))
    return lines


def _known(tools: dict[str, Rounds]) -> list[str]:
    return [tool for tool in TOOLS if tool in tools]


def _spread(rounds: Rounds, key: str) -> Spread:
    return spread([number(measured, key) for measured in rounds])


def _ratio(tools: dict[str, Rounds], tool: str, key: str) -> float:
    """Of a tool's median over the rounds to the median over the tools."""
    medians = {name: _spread(rounds, key).median for name, rounds in tools.items()}
    return medians[tool] / median(medians.values())


def _beyond(points: dict[Place, dict[str, Rounds]]) -> list[str]:
    lines = header(("point", "tool", "requests/s", "p50", "p50 less that of stride, us", "why"))
    for place, tools in points.items():
        for tool in _known(tools):
            ratios = [_ratio(tools, tool, key) for key in ("throughput", "p50")]
            if all(abs(ratio - 1.0) <= AGREED for ratio in ratios):
                continue
            cells = [f"{ratio - 1.0:+.0%}" for ratio in ratios]
            away = _spread(tools[tool], "p50").median - _spread(tools[STRIDE], "p50").median
            lines.append(
                row([_title(place, tools), tool, *cells, f"{away * 1e6:+.0f}", _WHY[tool]])
            )
    return lines


def _outside(points: dict[Place, dict[str, Rounds]]) -> list[str]:
    """Where both clients read what the service says that it took."""
    lines = header(
        ("point", "stride: service's own p50 us", "outside it", "locust: service's own p50 us",
         "outside it", "stride's p50 from when it was due us")
    )  # fmt: skip
    for place, tools in points.items():
        if LOCUST not in tools:
            continue
        cells = [_title(place, tools)]
        for tool in (STRIDE, LOCUST):
            own, all_ = (_spread(tools[tool], key).median * 1e6 for key in ("served_p50", "p50"))
            cells += [f"{own:.0f}", f"{all_ - own:.0f}"]
        due = _spread(tools[STRIDE], "due_p50").median * 1e6
        lines.append(row([*cells, f"{due:.0f}"]))
    return lines


def _between(points: dict[Place, dict[str, Rounds]]) -> list[str]:
    """Of each tool: the time from one request to the next, and how much of it no p50 holds."""
    lines = header(("point", *(f"{tool}, us, and beyond p50" for tool in TOOLS)))
    for place, tools in points.items():
        if place[3] != "closed":
            continue
        cells = []
        for tool in TOOLS:
            if tool not in tools:
                cells.append("")
                continue
            each = 1.0 / _spread(tools[tool], "throughput").median
            beyond = each - _spread(tools[tool], "p50").median
            cells.append(f"{each * 1e6:.0f}, {beyond * 1e6:.0f}")
        lines.append(row([_title(place, tools), *cells]))
    return lines


def _commands(points: dict[Place, dict[str, Rounds]]) -> list[str]:
    """Of pixels in batches of one, once for each tool and mode."""
    lines = header(("tool", "mode", "command"))
    for place, tools in points.items():
        if place[:3] == (FLOOR, "pixels", 1):
            lines += (
                row([tool, _MODES[place[3]], f"`{tools[tool][0].settings['command']}`"])
                for tool in _known(tools)
            )
    return lines


def main() -> None:
    """Make the tables new."""
    rewrite_part(PAGE, PART, tables(read_measurements(RECORDS)))


if __name__ == "__main__":
    main()
