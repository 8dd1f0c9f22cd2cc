"""The tables of docs/exports.md and the README: every export against the stock one.

python -m benchmarks.exports_page
"""

from collections.abc import Sequence

from benchmarks.pages import (
    PUBLISHED,
    ROOT,
    header,
    machine_line,
    number,
    rate,
    rewrite_part,
    row,
    speed,
)
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "exports.jsonl"
PAGE = ROOT / "docs" / "exports.md"
README = ROOT / "README.md"
PART = "made by python -m benchmarks.exports_page"
BATCHES = (1, 8)


def summary(measurements: Sequence[Measurement]) -> str:
    """A row for each network and batch size, on the most threads that were tried: the stock export,
    ours in fp32, ours at its best."""
    columns = ("network", "threads", "batch", "stock images/s", "best fp32", "best", "with")
    lines = header(columns)
    most = max(number(measured, "threads") for measured in measurements)
    for contest in _contests([m for m in measurements if number(m, "threads") == most]):
        base = next(m for m in contest if m.settings["way"] == m.settings["base"])
        ours = [m for m in contest if m is not base]
        exact = max((m for m in ours if str(m.settings["way"]).endswith("fp32")), key=_speed)
        best = max(ours, key=_speed)
        cells = [str(base.settings[key]) for key in ("network", "threads", "batch")]
        cells += [f"{rate(base):.0f}", f"{_speed(exact):.2f} times", f"{_speed(best):.2f} times"]
        lines.append(row([*cells, str(best.settings["way"])]))
    return "\n".join(lines) + "\n"


def tables(measurements: Sequence[Measurement]) -> str:
    """Every way of every contest, the fastest first."""
    parts = [machine_line(measurements)]
    for contest in _contests(measurements):
        settings = contest[0].settings
        title = (
            f"### {settings['network']}, batch {settings['batch']}, threads: {settings['threads']}"
        )
        lines = [title, "", *header(("way", "images/s", "times the stock export"))]
        lines += [
            row([str(m.settings["way"]), f"{rate(m):.0f}", speed(m)])
            for m in sorted(contest, key=_speed, reverse=True)
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _contests(measurements: Sequence[Measurement]) -> list[list[Measurement]]:
    """Those that were timed against one another, in order."""
    contests: dict[tuple[object, ...], list[Measurement]] = {}
    for measured in measurements:
        settings = measured.settings
        place = (settings["threads"], settings["network"], settings["batch"])
        contests.setdefault(place, []).append(measured)
    return [contests[place] for place in sorted(contests, key=str)]


def _speed(measured: Measurement) -> float:
    return number(measured, "speed")


def main() -> None:
    """Make the tables new."""
    measurements = read_measurements(RECORDS)
    rewrite_part(PAGE, PART, tables(measurements))
    rewrite_part(README, PART, summary(measurements))


if __name__ == "__main__":
    main()
