"""The tables of docs/frontends.md: what several front ends cost, and how fast they recover.

python -m benchmarks.frontends_page
"""

from collections.abc import Sequence
from operator import sub

from benchmarks import frontends_recovery
from benchmarks.pages import PUBLISHED, ROOT, header, machine_line, number, rewrite_part, row
from benchmarks.serving_frontends import KINDS, NAME, ONE_PROCESS, WAYS
from benchmarks.serving_summary import Rounds, cpu, paired, rate, spread, tail
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "frontends.jsonl"
PAGE = ROOT / "docs" / "frontends.md"
PART = "made by python -m benchmarks.frontends_page"
LIBRARIES = ("fastapi", "uvicorn", "uvloop", "httptools", "pillow")


def tables(measurements: Sequence[Measurement]) -> str:
    """The machine, every way to serve, and the times of recovery."""
    served = [measured for measured in measurements if measured.name == NAME]
    disturbed = sum(not measured.valid for measured in served)
    parts = [
        f"{machine_line(served, LIBRARIES)} Disturbed by other programs, and in the figures "
        f"all the same: {disturbed} of {len(served)} visits.",
        "\n".join(_ways(served)),
        "\n".join(_recovery(measurements)),
    ]
    return "\n\n".join(parts) + "\n"


def _ways(served: Sequence[Measurement]) -> list[str]:
    lines = header(
        ("body", "service", "requests/s", "p50 ms", "p99 ms", "CPU of the service us",
         "more than one process us")
    )  # fmt: skip
    for kind in KINDS:
        base = _rounds(served, kind, ONE_PROCESS)
        for way in WAYS:
            rounds = _rounds(served, kind, way)
            if not rounds:
                continue
            p50, p99 = tail(rounds)
            cells = [kind, way, spread([rate(measured) for measured in rounds]).told(0)]
            own = spread([cpu(measured) for measured in rounds])
            cells += [f"{p50 * 1e3:.2f}", f"{p99 * 1e3:.2f}", f"{own.median * 1e6:.0f}"]
            more = None if way == ONE_PROCESS else paired(rounds, base, sub, cpu)
            lines.append(row([*cells, "" if more is None else more.times(1e6).told(0)]))
    return lines


def _recovery(measurements: Sequence[Measurement]) -> list[str]:
    lines = header(
        ("killed", "times", "clients", "median s until all is as before", "longest s",
         "answers meanwhile: 200", "503", "other", "connections closed")
    )  # fmt: skip
    for measured in measurements:
        if measured.name == frontends_recovery.NAME:
            settings = measured.settings
            told, longest = measured.latencies.percentile(50.0), measured.latencies.summary["max"]
            seen = {name: number(measured, name) for name in settings if name.startswith("seen_")}
            counts = [seen.pop(f"seen_{what}", 0.0) for what in ("200", "503", "closed")]
            ok, refused, closed = (f"{count:,.0f}" for count in counts)
            cells = [str(settings[key]) for key in ("role", "kills", "clients")]
            cells += [f"{told:.2f}", f"{longest:.2f}"]
            lines.append(row([*cells, ok, refused, f"{sum(seen.values()):,.0f}", closed]))
    return lines


def _rounds(served: Sequence[Measurement], kind: str, way: str) -> Rounds:
    return [m for m in served if (m.settings["kind"], m.settings["way"]) == (kind, way)]


if __name__ == "__main__":
    rewrite_part(PAGE, PART, tables(read_measurements(RECORDS)))
