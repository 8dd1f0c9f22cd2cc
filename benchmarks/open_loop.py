"""Open-loop load: requests leave when they are due, whether or not earlier ones were answered.

Latencies count from the moment a request was due, so that a generator that falls behind makes its
results worse instead of better. A thread keeps the time, since the timers of event loops have a
grain of a millisecond; the event loop sends and receives. Small on purpose: one host, one body.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools
import numpy as np
from numpy.typing import NDArray

from benchmarks.serving_load import Post
from measuring.errors import MissingError

CONNECTIONS = 1_000
"""The most that are open at once; a request that finds none free is not sent, and has status 0."""
LEAD = 0.2
"""Seconds until the first request is due."""
PATIENCE = 30.0
"""Seconds to wait for answers after the last request."""


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

    Raises MissingError where nobody listens.
    """
    return asyncio.run(_Generator(post, np.asarray(due, np.float64)).run())


class _Generator:
    """The connections of one run, those without a request on the way first."""

    def __init__(self, post: Post, due: NDArray[np.float64]) -> None:
        address = urlsplit(post.url)
        self.host, self.port = address.hostname or "", address.port or 80
        self.message = _message(post, address.netloc)
        self._due = due
        self._sent, self._answered = np.full(len(due), np.nan), np.full(len(due), np.nan)
        self._status = np.zeros(len(due), np.int64)
        self._free: list[_Connection] = []
        self._open = 0
        self._unanswered = len(due)
        self._start = 0.0

    async def run(self) -> Arrivals:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        await self._connect_first()
        self._start = time.perf_counter() + LEAD
        clock = threading.Thread(target=self._keep_time, daemon=True)
        clock.start()
        try:
            async with asyncio.timeout(float(self._due[-1]) + LEAD + PATIENCE):
                await self._done.wait()
        except TimeoutError:
            pass  # what is missing has status 0
        for connection in self._free:
            connection.transport.close()
        return Arrivals(self._due, self._sent, self._answered, self._status)

    async def _connect_first(self) -> None:
        self._open = 1
        try:
            await self._loop.create_connection(lambda: _Connection(self), self.host, self.port)
        except OSError as error:
            raise MissingError(f"nobody listens at {self.host}:{self.port}: {error}") from error

    def _keep_time(self) -> None:
        for index, due in enumerate(self._due.tolist()):
            left = self._start + due - time.perf_counter()
            if left > 0:
                time.sleep(left)
            self._loop.call_soon_threadsafe(self._send, index)

    def _send(self, index: int) -> None:
        if self._free:
            self._free.pop().send(index)
        elif self._open < CONNECTIONS:
            self._loop.create_task(self._send_on_new(index))
        else:
            self._end()

    async def _send_on_new(self, index: int) -> None:
        self._open += 1
        try:
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self, joins=False), self.host, self.port
            )
        except OSError:
            self._open -= 1
            self._end()
            return
        connection.send(index)

    def sent(self, index: int) -> None:
        self._sent[index] = time.perf_counter() - self._start

    def answered(self, index: int, status: int) -> None:
        self._answered[index] = time.perf_counter() - self._start
        self._status[index] = status
        self._end()

    def joined(self, connection: "_Connection") -> None:
        self._free.append(connection)

    def lost(self, connection: "_Connection", index: int | None) -> None:
        self._open -= 1
        if connection in self._free:
            self._free.remove(connection)
        if index is not None:
            self._end()

    def _end(self) -> None:
        self._unanswered -= 1
        if self._unanswered == 0:
            self._done.set()


class _Connection(asyncio.Protocol):
    """One request at a time; free again when its answer is complete."""

    transport: asyncio.Transport

    def __init__(self, generator: _Generator, *, joins: bool = True) -> None:
        self._generator = generator
        self._joins = joins
        self._index: int | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        if self._joins:
            self._generator.joined(self)

    def send(self, index: int) -> None:
        self._index = index
        self.transport.write(self._generator.message)
        self._generator.sent(index)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """httptools calls this at the end of an answer."""
        index, self._index = self._index, None
        if index is not None:
            self._generator.answered(index, self._parser.get_status_code())
        if self._parser.should_keep_alive():
            self._parser = httptools.HttpResponseParser(self)
            self._generator.joined(self)
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  asyncio's
        self._generator.lost(self, self._index)


def _message(post: Post, host: str) -> bytes:
    headers = {"Host": host, "Content-Length": str(len(post.body)), **post.headers}
    lines = [f"POST {post.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + post.body
