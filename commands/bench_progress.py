"""How far a benchmark is: a bar with the time that remains in a terminal, lines in a file."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from commands.output import print_step, progress
from measuring.errors import StrideError


class Bar:
    """Counts in seconds that were expected."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._behind = 0.0
        self._task = bar.add_task("measure", total=None, visible=False)

    def step(self, text: str) -> None:
        """A line above the bar."""
        print_step(text)

    def now(self, text: str) -> None:
        """What the bar stands for at the moment."""
        self._bar.update(self._task, description=text)

    def expect(self, seconds: float) -> None:
        """So much is ahead, whatever was said before; what is behind stays."""
        self._bar.update(self._task, total=self._behind + seconds, visible=True)
        print_step(f"measure: about {max(1, round(seconds))} s more")

    def done(self, seconds: float) -> None:
        """Part of it is behind."""
        self._behind += seconds
        self._bar.advance(self._task, seconds)


@contextmanager
def bar() -> Iterator[Progress]:
    """Drawn on a terminal alone."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=progress, transient=True, disable=not progress.is_terminal
    ) as drawn:
        yield drawn


@contextmanager
def watching(run: str) -> Iterator[Bar]:
    """Tells how to resume when the run does not come to its end."""
    print_step(f"run: {run}")
    try:
        with bar() as drawn:
            yield Bar(drawn)
    except (KeyboardInterrupt, click.Abort, StrideError):
        print_step(f"what is finished is kept; go on with: stride bench --resume {run}")
        raise
