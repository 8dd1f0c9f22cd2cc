"""One HTTP request on its way through the front: its id, its stage times and how it ended."""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from starlette.requests import Request

from service.cycle import Cycle
from service.errors import BadRequestError
from service.metrics import UNKNOWN
from service.traceparent import Trace

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_SECONDS = re.compile(rb"\d{1,9}(\.\d{0,9})?|\.\d{1,9}")
_PROCESS = secrets.token_hex(8)
_NUMBERS = count()


def request_id(received: bytes | None) -> str:
    """The client's id where it is short and printable, else a fresh one: random for this process,
    then counted."""
    if received and _REQUEST_ID.fullmatch(received):
        return received.decode()
    return f"{_PROCESS}{next(_NUMBERS):08x}"


def timeout(received: bytes, longest: float) -> float:
    """Seconds from the header `X-Request-Timeout`; raises BadRequestError for anything else."""
    if _SECONDS.fullmatch(received) and 0 < float(received) <= longest:
        return float(received)
    told = received[:40].decode("latin-1")
    raise BadRequestError(
        f"X-Request-Timeout is {told!r}, expected seconds above 0 and up to {longest:g}"
    )


@dataclass(slots=True)
class Ending:
    """How the request ended for one model, with the stages that belong to that model alone, and
    for traces when some of them began (readings of `time.perf_counter`, 0 where nobody told) and
    how many images the engine had at once."""

    model: str
    outcome: str
    stages: dict[str, float]
    resizing: float = 0.0
    arrived: float = 0.0
    responding: float = 0.0
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Preparing:
    """Pictures being decoded and resized: from when to when, as `time.perf_counter` reads it."""

    images: int = 1
    started: float = 0.0
    ended: float = 0.0


class Result(NamedTuple):
    """What the metrics count: one request to one model."""

    model: str
    outcome: str
    stages: dict[str, float]
    seconds: float


_NOT_PREPARING = Preparing()
_OUTCOMES = {
    0: "cancelled", 429: "rejected", 499: "cancelled", 500: "error", 503: "rejected",
    504: "expired",
}  # fmt: skip


def outcome_of(status: int) -> str:
    """The metric label of an HTTP status; 0 stands for no answer at all."""
    return _OUTCOMES.get(status, "ok" if status < 400 else "invalid")


@dataclass(slots=True)
class Exchange:
    """Filled by the routes; the entrance turns it into headers, metrics and a log line.

    `headers`: of the request, by their names in lower case. `protocol` is set for addresses of
    inference alone: others are not counted as requests. `models`: the ids asked; `endings`: how it
    went for each that was reached. `task`: what works on it; `abandoned`: the client has gone away.
    `key`: the name of the API key that let it in, where the service has such. `trace`: what it is
    called in its trace, where requests are traced; `preparing` is of use there alone. `cycle`: the
    request on its connection, while it is worked on.
    """

    id: str
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    protocol: str | None = None
    models: list[str] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    task: "asyncio.Task[Any] | None" = None
    abandoned: bool = False
    key: str | None = None
    trace: Trace | None = None
    preparing: Preparing = _NOT_PREPARING
    cycle: Cycle | None = None

    def abandon(self) -> None:
        """To be called when the client goes away while `task` works on this request."""
        self.abandoned = True
        if self.task is not None:
            self.task.cancel()

    def received(self) -> None:
        """The request is there as a whole."""
        self.stages["receive"] = time.perf_counter() - self.started

    def results(self, status: int, seconds: float) -> list["Result"]:
        """What to count for each model. A comparison is one request to each of its models: the
        shared stages and that model's own, without the time spent on the others."""
        if not self.endings:
            outcome = outcome_of(status)
            return [Result(m, outcome, self.stages, seconds) for m in self.models or [UNKNOWN]]
        results = []
        for ending in self.endings:
            stages = {**self.stages, **ending.stages}
            own = seconds if len(self.endings) == 1 else sum(stages.values())
            results.append(Result(ending.model, ending.outcome, stages, own))
        return results

    def server_timing(self) -> str:
        """W3C Server-Timing: durations in milliseconds, the stages and in the end `total`, the
        time until now; stages of one model among several carry its id as description."""
        told, several = "", len(self.endings) > 1
        for name, seconds in self.stages.items():
            told += f"{name};dur={seconds * 1e3:.3f}, "
        for ending in self.endings:
            tail = f';desc="{ending.model}", ' if several else ", "
            for name, seconds in ending.stages.items():
                told += f"{name};dur={seconds * 1e3:.3f}{tail}"
        return f"{told}total;dur={(time.perf_counter() - self.started) * 1e3:.3f}"


def exchange_of(request: Request) -> Exchange:
    """The record that the entrance made for this request."""
    exchange: Exchange = request.scope["state"]["exchange"]
    return exchange


def rounded(stages: Mapping[str, float]) -> dict[str, float]:
    """Seconds to a tenth of a microsecond: what the clock can tell."""
    return {name: round(seconds, 7) for name, seconds in stages.items()}
