"""A team's own gate, from a TOML file: which points, under which load, within which bounds, and
which answers have to be right. docs/loadtest.md lists the keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from loadtest.content import Content
from loadtest.load import Arrivals, Closed, Load, Open
from loadtest.plan import Asked
from loadtest.scenario_file import (
    Check,
    Source,
    is_from_zero,
    is_number,
    is_text,
    is_whole,
    several,
    some,
)
from loadtest.search import Effort
from loadtest.slo import EXAMPLE, Slo, parse
from loadtest.target import BodyKind
from measuring.errors import InputError


@dataclass(frozen=True)
class Scenario:
    """`points`: none of them empty; `contents` are asked before any load."""

    title: str
    points: tuple[Asked, ...]
    contents: tuple[Content, ...] = ()


def _is_slo(value: Any) -> bool:
    try:
        parse(value)
    except (InputError, TypeError, AttributeError):
        return False
    return True


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(words: tuple[str, ...]) -> tuple[Check, str]:
    return lambda value: value in words, " or ".join(f'"{word}"' for word in words)


_COMMON: Mapping[str, tuple[Check, str]] = {
    "slo": (_is_slo, f'bounds such as "{EXAMPLE}"'),
    "seconds": (is_number, "a number of seconds above 0"),
    "warm_up": (is_from_zero, "a number of seconds from 0"),
    "body": _one_of(get_args(BodyKind)),
    "processes": (is_whole, "a whole number from 1"),
}
_TOP: Mapping[str, tuple[Check, str]] = {
    **_COMMON,
    "title": (is_text, "text in quotes"),
    "point": (lambda _: True, ""),
    "content": (lambda _: True, ""),
}
POINT: Mapping[str, tuple[Check, str]] = {
    **_COMMON,
    "model": (some(is_text), 'the name of a model in quotes, or a list such as ["a", "b"]'),
    "batch_sizes": (some(is_whole), "a whole number from 1, or a list such as [1, 8]"),
    "concurrency": (some(is_whole), "a whole number from 1, or a list such as [1, 4]"),
    "rate": (some(is_number), "requests per second above 0, or a list such as [50, 100]"),
    "arrivals": _one_of(get_args(Arrivals)),
    "search": (_is_truth, "true or false"),
    "precision": (lambda value: is_number(value) and value < 1, "a share between 0 and 1"),
}
"""What a [[point]] may say, how to tell, and in words."""
CONTENT: Mapping[str, tuple[Check, str]] = {
    "image": (is_text, "the path of a picture, from this file's folder"),
    "model": (is_text, "the name of a model in quotes"),
    "label": (is_text, "the label it has to have, in quotes"),
    "index": (lambda value: is_whole(value) or value == 0, "the number of its class, from 0"),
    "probability": (lambda value: is_number(value) and value <= 1, "a share above 0"),
}
"""The same of [[content]]."""


def read_scenario(path: Path, usual: Load) -> Scenario:
    """`usual`: what holds where the file says nothing of it. Raises InputError with line, key and
    what was expected."""
    source = Source(path)
    source.require(_TOP)
    points = source.tables("point")
    if not points:
        source.refuse("point", "one table headed [[point]] or more")
    return Scenario(
        title=source.values.get("title", path.stem),
        points=tuple(_point(source, number, usual) for number in range(len(points))),
        contents=tuple(_content(source, number) for number in range(len(source.tables("content")))),
    )


def _point(source: Source, number: int, usual: Load) -> Asked:
    source.require(POINT, table="point", number=number)
    own = source.tables("point")[number]
    top = {key: value for key, value in source.values.items() if key in _COMMON}
    values = {**top, **own}
    _refuse_contradictions(source, number)

    def checked(key: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except InputError as error:
            source.refuse(key, f"another value: {error}", table="point", number=number)

    search = values.get("search", False)
    if search and "slo" not in values:
        source.refuse("slo", "bounds that the search has to keep", table="point", number=number)
    slo: Slo | None = parse(values["slo"]) if "slo" in values else None
    shared = checked("processes", lambda: _shared(values, usual))
    load = checked("seconds", lambda: _timed(values, shared))
    traffics: tuple[Closed | Open, ...] = ()
    if not search:
        driven = "rate" if "rate" in own else "concurrency"
        traffics = checked(driven, lambda: _traffics(own))
    return checked(  # type: ignore[no-any-return]
        "slo",
        lambda: Asked(
            traffics=traffics,
            models=several(own.get("model", [])) if "model" in own else (),
            batches=several(own.get("batch_sizes", 1)),
            body=values.get("body", "pixels"),
            load=load,
            slo=slo,
            search=Effort(precision=own.get("precision", Effort.precision)) if search else None,
            extend="seconds" not in values,
        ),
    )


def _refuse_contradictions(source: Source, number: int) -> None:
    own = source.tables("point")[number]
    given = [key for key in ("concurrency", "rate", "search") if own.get(key)]
    if len(given) != 1:
        source.refuse(
            given[1] if given else "concurrency",
            f"only one of {' and '.join(given)}"
            if given
            else "one of concurrency, rate and search = true",
            table="point",
            number=number,
        )
    for key, other in (("arrivals", "rate"), ("precision", "search")):
        if key in own and other not in own:
            source.refuse(key, f"{other} beside it", table="point", number=number)


def _shared(values: Mapping[str, Any], usual: Load) -> Load:
    """Between processes, with a client for each of them until the traffic is known."""
    processes = values.get("processes", usual.processes)
    return replace(usual, traffic=Closed(processes), processes=processes)


def _timed(values: Mapping[str, Any], usual: Load) -> Load:
    return replace(
        usual,
        seconds=float(values.get("seconds", usual.seconds)),
        warm_up=float(values.get("warm_up", usual.warm_up)),
    )


def _traffics(own: Mapping[str, Any]) -> tuple[Closed | Open, ...]:
    if "rate" in own:
        arrivals = own.get("arrivals", "poisson")
        return tuple(Open(float(rate), arrivals) for rate in several(own["rate"]))
    return tuple(Closed(connections) for connections in several(own["concurrency"]))


def _content(source: Source, number: int) -> Content:
    source.require(CONTENT, table="content", number=number)
    own = source.tables("content")[number]
    for key in ("image", "model"):
        if key not in own:
            source.refuse(key, CONTENT[key][1], table="content", number=number)
    if "label" not in own and "index" not in own:
        source.refuse("label", "a label, or an index", table="content", number=number)
    image = source.path.parent / own["image"]
    if not image.is_file():
        source.refuse(
            "image", f"the path of a picture; there is none at {image}",
            table="content", number=number,
        )  # fmt: skip
    return Content(
        image=image,
        model=own["model"],
        label=own.get("label"),
        index=own.get("index"),
        probability=float(own.get("probability", 0.0)),
    )
