"""Sends requests when they are due and judges what comes back: one process, one thread, no event
loop, since those look at their timers once a millisecond."""

import math
import selectors
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from loadtest.answers import WrongAnswerError
from loadtest.connection import Address, Connection, State
from loadtest.server_timing import stages
from loadtest.tally import Tally
from loadtest.traffic import Due, Traffic
from loadtest.waiting import exact_timers, wait
from measuring.errors import MissingError

_TIMING = b"server-timing"
_LONGEST_WAIT = 0.25
"""Seconds after which time-outs are looked for at the latest."""
_STALE = 1.0
"""Seconds of idleness after which a service may have closed a connection at the very moment that a
request was written to it; that request is sent once more."""
_BUFFER = 1 << 18
_GLIMPSE = 0.05
"""Seconds, too few to say of which share of a core was used."""


class Questions(Protocol):
    """What is asked, and what is a right answer to it."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds to wait for an answer."""
        ...

    @property
    def messages(self) -> Sequence[bytes]:
        """Whole HTTP requests."""
        ...

    def check(self, number: int, status: int, headers: Mapping[bytes, bytes], data: bytes) -> None:
        """Raises WrongAnswerError unless it is a right answer to the message of this number;
        `headers`: those that `loadtest.connection` keeps."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One on its way; `number` of its body; `sent` is NaN while its connection opens."""

    number: int
    due: Due
    sent: float
    again: bool = False


