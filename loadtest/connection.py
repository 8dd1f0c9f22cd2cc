"""One connection to the service, with one request under way on it at a time; never blocks."""

import errno
import math
import os
import selectors
import socket
import time
from enum import Enum, auto
from typing import Protocol

import httptools

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_HEADERS = (b"server-timing", b"inference-header-content-length")
MOST_BYTES = 256 << 20
"""Of one answer; one that is larger is cut off, and counts as unreadable."""

Address = tuple[socket.AddressFamily, tuple[object, ...]]


class State(Enum):
    """`OPENING` until the other side has accepted; `BUSY` with a request under way."""

    OPENING = auto()
    IDLE = auto()
    BUSY = auto()
    CLOSED = auto()


class Owner(Protocol):
    """Who is told what happens. `broken`: the connection has ended, with what it was told."""

    def opened(self, connection: "Connection") -> None: ...
    def answered(self, connection: "Connection") -> None: ...
    def broken(self, connection: "Connection", kind: str, message: str) -> None: ...


class Connection:
    """`job`: what the owner keeps with it while it is busy. The last answer is in `status`,
    `headers` (those of `_HEADERS` alone) and `data`; `read_at`: when its end was read; `silent`:
    nothing of it has come yet. Raises OSError where the system has no socket or port left."""

    def __init__(self, owner: Owner, selector: selectors.BaseSelector, address: Address) -> None:
        self.state = State.OPENING
        self.job: object = None
        self.silent = True
        self.idle_since, self.read_at = math.inf, 0.0
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._owner, self._selector = owner, selector
        self._parts: list[bytes] = []
        self._size = 0
        self._whole, self._kept = False, False
        self._unsent = memoryview(b"")
        self._events = WRITE
        self._parser = httptools.HttpResponseParser(self)
        family, place = address
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex(place)
        if code not in (0, errno.EINPROGRESS):  # most failures are told when it is writable
            self._socket.close()
            raise OSError(code, os.strerror(code))
        selector.register(self._socket, WRITE, self)

    @property
    def data(self) -> bytes:
        """The body of the last answer."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def send(self, message: bytes) -> None:
        """Of an idle one: as much as goes at once, the rest when there is room."""
        self.state, self.silent = State.BUSY, True
        self.status, self._size, self._whole = 0, 0, False
        self.headers, self._parts = {}, []
        self._unsent = memoryview(message)
        self._write()

    def handle(self, events: int, buffer: memoryview) -> None:
        """Called when the socket can be read or written; `buffer` for what is read."""
        if self.state is State.OPENING:
            self._finish_opening()
            return
        if events & READ:
            self._read(buffer)
        if events & WRITE and self.state is not State.CLOSED:
            self._write()

    def close(self) -> None:
        """Harmless when it is closed."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._selector.unregister(self._socket)
            self._socket.close()

    def _finish_opening(self) -> None:
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._break("refused", f"no connection: {os.strerror(code)}")
            return
        self.state = State.IDLE
        self._watch(READ)
        self._owner.opened(self)

    def _write(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            self._watch(READ | WRITE)
            return
        except OSError as error:
            self._break("reset", f"the connection ended while sending: {error}")
            return
        self._watch(READ)

    def _read(self, buffer: memoryview) -> None:
        try:
            count = self._socket.recv_into(buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._break("reset", f"the connection ended: {error}")
            return
        if count == 0 or self.state is not State.BUSY:
            self._break("reset", "the service closed the connection before its answer was whole")
            return
        self.silent, self.read_at = False, time.perf_counter()
        try:
            self._parser.feed_data(buffer[:count])
        except httptools.HttpParserError as error:
            self._break("unreadable", f"the answer is no HTTP: {error}")
        if self._size > MOST_BYTES:
            self._break("unreadable", f"an answer of more than {MOST_BYTES:,} bytes")
        elif self._whole and self.state is State.BUSY:
            self._finish()

    def _finish(self) -> None:
        if self._unsent or not self._kept:
            self.close()  # what is half sent cannot be followed by another request
        else:
            self.state = State.IDLE
            self._parser = httptools.HttpResponseParser(self)
        self._owner.answered(self)

    def _watch(self, events: int) -> None:
        if events != self._events:
            self._selector.modify(self._socket, events, self)
            self._events = events

    def _break(self, kind: str, message: str) -> None:
        if self.state is not State.CLOSED:
            before = self.state
            self.close()
            if before is not State.IDLE:
                self._owner.broken(self, kind, message)
            else:
                self._owner.broken(self, "idle", message)

    # httptools calls these; what they raised would be taken for an error of the answer

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _HEADERS:
            before = self.headers.get(name)
            self.headers[name] = value if before is None else before + b", " + value

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._whole = self.status >= 200  # before that it is an interim answer
        self._kept = self._parser.should_keep_alive()  # known here alone
