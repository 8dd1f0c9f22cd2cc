"""A request on its connection: answers in one step, pauses, and what is left of it afterwards."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from service.cycle import CLOSE, Cycle, Header
from service.protocol import BoundedProtocol
from tests.service.client import png
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.test_connections import ALIVE, ask, classify

LENGTH: Header = (b"content-length", b"2")


class Timer:
    """A fake that stays in the clock's list when it is cancelled."""

    def cancel(self) -> None:
        """It may ring all the same."""


class HeldClock:
    """A fake of a loop, whose time is set and whose timers are called by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[..., None], *arguments: Any) -> object:
        self.timers.append((self.now + seconds, partial(callback, *arguments)))
        return Timer()

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> "NeverRun":
        coroutine.close()
        return NeverRun()

    def ring(self) -> None:
        """Go to when the only timer is due, and call it."""
        ((self.now, callback),) = self.timers
        self.timers.clear()
        callback()


class NeverRun:
    """A fake of a task."""

    def add_done_callback(self, callback: Callable[..., None]) -> None:
        """It never comes to that."""


class Written:
    """A fake of a transport, which keeps what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """There is nothing to read."""

    def abort(self) -> None:
        self.closed = True


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that is never called."""


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def connection(clock: HeldClock) -> BoundedProtocol:
    config = uvicorn.Config(nothing, lifespan="off", log_config=None, timeout_keep_alive=75)
    loop = cast(asyncio.AbstractEventLoop, clock)
    made = BoundedProtocol(config, ServerState(), {}, loop)
    made.transport = cast(asyncio.Transport, Written())
    made.flow = FlowControl(made.transport)
    return made


def cycle(connection: BoundedProtocol, method: str = "POST", *, keep_alive: bool = True) -> Cycle:
    scope: Any = {"type": "http", "method": method}
    return Cycle(
        connection, scope, default_headers=[], expect_100_continue=False, keep_alive=keep_alive
    )


def written(connection: BoundedProtocol) -> bytes:
    return cast(Written, connection.transport).data


def test_every_pause_has_its_whole_time_though_there_is_one_timer(
    connection: BoundedProtocol, clock: HeldClock
) -> None:
    for clock.now in (0.0, 20.0, 50.0):
        assert cycle(connection).answer(200, [LENGTH], b"{}")
    assert [due for due, _ in clock.timers] == [75.0]

    clock.ring()
    assert not connection.transport.is_closing()
    assert [due for due, _ in clock.timers] == [125.0]
    clock.ring()
    assert connection.transport.is_closing()


def test_pause_that_has_ended_closes_nothing(connection: BoundedProtocol, clock: HeldClock) -> None:
    assert cycle(connection).answer(200, [LENGTH], b"{}")
    clock.now = 74.0
    connection.data_received(b"POST /v1/classify HT")  # which has the time of a head
    ((_, pause), _) = clock.timers
    clock.now = 75.0
    pause()
    assert not connection.transport.is_closing()
    assert len(clock.timers) == 2


def test_connection_that_is_lost_ends_the_request_that_is_answered(
    connection: BoundedProtocol,
) -> None:
    connection.data_received(classify(png()) + ALIVE)
    first, (waiting, _) = connection._answering, connection.pipeline[0]
    assert first is not None
    connection.connection_lost(ConnectionResetError())
    assert first.disconnected
    assert not waiting.response_started


def test_pause_does_not_go_on_during_the_request_after_it(
    connection: BoundedProtocol, clock: HeldClock
) -> None:
    """The end of a body that was answered before, and the next request with it."""
    early = classify(bytes(10))
    connection.data_received(early[:-5])
    assert cast(Cycle, connection.cycle).answer(413, [LENGTH], b"{}")
    clock.timers.clear()
    connection.data_received(early[-5:] + classify(png()))
    assert not connection.cycle.response_complete
    clock.ring()
    assert clock.now == 75.0
    assert not connection.transport.is_closing()
    assert clock.timers == []


def test_body_that_was_refused_is_not_kept(connection: BoundedProtocol) -> None:
    connection.data_received(classify(bytes(1000)))
    assert connection.cycle.body
    assert cast(Cycle, connection.cycle).answer(413, [LENGTH], b"{}")
    assert not connection.cycle.body


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_header_with_a_line_end_is_not_written(connection: BoundedProtocol, end: bytes) -> None:
    with pytest.raises(ValueError, match="has a line end"):
        cycle(connection).answer(200, [LENGTH, (b"x-request-id", b"a" + end + b"b: c")], b"{}")
    assert written(connection) == b""


def test_answer_of_a_connection_that_ends_says_so_once(connection: BoundedProtocol) -> None:
    assert cycle(connection, keep_alive=False).answer(200, [LENGTH], b"{}")
    assert written(connection).count(b"connection: close\r\n") == 1
    assert connection.transport.is_closing()


def test_header_that_ends_the_connection_does(connection: BoundedProtocol) -> None:
    assert cycle(connection).answer(503, [LENGTH, CLOSE], b"{}")
    assert written(connection).count(b"connection: close\r\n") == 1
    assert written(connection).endswith(b"\r\n\r\n{}")
    assert connection.transport.is_closing()


def test_answer_waits_for_a_client_that_does_not_read(connection: BoundedProtocol) -> None:
    connection.flow.pause_writing()
    assert not cycle(connection).answer(200, [LENGTH], b"{}")
    assert not cycle(connection, "HEAD").answer(200, [LENGTH], b"{}")
    assert written(connection) == b""


@pytest.fixture
def service() -> Iterator[LocalService]:
    running = LocalService(FakeEngine(), None)
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(classify(png()), 200, id="good"),
        pytest.param(classify(png()[:100]), 422, id="broken"),
        pytest.param(classify(b"no picture"), 415, id="no-picture"),
        pytest.param(classify(png(), b"X-Request-Timeout: 0.000001"), 504, id="late"),
    ],
)
def test_request_leaves_nothing_for_the_collector(
    service: LocalService, request_: bytes, status: int
) -> None:
    """Where its parts held each other, bodies would stay until the collector comes."""
    requests = 100
    with service.connect() as connection:
        assert ask(connection, request_) == status
        gc.collect()
        gc.disable()
        try:
            for _ in range(requests):
                assert ask(connection, request_) == status
            assert gc.collect() < requests
        finally:
            gc.enable()
