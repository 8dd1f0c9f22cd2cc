"""Requests that leave at given moments, whether or not earlier ones were answered, and what became
of each: the generator of `loadtest`, with one body, and no more than HTTP to judge an answer by.

Latencies count from the moment a request was due, so that a generator that falls behind makes its
results worse instead of better.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving_load import Post
from loadtest.answers import WrongAnswerError
from loadtest.bodies import posted
from loadtest.generator import Generator
from loadtest.tally import Tally
from loadtest.traffic import Crowd
from measuring.errors import InputError

CONNECTIONS = 1_000
"""The most that are open at once; a request that finds none free is not sent, and has status 0."""
FIRST = 8
"""Of them, those that are opened beforehand."""
LEAD = 0.2
"""Seconds until the first request is due."""
PATIENCE = 30.0
"""Seconds to wait for an answer."""
_STATUS = "status "


@dataclass(frozen=True, eq=False)
class Arrivals:
    """What became of each request, in the order they were due; all arrays are (N,).

    `due`, `sent` and `answered`: seconds since the start, NaN for what did not happen; `status`: of
    HTTP, 0 where there was no answer.
    """

    due: NDArray[np.float64]
    sent: NDArray[np.float64]
    answered: NDArray[np.float64]
    status: NDArray[np.int64]

    @property
    def latency(self) -> NDArray[np.float64]:
        """Seconds from when it was due."""
        return self.answered - self.due

    @property
    def lag(self) -> NDArray[np.float64]:
        """Seconds that the generator was late with sending."""
        return self.sent - self.due

    @property
    def ok(self) -> NDArray[np.bool_]:
        good: NDArray[np.bool_] = self.status == 200
        return good


def send(post: Post, due: Sequence[float] | NDArray[np.float64]) -> Arrivals:
    """Send one request at each of these moments, rising, in seconds from now.

    Raises MissingError where nobody listens, InputError for moments that do not rise.
    """
    moments = np.asarray(due, np.float64)
    if (np.diff(moments) <= 0.0).any():
        raise InputError("moments of requests: expected each to be later than the one before")
    generator = Generator(_Posted(post), connections=CONNECTIONS, first=FIRST)
    start = time.perf_counter() + LEAD
    journal = _Journal(start, moments)
    generator.run(Crowd(iter(moments.tolist()), start), journal)
    return journal.arrivals


class _Posted:
    """The generator's questions: one, to which 200 is a right answer."""

    timeout = PATIENCE

    def __init__(self, post: Post) -> None:
        address = urlsplit(post.url)
        self.address = address.hostname or "", address.port or 80
        headers = {"Host": address.netloc, **post.headers}
        self.messages = (posted(post.path, headers, post.body),)

    def check(self, number: int, status: int, headers: Mapping[bytes, bytes], data: bytes) -> None:  # noqa: ARG002
        """Raises WrongAnswerError for any other status."""
        if status != 200:
            raise WrongAnswerError(f"{_STATUS}{status}", "")


class _Journal(Tally):
    """Counts nothing, and keeps every request."""

    def __init__(self, start: float, due: NDArray[np.float64]) -> None:
        super().__init__(start, np.inf)
        nothing = np.full(len(due), np.nan)
        self.arrivals = Arrivals(due, nothing, nothing.copy(), np.zeros(len(due), np.int64))
        self._index = {moment: index for index, moment in enumerate((start + due).tolist())}

    def drop(self, due: float) -> None:
        """Left as it is."""

    def send(self, due: float, sent: float) -> None:
        self.arrivals.sent[self._index[due]] = sent - self.begin

    def right(self, due: float, sent: float, now: float, stages: Mapping[str, float]) -> None:  # noqa: ARG002
        self._answer(due, now, 200)

    def wrong(self, due: float, kind: str, example: str) -> None:  # noqa: ARG002
        if kind.startswith(_STATUS):
            self._answer(due, time.perf_counter(), int(kind.removeprefix(_STATUS)))

    def _answer(self, due: float, now: float, status: int) -> None:
        index = self._index[due]
        self.arrivals.answered[index] = now - self.begin
        self.arrivals.status[index] = status
