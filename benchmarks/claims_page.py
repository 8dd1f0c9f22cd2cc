"""The tables of docs/claims.md.

python -m benchmarks.claims_page
"""

from collections.abc import Sequence

from benchmarks.claims.judged import (
    FINDING_COLUMNS,
    SUMMARY_COLUMNS,
    Judged,
    finding_rows,
    judge,
    summary_rows,
)
from benchmarks.machine_lines import machine_lines
from benchmarks.pages import PUBLISHED, ROOT, header, rewrite_part, row
from measuring.record import Measurement, read_measurements

RECORDS = tuple(PUBLISHED / name for name in ("claims.jsonl", "operators.jsonl", "roofline.jsonl"))
PAGE = ROOT / "docs" / "claims.md"
PART = "made by python -m benchmarks.claims_page"


def tables(measurements: Sequence[Measurement]) -> str:
    """All verdicts, then each claim with what was measured for it."""
    judged = judge(measurements)
    parts = [machine_lines(measurements), _table(SUMMARY_COLUMNS, summary_rows(judged))]
    return "\n\n".join([*parts, *map(_section, judged)]) + "\n"


def _section(judged: Judged) -> str:
    claim = judged.claim
    return "\n\n".join(
        [
            f"### {claim.number}. {claim.title}: {judged.verdict}",
            claim.text,
            f"`{judged.command}`: {judged.parts}.",
            _table(FINDING_COLUMNS, finding_rows(judged.findings)),
        ]
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    headings = [column.removeprefix(">") for column in columns]
    return "\n".join([*header(headings), *map(row, rows)])


def published() -> list[Measurement]:
    """What the verdicts of the page are of."""
    return [measured for path in RECORDS for measured in read_measurements(path)]


def main() -> None:
    """Make the tables new."""
    rewrite_part(PAGE, PART, tables(published()))


if __name__ == "__main__":
    main()
