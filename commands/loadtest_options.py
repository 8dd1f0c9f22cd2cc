"""What `stride loadtest` is asked for, from the text of its options."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring.errors import InputError

if TYPE_CHECKING:
    from loadtest.annotation import Annotation
    from loadtest.load import Closed, Load, Open
    from loadtest.plan import Asked
    from loadtest.scenario import Scenario
    from loadtest.target import BodyKind, Target

BATCHES, QUICK_BATCHES = (1, 2, 4, 8, 16, 32), (1, 8)
CONNECTIONS, QUICK_CONNECTIONS = (1, 4), (4,)
_MOST_POINTS = 50
"""Of one list: more is a typing mistake."""


@dataclass(frozen=True)
class Effort:
    """Seconds of a point where nothing else was asked for."""

    seconds: float
    warm_up: float


FULL, QUICK = Effort(5.0, 1.0), Effort(2.0, 0.5)
_OF_SCENARIO = (
    *("model", "batch_sizes", "concurrency", "rate", "search", "body", "seconds", "warm_up"),
    *("processes", "arrivals", "slo"),
)


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """`1,2,4` -> (1, 2, 4), each once. Raises InputError for anything else."""
    parts = _parts(option, text)
    if wrong := [part for part in parts if not (part.isdecimal() and part.isascii() and int(part))]:
        raise InputError(f"{option} {text!r}: {wrong[0]!r} is no whole number from 1, as in 1,2,4")
    return tuple(dict.fromkeys(map(int, parts)))


def rates(text: str) -> tuple[float, ...]:
    """`50,100.5`, each once. Raises InputError for anything else."""
    found = []
    for part in _parts("--rate", text):
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not 0.0 < value < math.inf:
            raise InputError(
                f"--rate {text!r}: {part!r} is no number of requests per second, as in 50,100"
            )
        found.append(value)
    return tuple(dict.fromkeys(found))


def target(values: dict[str, Any]) -> "Target":
    """Whom to ask; which model follows. `http://` may be left out."""
    from loadtest.api_key import read_api_key
    from loadtest.target import Target

    url = values["url"] if "://" in values["url"] else f"http://{values['url']}"
    key = read_api_key(values["api_key_file"])
    return Target(url if url.endswith("://") else url.rstrip("/"), model="", api_key=key)


def scenario(values: dict[str, Any]) -> "Scenario":
    """That of the file, else one made of the options. Raises InputError for what contradicts
    itself."""
    from loadtest.scenario import Scenario, read_scenario

    path: Path | None = values["scenario"]
    if path is None:
        return Scenario("", (_asked(values),))
    given = [name for name in _OF_SCENARIO if values[name] not in (None, (), False)]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(
            f"{flags}: the scenario {path} says that; leave it out, or change it there"
        )
    return read_scenario(path, _load(values))


def annotation(values: dict[str, Any]) -> "Annotation | None":
    """In Grafana, with its token from the environment, where an option would show it."""
    from commands.output import print_step
    from loadtest.annotation import TOKEN, Annotation, Grafana

    if values["grafana"] is None:
        return None
    grafana = Grafana(values["grafana"], os.environ.get(TOKEN, "").strip())
    return Annotation(grafana, lambda text: print_step(f"warning: {text}"))


def _asked(values: dict[str, Any]) -> "Asked":
    from loadtest.plan import Asked
    from loadtest.search import Effort as SearchEffort
    from loadtest.slo import parse

    _refuse_contradictions(values)
    body: BodyKind = values["body"] or "pixels"
    return Asked(
        traffics=() if values["search"] else _traffics(values),
        load=_load(values),
        models=tuple(dict.fromkeys(values["model"])),
        batches=_batches(values, body),
        body=body,
        slo=parse(values["slo"]) if values["slo"] is not None else None,
        search=SearchEffort() if values["search"] else None,
        extend=values["seconds"] is None,
    )


def _refuse_contradictions(values: dict[str, Any]) -> None:
    given = [name for name in ("concurrency", "rate", "search") if values[name]]
    if len(given) > 1:
        flags = " and ".join(f"--{name}" for name in given)
        raise InputError(
            f"{flags} are different loads, expected one of them; run one after another"
        )
    if values["arrivals"] is not None and values["rate"] is None:
        raise InputError(
            f"--arrivals {values['arrivals']} is of requests at a --rate; a search is always of "
            "Poisson arrivals, and --concurrency has none"
        )
    if values["search"] and values["slo"] is None:
        raise InputError("--search needs an --slo to keep, such as p99=20ms,errors=0.1%")


def _batches(values: dict[str, Any], body: str) -> tuple[int, ...]:
    if values["batch_sizes"] is not None:
        return whole_numbers("--batch-sizes", values["batch_sizes"])
    if body != "pixels" or values["search"] or values["rate"] is not None:
        return (1,)
    return QUICK_BATCHES if values["quick"] else BATCHES


def _traffics(values: dict[str, Any]) -> "tuple[Closed | Open, ...]":
    from loadtest.load import Closed, Open

    if values["rate"] is not None:
        return tuple(Open(rate, values["arrivals"] or "poisson") for rate in rates(values["rate"]))
    if values["concurrency"] is None:
        usual = QUICK_CONNECTIONS if values["quick"] else CONNECTIONS
        return tuple(map(Closed, usual))
    return tuple(map(Closed, whole_numbers("--concurrency", values["concurrency"])))


def _load(values: dict[str, Any]) -> "Load":
    """The traffic follows."""
    from loadtest.load import Closed, Load

    usual = QUICK if values["quick"] else FULL
    processes = 1 if values["processes"] is None else values["processes"]
    return Load(
        Closed(max(1, processes)),
        seconds=usual.seconds if values["seconds"] is None else values["seconds"],
        warm_up=usual.warm_up if values["warm_up"] is None else values["warm_up"],
        processes=processes,
    )


def _parts(option: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not 1 <= len(parts) <= _MOST_POINTS:
        raise InputError(
            f"{option} {text!r} names {len(parts)} values, expected 1 to {_MOST_POINTS}, separated "
            "by commas"
        )
    return parts
