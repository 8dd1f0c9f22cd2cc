"""The table of docs/rewrites.md: what each rewrite is worth, and where.

python -m benchmarks.rewrites_page
"""

from collections.abc import Iterable, Sequence

from benchmarks.pages import (
    PUBLISHED,
    ROOT,
    header,
    machine_line,
    number,
    rewrite_part,
    row,
    speed,
)
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "rewrites.jsonl"
PAGE = ROOT / "docs" / "rewrites.md"
PART = "made by python -m benchmarks.rewrites_page"
BATCHES = (1, 8)

Place = tuple[str, str, str]


def tables(measurements: Sequence[Measurement]) -> str:
    """A table for each rewrite: speed with it as a multiple of the speed without, with its 95 %
    interval; bold where the whole interval is above 1."""
    found: dict[str, dict[Place, dict[int, Measurement]]] = {}
    for measured in measurements:
        settings = measured.settings
        if settings["way"] != "with":
            continue
        place = (str(settings["network"]), str(settings["runtime"]), str(settings["precision"]))
        rows = found.setdefault(str(settings["rewrite"]), {})
        rows.setdefault(place, {})[int(number(measured, "batch"))] = measured
    parts = [machine_line(measurements), *(_table(name, rows) for name, rows in found.items())]
    return "\n\n".join(parts) + "\n"


def _table(rewrite: str, rows: dict[Place, dict[int, Measurement]]) -> str:
    columns = ["network", "runtime", "precision", *(f"batch {batch}" for batch in BATCHES)]
    lines = [f"### {rewrite}", "", *header(columns)]
    lines += [row([*place, *_speeds(by_batch)]) for place, by_batch in rows.items()]
    return "\n".join(lines)


def _speeds(by_batch: dict[int, Measurement]) -> Iterable[str]:
    for batch in BATCHES:
        measured = by_batch.get(batch)
        if measured is None:
            yield "not measured"
            continue
        won = number(measured, "speed_low") > 1.0
        yield f"**{speed(measured)}**" if won else speed(measured)


def main() -> None:
    """Make the tables new."""
    rewrite_part(PAGE, PART, tables(read_measurements(RECORDS)))


if __name__ == "__main__":
    main()
