"""The tables and pictures of docs/roofline.md.

python -m benchmarks.roofline_page
"""

from collections.abc import Sequence

from benchmarks.machine_lines import machine_lines
from benchmarks.pages import PUBLISHED, ROOT, header, rewrite_part, row
from benchmarks.roofline import Point, Roof, points, roof
from benchmarks.roofline_shares import (
    LAYER_COLUMNS,
    NETWORK_COLUMNS,
    ROOF_COLUMNS,
    TIME_COLUMNS,
    layer_rows,
    network_rows,
    roof_rows,
    time_rows,
)
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "roofline.jsonl"
PAGE = ROOT / "docs" / "roofline.md"
PART = "made by python -m benchmarks.roofline_page"
THREADS = 1
PRECISIONS = ("fp32", "bf16", "int8")
RUNTIME = "onnxruntime"  # that the picture is of
_LONGEST = 4


def tables(measurements: Sequence[Measurement]) -> str:
    """The roofs, the networks under them, what their time is made of, the longest operations."""
    above = roof(measurements, threads=THREADS)
    found = points(measurements, above)
    parts = [
        machine_lines(measurements),
        "### The roofs",
        _table(("threads", *ROOF_COLUMNS), _roofs(measurements)),
        "### Networks under them, batch 1",
        _table(NETWORK_COLUMNS, network_rows(found)),
        "### What their time is made of",
        _table(TIME_COLUMNS, time_rows(found)),
        "### The longest operations",
        _table(LAYER_COLUMNS, layer_rows(found, most=_LONGEST)),
    ]
    return "\n\n".join(parts) + "\n"


def _roofs(measurements: Sequence[Measurement]) -> list[list[str]]:
    """For every number of threads: arithmetic in each precision, bandwidth for each size."""
    threads = sorted({int(str(m.settings["threads"])) for m in measurements if m.name == "peak"})
    rows = []
    for count in threads:
        for precision in PRECISIONS:
            told = roof_rows(roof(measurements, threads=count, precision=precision),
                             precision=precision)  # fmt: skip
            rows += [[str(count), *line] for line in (told if precision == "fp32" else told[:1])]
    return rows


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    headings = [column.removeprefix(">") for column in columns]
    return "\n".join([*header(headings), *map(row, rows)])


def draw(found: Sequence[Point], above: Roof) -> None:
    """docs/roofline.svg and docs/time.svg."""
    from benchmarks.roofline_plot import roofline_plot, save, time_plot

    save(roofline_plot(found, above, runtime=RUNTIME), PAGE.with_name("roofline.svg"))
    save(time_plot(found), PAGE.with_name("roofline-time.svg"))


def main() -> None:
    """Make tables and pictures new."""
    measurements = read_measurements(RECORDS)
    rewrite_part(PAGE, PART, tables(measurements))
    above = roof(measurements, threads=THREADS)
    draw(points(measurements, above), above)


if __name__ == "__main__":
    main()
