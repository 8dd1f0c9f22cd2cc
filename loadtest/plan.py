"""What a load test is made of: each model, batch size and load that was asked for, one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from loadtest.goodput import LONGEST, SPARE
from loadtest.load import Closed, Load, Open
from loadtest.search import Effort
from loadtest.service import Model, floor_of
from loadtest.slo import Slo
from loadtest.target import BodyKind, Protocol, Target
from measuring.errors import InputError

_USUAL_PROBES = 9
_AROUND = 0.8  # seconds: bodies, first answers, the service's account


@dataclass(frozen=True)
class Asked:
    """Every model with every batch size under every traffic. `models`: ids or aliases, none: all
    that are loaded; `search`: look for the highest rate that keeps `slo` instead of `traffics`;
    `load`: how long and from how many processes. `extend`: as long as the SLO needs, where its rate
    tells how long that is.

    Raises InputError for what does not go together.
    """

    traffics: tuple[Closed | Open, ...]
    load: Load
    models: tuple[str, ...] = ()
    batches: tuple[int, ...] = (1,)
    body: BodyKind = "pixels"
    slo: Slo | None = None
    search: Effort | None = None
    extend: bool = True

    def __post_init__(self) -> None:
        if self.search is not None and self.slo is None:
            raise InputError(
                "a search needs an SLO that is to be kept, such as p99=20ms,errors=0.1%"
            )
        if self.search is not None and not self.slo_of_search.bounds:
            raise InputError(
                "a search needs a bound on a percentile or on errors; throughput is what it finds"
            )

    @property
    def slo_of_search(self) -> Slo:
        """What each rate has to keep."""
        return (self.slo or Slo(())).without_throughput()

    @property
    def protocol(self) -> Protocol:
        """Single encoded pictures are what /v1 is for."""
        return "v1" if self.body != "pixels" and self.batches == (1,) else "v2"


@dataclass(frozen=True)
class Measure:
    """One point."""

    target: Target
    model: Model
    load: Load
    slo: Slo | None = None

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        return _seconds(self.load)


@dataclass(frozen=True)
class Seek:
    """One search; `slo` with the throughput it is to reach."""

    target: Target
    model: Model
    load: Load
    slo: Slo
    effort: Effort

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        return _USUAL_PROBES * _seconds(self.load)


def _seconds(load: Load) -> float:
    return load.warm_up + load.seconds + _AROUND


Step = Measure | Seek


def steps(asked: Sequence[Asked], models: Sequence[Model], where: Target) -> tuple[Step, ...]:
    """In their order. `models`: all that are loaded; `where`: address, key and time-out.

    Models are next to each other in time, so that what the machine does besides falls on all
    alike. The floor of a model, where the service has one, is measured before it.
    Raises InputError, with what is loaded, for a model that is not.
    """
    return tuple(dict.fromkeys(step for each in asked for step in _steps(each, models, where)))


def _steps(asked: Asked, models: Sequence[Model], where: Target) -> Iterator[Step]:
    chosen = _with_floors(_chosen(asked, models), models)
    traffics = asked.traffics if asked.search is None else (Open(1.0),)
    for traffic in traffics:
        for batch in asked.batches:
            for name, model, subject in chosen:
                target = replace(
                    where, model=name, protocol=asked.protocol, body=asked.body, batch=batch
                )
                load = _load(asked, traffic)
                slo = asked.slo if subject else None
                if asked.search is None:
                    yield Measure(target, model, load, slo)
                elif subject and asked.slo is not None:
                    yield Seek(target, model, load, asked.slo, asked.search)


def _chosen(asked: Asked, models: Sequence[Model]) -> list[tuple[str, Model]]:
    if not asked.models:
        return [(model.id, model) for model in models]
    by_name = {name: model for model in models for name in (model.id, *model.aliases)}
    if unknown := [name for name in asked.models if name not in by_name]:
        loaded = ", ".join(
            model.id + (f" ({', '.join(model.aliases)})" if model.aliases else "")
            for model in models
        )
        raise InputError(
            f"model {', '.join(map(repr, unknown))} is not loaded; this service has "
            f"{loaded or 'none'}"
        )
    return [(name, by_name[name]) for name in asked.models]


def _with_floors(
    chosen: Sequence[tuple[str, Model]], models: Sequence[Model]
) -> list[tuple[str, Model, bool]]:
    """Each with whether it is what was asked about, not only beside it. A null model answers any
    SLO's question about the service alone, so it has to keep none unless there is nothing else."""
    subjects = [(name, model) for name, model in chosen if not model.is_floor]
    if not subjects:
        return [(name, model, True) for name, model in chosen]
    floors = [floor for _, model in subjects if (floor := floor_of(models, model)) is not None]
    named = {model.id: name for name, model in chosen}
    first = dict.fromkeys([*floors, *(model for _, model in chosen if model.is_floor)])
    return [
        *((named.get(floor.id, floor.id), floor, False) for floor in first),
        *((name, model, True) for name, model in subjects),
    ]


def _load(asked: Asked, traffic: Closed | Open) -> Load:
    processes, seconds = asked.load.processes, asked.load.seconds
    if isinstance(traffic, Closed):
        processes = min(processes, traffic.connections)
    elif asked.extend and asked.slo is not None and asked.search is None:
        seconds = max(seconds, min(LONGEST, SPARE * asked.slo.needed / traffic.rate))
    if isinstance(traffic, Open) and traffic.arrivals == "loadgen" and asked.slo is not None:
        traffic = replace(traffic, latency_bound=asked.slo.p99 or traffic.latency_bound)
    return replace(asked.load, traffic=traffic, processes=processes, seconds=seconds)