class Generator:
    """Asks the questions of a load with at most `connections` at once, of which `first` are opened
    at once. Raises MissingError where nobody listens."""

    def __init__(self, questions: Questions, *, connections: int, first: int) -> None:
        self._questions, self._most = questions, connections
        self._traffic: Traffic
        self._tally: Tally
        self._selector = selectors.DefaultSelector()
        self._address = find_address(*questions.address)
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._under_way: OrderedDict[Connection, float] = OrderedDict()
        self._buffer = memoryview(bytearray(_BUFFER))
        self._running = False
        self._open_first(first)

    def run(self, traffic: Traffic, tally: Tally) -> None:
        """Until nothing is due any more and everything sent is answered or given up; everything
        that happens is counted in `tally`."""
        self._traffic, self._tally, self._running = traffic, tally, True
        with exact_timers():
            self._run()
        self.close()

    def _run(self) -> None:
        used, began = first = time.thread_time(), time.perf_counter()
        while True:
            self._send_due()
            now = time.perf_counter()
            if began < self._tally.begin <= now:
                used, began = time.thread_time(), now
            if self._traffic.over(now):
                if not self._tally.cpu:
                    if now - began < _GLIMPSE:  # nothing was due in the measured time
                        used, began = first
                    self._tally.cpu = [(time.thread_time() - used) / max(now - began, 1e-9)]
                if not self._under_way:
                    return
            self._turn(min(self._traffic.next_due(), now + _LONGEST_WAIT))

    def wake_on(self, file: socket.socket) -> None:
        """Look again at what is due whenever this can be read."""
        self._selector.register(file, selectors.EVENT_READ, None)

    def close(self) -> None:
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        self._selector.close()

    # the loop

    def _turn(self, until: float) -> None:
        """Wait until then at most, and deal with what has come."""
        # epoll itself waits for whole milliseconds; for its own descriptor one can wait exactly
        wait(self._selector.fileno(), until)
        for key, events in self._selector.select(0):
            connection = key.data
            if connection is None:
                key.fileobj.recv(_BUFFER)  # type: ignore[union-attr]  # a socket that wakes
            elif connection.state is not State.CLOSED:
                connection.handle(events, self._buffer)
            self._send_due()
        self._give_up()

    def _send_due(self) -> None:
        while self._traffic.next_due() <= time.perf_counter():
            due = self._traffic.take()
            request = Request(due.number % len(self._questions.messages), due, math.nan)
            if self._idle:
                self._send(self._idle.pop(), request)
            elif len(self._open) < self._most:
                self._send_on_new(request)
            else:
                self._tally.drop(due.moment)
                self._traffic.answered(due, time.perf_counter(), ok=False)

    def _send(self, connection: Connection, request: Request) -> None:
        now = time.perf_counter()
        if not request.again:
            self._tally.send(request.due.moment, now)
            request = replace(request, sent=now)
        connection.job = request
        self._under_way[connection] = now + self._questions.timeout
        connection.send(self._questions.messages[request.number])

    def _send_on_new(self, request: Request) -> None:
        try:
            connection = self._connect()
        except OSError as error:
            self._fail(request, "refused", f"no connection: {error.strerror}")
            return
        connection.job = request
        self._tally.opened += self._running
        self._under_way[connection] = time.perf_counter() + self._questions.timeout

    def _give_up(self) -> None:
        """What was not answered in time."""
        now = time.perf_counter()
        while self._under_way:
            connection, until = next(iter(self._under_way.items()))
            if until > now:
                return
            connection.close()
            seconds = self._questions.timeout
            self.broken(connection, "timeout", f"no answer within {seconds:g} s")

    # connections

    def _open_first(self, count: int) -> None:
        """Raises MissingError where nobody listens."""
        for _ in range(count):
            try:
                self._connect()
            except OSError:
                break  # those that can be had must do
        until = time.perf_counter() + self._questions.timeout
        while len(self._idle) < len(self._open) and time.perf_counter() < until:
            for key, events in self._selector.select(_LONGEST_WAIT):
                key.data.handle(events, self._buffer)
        if not self._idle:
            host, port = self._questions.address
            raise MissingError(f"nobody listens at {host}:{port}; is the service running there?")

    def _connect(self) -> Connection:
        connection = Connection(self, self._selector, self._address)
        self._open.add(connection)
        return connection

    def opened(self, connection: Connection) -> None:
        """A connection is there, perhaps with a request that waits for it."""
        if isinstance(request := connection.job, Request):
            del self._under_way[connection]
            self._send(connection, request)
        else:
            self._rest(connection)

    def answered(self, connection: Connection) -> None:
        """A whole answer has come."""
        now = connection.read_at
        request = self._taken(connection)
        if connection.state is State.IDLE:
            self._rest(connection)
        else:
            self._open.discard(connection)
        if request is None:
            return
        try:
            self._questions.check(
                request.number, connection.status, connection.headers, connection.data
            )
        except WrongAnswerError as error:
            self._tally.wrong(request.due.moment, error.kind, str(error))
            self._traffic.answered(request.due, time.perf_counter(), ok=False)
        else:
            told = connection.headers.get(_TIMING)
            self._tally.right(request.due.moment, request.sent, now, stages(told) if told else {})
            self._traffic.answered(request.due, time.perf_counter(), ok=True)

    def broken(self, connection: Connection, kind: str, message: str) -> None:
        """A connection has ended before an answer was whole."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        request = self._taken(connection)
        if request is None:
            return
        if not math.isnan(request.sent):
            self._tally.lost += kind != "timeout"
            stale = request.sent - connection.idle_since > _STALE
            if kind == "reset" and connection.silent and stale and not request.again:
                self._send_on_new(replace(request, again=True))
                return
        self._fail(request, kind, message)

    def _fail(self, request: Request, kind: str, message: str) -> None:
        now = time.perf_counter()
        if math.isnan(request.sent):
            self._tally.send(request.due.moment, now)
        self._tally.wrong(request.due.moment, kind, message)
        self._traffic.answered(request.due, now, ok=False)

    def _taken(self, connection: Connection) -> Request | None:
        self._under_way.pop(connection, None)
        request, connection.job = connection.job, None
        return request if isinstance(request, Request) else None

    def _rest(self, connection: Connection) -> None:
        connection.idle_since = time.perf_counter()
        self._idle.append(connection)


def find_address(host: str, port: int) -> Address:
    """Where the name leads: of several addresses, as `localhost` has them, the first at which
    somebody listens, else the first. Raises MissingError for a name that leads nowhere."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise MissingError(f"{host!r} cannot be found: {error}; check --url") from error
    addresses = [(family, place) for family, _, _, _, place in found]
    if len(addresses) == 1:
        return addresses[0]
    return next(filter(_listens, addresses), addresses[0])


def _listens(address: Address) -> bool:
    family, place = address
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_LONGEST_WAIT)
        return probe.connect_ex(place) == 0
