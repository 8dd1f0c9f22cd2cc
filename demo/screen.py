"""What a person watching sees: numbered steps, and the very command of each. All of it on standard
error, so that standard output holds the result alone."""

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator


def _console() -> Console:
    return Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Screen:
    """Numbers the steps in the order they are announced."""

    console: Console = field(default_factory=_console)
    numbers: "Iterator[int]" = field(default_factory=lambda: count(1))

    def step(self, title: str) -> None:
        """A heading."""
        self.console.print(f"\n[bold]{next(self.numbers)}. {escape(title)}[/bold]")

    def command(self, line: str) -> None:
        """A command as it can be typed; never wrapped, so that it can be copied."""
        self.console.print(f"$ {line}", style="cyan", markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """A sentence."""
        self.console.print(text, markup=False, soft_wrap=True)

    def bar(self) -> Progress:
        """A bar over a known number of pictures."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
