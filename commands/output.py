"""What commands print: results on standard output, progress on standard error."""

import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

# Piped into a file or another program, nothing is cut off at 80 columns.
results = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
progress = Console(stderr=True, highlight=False)
_UNBOUNDED = 10_000  # wider than any table


def print_json(document: Any) -> None:
    """One indented document that `jq` can read."""
    results.out(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode(), highlight=False)


def print_step(step: str) -> None:
    """A line of progress. In a terminal a long one goes on indented; a file has it whole."""
    if progress.is_terminal:
        step = textwrap.fill(
            step,
            progress.width,
            subsequent_indent="    ",
            break_long_words=False,  # a path stays in one piece
            break_on_hyphens=False,
        )
    progress.print(step, markup=False, soft_wrap=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns whose heading starts with `>` are aligned to the right."""
    table = _table(columns, rows)
    needed = Measurement.get(results, results.options.update(max_width=_UNBOUNDED), table)
    if needed.maximum > results.width:
        table.padding = (0, 0)  # a column's gap is one then, before anything is folded
    results.print(table)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        collapse_padding=True,  # 80 columns are few
        pad_edge=False,
        show_edge=False,
    )
    for column in columns:
        right = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            overflow="fold",  # a narrow terminal breaks words; an id cut short is no use
        )
    for row in rows:
        table.add_row(*map(Text, row))  # brackets in a name are no markup
    return table
