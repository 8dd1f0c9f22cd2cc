"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from measuring.errors import InputError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

repository: Decorator = click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("artifacts"),
    show_default=True,
    envvar="STRIDE_REPOSITORY",
    help="Folder that holds the artifacts.",
)
profiles: Decorator = click.option(
    "--profiles",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("profiles"),
    show_default=True,
    envvar="STRIDE_PROFILES",
    help="Folder of what was measured on each machine.",
)
as_json: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of a table."
)


def comma_separated(_: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    """`a,b,c` -> ("a", "b", "c"), empty parts dropped, each once. Raises InputError for none."""
    parts = (part.strip() for part in value.split(","))
    if not (named := tuple(dict.fromkeys(part for part in parts if part))):
        raise InputError(
            f"{option.opts[0]} {value!r} names nothing, expected one or more, separated by commas"
        )
    return named
