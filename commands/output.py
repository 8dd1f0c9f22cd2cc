"""What commands print: results on standard output, progress on standard error."""

import sys
from collections.abc import Sequence
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table

# Piped into a file or another program, nothing is cut off at 80 columns.
results = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
progress = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """One indented document that `jq` can read."""
    results.out(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode(), highlight=False)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = ""
) -> None:
    """Columns whose heading starts with `>` are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, caption=caption or None, caption_justify="left")
    for column in columns:
        right = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            overflow="fold",  # a narrow terminal breaks words; an id cut short is no use
        )
    for row in rows:
        table.add_row(*row)
    results.print(table)
