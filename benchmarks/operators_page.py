"""The tables of docs/operators.md.

python -m benchmarks.operators_page
"""

from collections.abc import Sequence

from benchmarks.machine_lines import machine_lines
from benchmarks.operator_tables import TABLES, columns, rows
from benchmarks.pages import PUBLISHED, ROOT, header, rewrite_part, row
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "operators.jsonl"
PAGE = ROOT / "docs" / "operators.md"
PART = "made by python -m benchmarks.operators_page"


def tables(measurements: Sequence[Measurement]) -> str:
    """A table for each comparison; times are medians with their 95 % intervals."""
    parts = [machine_lines(measurements)]
    for table, title in TABLES.items():
        if lines := rows(measurements, table):
            headings = [column.removeprefix(">") for column in columns(table)]
            parts.append("\n".join([f"### {title}", "", *header(headings), *map(row, lines)]))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Make the tables new."""
    rewrite_part(PAGE, PART, tables(read_measurements(RECORDS)))


if __name__ == "__main__":
    main()
