"""Every picture to every network over HTTP, from several clients at once, and what came back.

Closed loop: a client sends its next picture as soon as it has an answer. The networks take turns in
blocks, in an order drawn anew for each block, so that a machine that drifts is fair to all of them.
"""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import numpy as np
import urllib3
from numpy.typing import NDArray

from demo.pictures import Picture
from measuring.errors import CheckError, InputError

BLOCKS = 10
LONGEST = 900.0  # seconds for all of it
_TIMEOUT = urllib3.Timeout(connect=5.0, read=40.0)
_WARMUP = 2  # pictures per client and network, not counted


@dataclass(frozen=True)
class Answer:
    """One request: `failure` says why it is not what was asked for, and is None when it is."""

    seconds: float
    label: str | None
    failure: str | None


@dataclass
class Tally:
    """What one model answered; grows while the traffic runs. `busy`: seconds of its turns."""

    model: str
    seconds: list[float] = field(default_factory=list)
    correct: int = 0
    labelled: int = 0
    failures: list[str] = field(default_factory=list)
    busy: float = 0.0

    @property
    def latencies(self) -> NDArray[np.float64]:
        """Seconds of each good answer, as the client saw them."""
        return np.array(self.seconds, np.float64)

    @property
    def top1(self) -> float | None:
        """The share of right answers among pictures that have a label; a failure is not right."""
        return self.correct / self.labelled if self.labelled else None

    @property
    def throughput(self) -> float:
        """Good answers per second."""
        return len(self.seconds) / self.busy if self.busy else 0.0

    def add(self, picture: Picture, answer: Answer) -> None:
        """Count one answer."""
        self.labelled += picture.label is not None
        if answer.failure is not None:
            self.failures.append(answer.failure)
            return
        self.seconds.append(answer.seconds)
        self.correct += answer.label == picture.label


def classify_all(
    url: str,
    models: Sequence[str],
    pictures: Sequence[Picture],
    *,
    concurrency: int,
    report: Callable[[int], object],
) -> tuple[Tally, ...]:
    """A tally per model, in the order of `models`. `report` is told how many answers came.

    Raises InputError for nothing to send and CheckError if it takes longer than LONGEST.
    """
    if not models or not pictures or concurrency < 1:
        raise InputError(
            f"{len(pictures)} pictures for {len(models)} models by {concurrency} clients: "
            "expected at least one of each"
        )
    tallies = tuple(Tally(model) for model in models)
    generator = np.random.Generator(np.random.PCG64(0))
    mixed = [pictures[index] for index in generator.permutation(len(pictures))]
    deadline = time.monotonic() + LONGEST
    with _connections(url, concurrency) as pool, ThreadPoolExecutor(concurrency) as clients:
        turn = _Turn(pool, clients)
        for tally in tallies:
            turn.take(Tally(tally.model), (mixed * _WARMUP * concurrency)[: _WARMUP * concurrency])
        for block in range(BLOCKS):
            share = mixed[block::BLOCKS]
            for index in generator.permutation(len(tallies)):
                _check_time(deadline)
                turn.take(tallies[index], share)
                report(len(share))
    return tallies


@dataclass(frozen=True)
class _Turn:
    """The clients and their connections."""

    pool: urllib3.HTTPConnectionPool
    clients: ThreadPoolExecutor

    def take(self, tally: Tally, pictures: Sequence[Picture]) -> None:
        """All pictures to one model; returns when the last answer is there."""
        path = f"/v1/classify?{urlencode({'model': tally.model, 'k': 1})}"
        started = time.perf_counter()
        answers = list(
            self.clients.map(lambda picture: ask(self.pool, path, tally.model, picture), pictures)
        )
        tally.busy += time.perf_counter() - started
        for picture, answer in zip(pictures, answers, strict=True):
            tally.add(picture, answer)


def ask(pool: urllib3.HTTPConnectionPool, path: str, model: str, picture: Picture) -> Answer:
    """One picture. The clock stops when the whole answer is there, before it is read."""
    started = time.perf_counter()
    try:
        response = pool.request("POST", path, body=picture.data)
    except urllib3.exceptions.HTTPError as error:
        return Answer(time.perf_counter() - started, None, f"no answer: {error}")
    seconds = time.perf_counter() - started
    label, failure = _read(response, model)
    return Answer(seconds, label, failure)


def _read(response: urllib3.BaseHTTPResponse, model: str) -> tuple[str | None, str | None]:
    """The likeliest label, or why there is none."""
    try:
        body = json.loads(response.data)
        if response.status != 200:
            return None, f"HTTP {response.status}: {body['error']}"
        answered, label = body["model"], body["predictions"][0]["label"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None, f"HTTP {response.status} with {response.data[:60]!r}"
    if answered != model:
        return None, f"asked {model}, answered by {answered}"
    return label, None


def _connections(url: str, concurrency: int) -> urllib3.HTTPConnectionPool:
    """Kept alive, one per client."""
    parts = urlsplit(url)
    if parts.hostname is None:
        raise InputError(f"{url!r} is no address of a service, expected http://HOST:PORT")
    return urllib3.HTTPConnectionPool(
        parts.hostname,
        parts.port,
        maxsize=concurrency,
        block=True,
        retries=False,
        timeout=_TIMEOUT,
    )


def _check_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise CheckError(
            f"the traffic took more than {LONGEST:g} s; "
            "try a lower --concurrency, or see the service's log"
        )
