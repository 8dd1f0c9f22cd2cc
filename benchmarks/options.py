"""Options that several benchmarks share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

quick: Decorator = click.option(
    "--quick", is_flag=True, help="Short rounds: to see that it works, not for figures."
)
repository: Decorator = click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default=Path("artifacts/serving"),
    show_default=True,
    help="Folder of the artifacts.",
)


def artifact(what: str) -> Decorator:
    """The artifact to serve, a small one unless told; `what` of it matters, for people."""
    return click.option(
        "--artifact",
        type=click.Path(path_type=Path, exists=True),
        default=Path("artifacts/serving/shufflenet_v2_x0_5-onnx-fp32"),
        show_default=True,
        help=what,
    )


def output(records: str) -> Decorator:
    """The file of records, this one unless told."""
    return click.option(
        "--output",
        type=click.Path(path_type=Path),
        default=Path(records),
        show_default=True,
        help="JSON lines that the measurements are added to.",
    )
