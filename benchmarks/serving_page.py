"""The tables of docs/serving.md and the README: what the service delivers of what engines can do.

python -m benchmarks.serving_page
"""

from collections.abc import Callable, Sequence
from operator import sub, truediv

from benchmarks import serving_bare, serving_floor
from benchmarks.pages import PUBLISHED, ROOT, header, machine_line, number, rewrite_part, row
from benchmarks.serving import BEST, BEST_LIMIT, CONNECTIONS, KINDS, LIMIT, NAME, PLAIN, SERVED
from benchmarks.serving_summary import (
    Records,
    Rounds,
    Spread,
    cpu,
    discounted_rate,
    generator_cpu,
    paired,
    rate,
    spread,
    tail,
)
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "serving.jsonl"
PAGE = ROOT / "docs" / "serving.md"
README = ROOT / "README.md"
PART = "made by python -m benchmarks.serving_page"
LIBRARIES = ("onnxruntime", "openvino", "fastapi", "uvicorn", "uvloop", "httptools", "pillow")
WAYS = (LIMIT, SERVED, BEST, PLAIN)
ALONE = (LIMIT, BEST_LIMIT)
"""Ways without connections."""


def tables(measurements: Sequence[Measurement]) -> str:
    """The machine, every way, shares of the limit, ratios to the plain service, then scenarios and
    the floor, where they were measured."""
    records = Records(measurements)
    closed = [measured for measured in measurements if measured.name == NAME]
    parts = [
        f"{machine_line(closed, LIBRARIES)} {_left_out(records)}",
        "### Every way\n\n" + "\n".join(_ways(records)),
        "### What the service adds\n\n" + "\n".join(_added(records)),
        "### Beside plain FastAPI\n\n" + "\n".join(_ratios(records)),
    ]
    for name, title, make in _SCENARIOS:
        if found := [measured for measured in measurements if measured.name == name]:
            parts.append(f"### {title}\n\n" + "\n".join(make(found)))
    return "\n\n".join(parts) + "\n"


def summary(measurements: Sequence[Measurement]) -> str:
    """At 16 connections: requests per second of each way, for raw pixels and for JPEG files."""
    records = Records(measurements)
    lines = header(("requests/s, raw pixels and JPEG", *WAYS))
    for network in records.networks:
        cells = [
            " and ".join(
                f"{_spread(rounds, rate).median:.0f}"
                for kind in reversed(KINDS)
                if (rounds := _rounds(records, network, kind, way, 16))
            )
            for way in WAYS
        ]
        lines.append(row([network, *cells]))
    return "\n".join(lines) + "\n"


def _left_out(records: Records) -> str:
    return f"Left out, since other processes disturbed them: {records.left_out} visits."


def _rounds(records: Records, network: str, kind: str, way: str, connections: int) -> Rounds:
    """Engines alone, which have no connections, stand beside the fewest."""
    if way not in ALONE:
        return records.rounds(network, kind, way, connections)
    return records.rounds(network, kind, way) if connections == CONNECTIONS[0] else []


def _spread(rounds: Rounds, of: Callable[[Measurement], float]) -> Spread:
    return spread([of(measured) for measured in rounds])


def _ways(records: Records) -> list[str]:
    lines = header(
        ("network", "body", "connections", "way", "requests/s", "p50 ms", "p99 ms",
         "server CPU ms", "generator CPU ms")
    )  # fmt: skip
    for network, kind, connections in records.contests():
        for way in (*WAYS, BEST_LIMIT):
            if rounds := _rounds(records, network, kind, way, connections):
                told = "" if way in ALONE else str(connections)
                lines.append(row([network, kind, told, way, *_figures(rounds)]))
    return lines


def _figures(rounds: Rounds) -> list[str]:
    p50, p99 = tail(rounds)
    return [
        _spread(rounds, rate).told(0),
        f"{p50 * 1e3:.2f}",
        f"{p99 * 1e3:.2f}",
        f"{_spread(rounds, cpu).median * 1e3:.3f}",
        f"{_spread(rounds, generator_cpu).median * 1e3:.3f}",
    ]


def _added(records: Records) -> list[str]:
    lines = header(
        ("network", "body", "connections", "CPU added per request, ms", "share of the limit",
         "share, generator discounted", "p99 / p50")
    )  # fmt: skip
    for contest in records.contests():
        added = records.against_limit(contest, SERVED, sub, cpu)
        if added is None:
            continue
        raw = records.against_limit(contest, SERVED, truediv, rate)
        network, kind, connections = contest
        ours = records.rounds(network, kind, SERVED, connections)
        p50, p99 = tail(ours)
        cells = [added.times(1e3).told(3)]
        cells += [each.told(3) for each in (raw, _discounted(records, contest)) if each]
        lines.append(row([network, kind, str(connections), *cells, f"{p99 / p50:.2f}"]))
    return lines


def _discounted(records: Records, contest: tuple[str, str, int]) -> Spread | None:
    return records.against_limit(contest, SERVED, truediv, discounted_rate)


