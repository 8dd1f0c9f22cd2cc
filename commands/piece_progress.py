"""How far a measurement in pieces is: a bar in a terminal, lines in a file."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from commands.bench_progress import bar
from commands.output import print_step

T = TypeVar("T")


def counted(pieces: Iterable[tuple[str, T]], total: int) -> Iterator[tuple[str, T]]:
    """The pieces, each told when it is done, with the time that `total` of them will take."""
    with bar() as drawn:
        task = drawn.add_task("measure", total=total)
        for number, (name, piece) in enumerate(pieces, 1):
            drawn.advance(task)
            print_step(f"{number} of {total}: {name}")
            yield name, piece
