"""What users of locust ask: bodies made and right answers known before the first of them starts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner

from loadtest.answers import Answer, WrongAnswerError, read_answer, require_same
from loadtest.bodies import parted
from loadtest.locust_options import PICTURES, Options, read_options
from loadtest.prepared import prepare
from loadtest.service import Model, read_model, read_models
from loadtest.target import Target
from measuring.errors import InputError, StrideError

logger = logging.getLogger(__name__)
HOST = "http://127.0.0.1:8000"
"""The service where nothing else is asked for: where `stride serve` listens."""
TIMEOUT = 60.0


@dataclass(frozen=True, eq=False)
class Ask:
    """One kind of request, its bodies and the right answers to them. `name` is its row in the
    statistics; what the service says of its stages is in rows of its `group`."""

    name: str
    group: str
    path: str
    headers: dict[str, str]
    target: Target
    model: Model
    bodies: tuple[bytes, ...]
    right: tuple[Answer, ...]

    def wrong(self, index: int, data: bytes, header_length: int | None) -> WrongAnswerError | None:
        """What is wrong with an answer to the body `index`, if anything is."""
        try:
            answer = read_answer(self.target, self.model, data, header_length)
            require_same(answer, self.right[index])
        except WrongAnswerError as error:
            return error
        return None


@dataclass(frozen=True)
class Traffic:
    """`asks`: what the users of each kind ask; `problem`: why they cannot ask anything."""

    asks: dict[str, tuple[Ask, ...]] = field(default_factory=dict)
    problem: str = ""


_traffic: dict[int, Traffic] = {}
"""Of the one environment of this process, by its identity: users find it when they start."""


def traffic_of(environment: Environment) -> Traffic:
    """What was prepared when the run started."""
    return _traffic.get(id(environment), Traffic(problem="nothing was prepared for this run"))


def check_service(environment: Environment) -> None:
    """Before a run, in the process that leads it: options, address and models. Where it asks
    itself, everything is prepared too.

    Raises InputError, MissingError or CheckError for what would fail in the same way all along.
    """
    options = read_options(environment.parsed_options)
    targets = _targets(environment, options)
    if not isinstance(environment.runner, MasterRunner):
        _traffic[id(environment)] = _prepared(targets, options)


def prepare_users(environment: Environment, **_: Any) -> None:
    """When a run starts, in a worker. What goes wrong is what its users will report."""
    if isinstance(environment.runner, MasterRunner) or id(environment) in _traffic:
        return
    try:
        options = read_options(environment.parsed_options)
        _traffic[id(environment)] = _prepared(_targets(environment, options), options)
    except StrideError as error:
        logger.error(str(error))
        _traffic[id(environment)] = Traffic(problem=str(error))


def forget(environment: Environment, **_: Any) -> None:
    """When a run is over: the next one may be about another model."""
    _traffic.pop(id(environment), None)


def _targets(environment: Environment, options: Options) -> dict[str, list[tuple[str, Target]]]:
    """By kind of user, with the name of the row."""
    url = (environment.host or HOST).rstrip("/")
    Target(url, options.model)  # refuses what is no address
    model = _model(url, options)

    def target(**named: Any) -> Target:
        return Target(
            url, **{"model": model, "timeout": TIMEOUT, "api_key": options.api_key, **named}
        )

    def of_pictures(verb: str, **named: Any) -> list[tuple[str, Target]]:
        kinds = [(f"{verb} {name}", *PICTURES[name]) for name in options.pictures]
        return [(name, target(body=body, side=side, **named)) for name, body, side in kinds]

    def compared() -> list[tuple[str, Target]]:
        models = options.compare_models or ",".join(
            each.id for each in read_models(url, api_key=options.api_key)
        )
        return of_pictures("compare", protocol="compare", model=models)

    every: dict[str, Callable[[], list[tuple[str, Target]]]] = {
        "pictures": lambda: of_pictures("classify", protocol="v1"),
        "pixels": lambda: [(f"infer x{n}", target(batch=n)) for n in options.batch_sizes],
        "compare": compared,
    }
    return {kind: every[kind]() for kind in options.mix}


def _model(url: str, options: Options) -> str:
    if options.model:
        return read_model(url, options.model, api_key=options.api_key).id
    loaded = [model.id for model in read_models(url, api_key=options.api_key)]
    if len(loaded) != 1:
        raise InputError(
            f"{url} has {len(loaded)} models, so one has to be named: --model "
            f"{' or '.join(loaded) or 'ID, once one is loaded'}"
        )
    return loaded[0]


def _prepared(targets: dict[str, list[tuple[str, Target]]], options: Options) -> Traffic:
    asks = {
        kind: tuple(_ask(name, target, options.bodies) for name, target in of_kind)
        for kind, of_kind in targets.items()
    }
    names = [ask.name for of_kind in asks.values() for ask in of_kind]
    logger.info("bodies and right answers are known of %s", ", ".join(names))
    return Traffic(asks)


def _ask(name: str, target: Target, count: int) -> Ask:
    prepared = prepare(target)
    for note in prepared.notes:
        logger.warning("%s: %s", name, note)
    requests = [parted(message) for message in prepared.messages[:count]]
    path, headers, _ = requests[0]
    return Ask(
        name=name,
        group=name if target.body == "pixels" else name.partition(" ")[0],
        path=path,
        headers=headers,
        target=target,
        model=prepared.model,
        bodies=tuple(body for _, _, body in requests),
        right=tuple(prepared.references[:count]),
    )