def _ratios(records: Records) -> list[str]:
    lines = header(
        ("network", "body", "connections", "the same file", "best artifact",
         "best artifact's engines alone")
    )  # fmt: skip
    for network, kind, connections in records.contests():
        theirs = records.rounds(network, kind, PLAIN, connections)
        cells = []
        for way in (SERVED, BEST, BEST_LIMIT):
            ours = _rounds(records, network, kind, way, connections)
            ratio = paired(ours, theirs, truediv, rate)
            cells.append(ratio.told(2) if ratio else "")
        if any(cells):
            lines.append(row([network, kind, str(connections), *cells]))
    return lines


def _poisson(found: Rounds) -> list[str]:
    lines = header(
        ("network", "rate/s", "of a capacity of", "p50 ms", "simulated", "p99 ms", "simulated",
         "p99 / simulated", "generator late, p99 ms")
    )  # fmt: skip
    for rounds in _by_network(found):
        keys = ("rate", "capacity", "p50", "simulated_p50", "p99", "simulated_p99")
        rate_, capacity, *times = (_median(rounds, key) for key in keys)
        cells = [str(rounds[0].settings["network"]), f"{rate_:.0f}", f"{capacity:.0f}"]
        cells += [f"{seconds * 1e3:.1f}" for seconds in times]
        ratio = _spread(rounds, lambda m: number(m, "p99") / number(m, "simulated_p99"))
        lines.append(row([*cells, ratio.told(2), f"{_median(rounds, 'late_p99') * 1e3:.2f}"]))
    return lines


def _overload(found: Rounds) -> list[str]:
    lines = header(
        ("network", "capacity/s", "goodput of it", "refused", "refusal p50, p99 ms", "expired",
         "answers after the deadline", "slowest answer ms", "recovery s")
    )  # fmt: skip
    for rounds in _by_network(found):
        late, expired = (sum(int(number(m, key)) for m in rounds) for key in ("late", "expired"))
        refusal = [_median(rounds, f"refusal_p{rank}") * 1e3 for rank in (50, 99)]
        cells = [
            str(rounds[0].settings["network"]),
            f"{_median(rounds, 'capacity'):.0f}",
            _spread(rounds, lambda m: number(m, "goodput")).told(3),
            f"{_median(rounds, 'refused'):.0f}",
            f"{refusal[0]:.1f}, {refusal[1]:.1f}",
            str(expired),
            f"{late} of {sum(int(number(m, 'ok')) for m in rounds)}",
            f"{max(number(m, 'most') for m in rounds) * 1e3:.0f}",
            _spread(rounds, lambda m: number(m, "recovery")).told(2),
        ]
        lines.append(row(cells))
    return lines


def _bare(found: Rounds) -> list[str]:
    lines = header(
        ("network", "body", "service", "requests/s", "CPU added per request, ms",
         "share of the limit, generator discounted")
    )  # fmt: skip
    for rounds in _by_network([measured for measured in found if measured.valid]):
        for kind in KINDS:
            ways = {
                way: [m for m in rounds if (m.settings["way"], m.settings["kind"]) == (way, kind)]
                for way in serving_bare.WAYS
            }
            for way in (serving_bare.BARE, SERVED):
                added = paired(ways[way], ways[LIMIT], sub, cpu)
                share = paired(ways[way], ways[LIMIT], truediv, discounted_rate)
                if added and share:
                    own = added.times(1e3).told(3)
                    cells = [_spread(ways[way], rate).told(0), own, share.told(3)]
                    lines.append(row([str(rounds[0].settings["network"]), kind, way, *cells]))
    return lines


def _floor(found: Rounds) -> list[str]:
    lines = header(("service", "requests/s", "p50 ms", "p99 ms", "server CPU us"))
    ways = {way: [m for m in found if m.settings["way"] == way] for way in _FLOOR}
    for way, rounds in ways.items():
        p50, p99 = tail(rounds)
        own = _spread(rounds, cpu)
        cells = [way, _spread(rounds, rate).told(0), f"{p50 * 1e3:.2f}", f"{p99 * 1e3:.2f}"]
        lines.append(row([*cells, f"{own.median * 1e6:.0f}"]))
    cost = paired(ways[serving_floor.WITH], ways[serving_floor.WITHOUT], sub, cpu)
    if cost is not None:
        figures = cost.times(1e6).told(1)
        lines += ["", f"Recording costs {figures} us of processor time per request."]
    return lines


_FLOOR = (serving_floor.WITH, serving_floor.WITHOUT)
_SCENARIOS = (
    ("serving poisson", "Random arrivals at 70 % of capacity", _poisson),
    ("serving overload", "30 seconds of twice the capacity", _overload),
    (serving_floor.NAME, "Without a network", _floor),
    (serving_bare.NAME, "The barest service", _bare),
)


def _by_network(found: Rounds) -> list[Rounds]:
    networks: dict[str, Rounds] = {}
    for measured in found:
        networks.setdefault(str(measured.settings["network"]), []).append(measured)
    return list(networks.values())


def _median(rounds: Rounds, key: str) -> float:
    return _spread(rounds, lambda measured: number(measured, key)).median


def main() -> None:
    """Make the tables new."""
    measurements = read_measurements(RECORDS)
    rewrite_part(PAGE, PART, tables(measurements))
    rewrite_part(README, PART, summary(measurements))


if __name__ == "__main__":
    main()
