"""What a page is made of, before it is HTML or Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field

LONG = 40
"""Characters from which a cell is broken over lines."""


@dataclass(frozen=True)
class Figure:
    """`svg`: a whole picture as markup; `caption` says what it shows; `wide`: needs the width."""

    svg: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Table:
    """Columns whose heading starts with `>` are aligned to the right. Rows in `faded` matter
    less, rows in `marked` more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    faded: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """Each with whether it is aligned to the right."""
        return [(column.removeprefix(">"), column.startswith(">")) for column in self.columns]

    @property
    def prose(self) -> frozenset[int]:
        """The columns with sentences in them, which need room to break."""
        return frozenset(
            index
            for index in range(len(self.columns))
            if any(len(row[index]) > LONG for row in self.rows)
        )


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; `missing` says which command makes the records of a
    section that has none."""

    anchor: str
    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()
    missing: str | None = None


@dataclass(frozen=True)
class Card:
    """The decision: `headline` for whom the rest is too long, `facts` as pairs."""

    question: str
    headline: str
    decided: bool
    facts: Sequence[tuple[str, str]] = ()
    why: Sequence[str] = ()
    changes: Sequence[tuple[str, str]] = ()
    ties: Sequence[str] = ()
    command: str | None = None
    notes: Sequence[str] = field(default=())


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str = "",
    *,
    faded: Sequence[int] = (),
    marked: Sequence[int] = (),
) -> Table:
    """From lists."""
    return Table(
        tuple(columns), tuple(map(tuple, rows)), caption, frozenset(faded), frozenset(marked)
    )
