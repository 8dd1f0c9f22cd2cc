"""A target made ready: the bytes of its requests, and what right answers to them are."""

import math
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from statistics import median

from loadtest.answers import Answer, WrongAnswerError, read_answer, require_same, tell_apart
from loadtest.bodies import Body, bodies, message, path
from loadtest.interrupts import require_none
from loadtest.service import Client, Model, Reply, read_model, read_models
from loadtest.target import Target
from measuring.errors import CheckError, InputError, MissingError, StrideError

HEADER_LENGTH = "inference-header-content-length"
_POWERLESS = "all bodies get the same answer, so that comparing answers proves little"


@dataclass(frozen=True, eq=False)
class Prepared:
    """`messages`: whole HTTP requests, each another body; `references`: right answers to them;
    `seconds`: what a first answer took. `notes`: what a reader should know of the bodies."""

    target: Target
    model: Model
    messages: tuple[bytes, ...]
    references: tuple[Answer, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def address(self) -> tuple[str, int]:
        return self.target.address

    @property
    def timeout(self) -> float:
        return self.target.timeout

    def check(self, number: int, status: int, headers: Mapping[bytes, bytes], data: bytes) -> None:
        """Raises WrongAnswerError unless it is a right answer to the message of this number."""
        if status != 200:
            raise WrongAnswerError(f"status {status}", data[:500].decode("utf-8", "replace"))
        right = self.references[number]
        if data == right.data:
            return
        length = headers.get(HEADER_LENGTH.encode(), b"")
        answer = read_answer(
            self.target, self.model, data, int(length) if length.isdigit() else None
        )
        require_same(answer, right)

    def connections(self, rate: float, most: int) -> int:
        """How many to open before an open load of this rate: three times as many as are busy on
        average while the service answers as at first, and a few."""
        return min(most, 4 + math.ceil(3.0 * rate * self.seconds), 256)


def prepare(target: Target, *, seed: int = 0) -> Prepared:
    """Ask the service about the model, make the bodies, and let each be answered once: the first
    answers are the references.

    Raises MissingError where nobody answers or the service has no room, InputError for a model
    that is not loaded or a body that is refused, CheckError for a first answer that is not right.
    """
    model = _model(target)
    made, notes = bodies(target, model, seed=seed)
    first, taken = [], []
    with closing(Client(target.url, api_key=target.api_key, timeout=target.timeout)) as client:
        for body in made:
            require_none()
            started = time.perf_counter()
            first.append(_first_answer(client, target, model, body))
            taken.append(time.perf_counter() - started)
    if not model.is_floor and not tell_apart(first):
        notes = (*notes, _POWERLESS)
    return Prepared(
        target=target,
        model=model,
        messages=tuple(message(target, body) for body in made),
        references=tuple(first),
        seconds=median(taken),
        notes=notes,
    )


def _model(target: Target) -> Model:
    """Of a comparison the first one, after seeing that all are there."""
    if target.protocol != "compare":
        return read_model(target.url, target.model, api_key=target.api_key, timeout=target.timeout)
    models = read_models(target.url, api_key=target.api_key, timeout=target.timeout)
    known = {name: model for model in models for name in (model.id, *model.aliases)}
    names = target.model.split(",")
    if missing := [name for name in names if name not in known]:
        raise InputError(
            f"model {missing[0]!r} is not to be had at {target.url}; loaded: {', '.join(known)}"
        )
    return known[names[0]]


def _first_answer(client: Client, target: Target, model: Model, body: Body) -> Answer:
    headers = {**body.head, **dict(target.headers)}
    reply = client.ask(path(target).removeprefix(target.base), body.data, headers)
    if reply.status != 200:
        raise _refused(target, reply)
    length = reply.headers.get(HEADER_LENGTH, "")
    try:
        answer = read_answer(target, model, reply.data, int(length) if length.isdecimal() else None)
    except WrongAnswerError as error:
        raise CheckError(
            f"{target.model} at {target.url} gives no right answer: {error.kind}: {error}"
        ) from error
    if target.protocol == "v1" and answer.predictions[0][0] != model.id:
        raise CheckError(
            f"{target.model} at {target.url}: {answer.predictions[0][0]} answered, expected "
            f"{model.id}, as /v1/models says"
        )
    return answer


def _refused(target: Target, reply: Reply) -> StrideError:
    told = f"{target.model} at {target.url} answered {reply.status} to a first request: "
    if reply.status in (429, 503, 504):
        return MissingError(told + reply.error)
    return (CheckError if reply.status >= 500 else InputError)(told + reply.error)
