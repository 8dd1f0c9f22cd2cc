"""What a dashboard is made of, as data. Nothing here knows Grafana's library; see `sdk`."""

from dataclasses import dataclass
from typing import Literal

GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"

Kind = Literal["lines", "stack", "heatmap", "number", "table", "waterfall", "runs"]
"""Lines over time, stacked areas, buckets over time, one large number, a table, one bar for each
row with a part for each query, and the list of annotated load tests."""


@dataclass(frozen=True)
class Query:
    """`legend`: Grafana's template, in a table and a waterfall the name of the column; `now`: only
    the newest value, not its course."""

    expression: str
    legend: str
    now: bool = False


Steps = tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Thresholds:
    """`base` is the colour below the first step, each step's from its value on."""

    base: str
    steps: Steps = ()


@dataclass(frozen=True)
class Column:
    """How one column of a table is shown, where it differs from its panel."""

    name: str
    unit: str
    thresholds: Thresholds


@dataclass(frozen=True)
class Panel:
    """`width` of 24, `height` in Grafana's rows; `repeat`: a variable, with one panel for each of
    its values; `columns`: of a table."""

    kind: Kind
    title: str
    description: str
    unit: str
    thresholds: Thresholds
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    repeat: str | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Row:
    """A heading, and what stands below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice above the dashboard: the values of a label. `many`: several or all of them; `last`:
    the last one unless chosen, not the first; `only_listed`: all are those that the query lists,
    not whatever the label says."""

    name: str
    title: str
    description: str
    query: str
    many: bool = False
    last: bool = False
    only_listed: bool = False


@dataclass(frozen=True)
class Dashboard:
    """`slug` names its file and its address in Grafana; `marks`: load tests are drawn into it."""

    slug: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    marks: bool = True
