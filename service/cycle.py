"""One request on a connection and its answer: uvicorn's, with a short way for a body that has come
as a whole and for an answer that is there as a whole."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.one_write import OneWrite

_LOG = logging.getLogger("uvicorn.error")
CYCLE = "stride.cycle"
"""Where the scope of a request has its cycle."""

Header = tuple[bytes, bytes]
CLOSE: Header = (b"connection", b"close")


class Connection(Protocol):
    """`on_lost` is called once, on the event loop, if the client goes away while it is set."""

    transport: asyncio.Transport
    flow: FlowControl
    on_lost: Callable[[], None] | None

    def on_response_complete(self) -> None:
        """An answer has been written."""


class _Unheard(asyncio.Event):
    """In the place of an event that nobody waits for: most bodies have come by the time that
    somebody asks."""

    def set(self) -> None:
        pass


_UNHEARD = _Unheard()


class Cycle(RequestResponseCycle):
    """What an ASGI application does not know of, it can leave alone: `receive` and `send` do the
    same in more steps."""

    def __init__(
        self,
        connection: Connection,
        scope: HTTPScope,
        *,
        default_headers: list[Header],
        expect_100_continue: bool,
        keep_alive: bool,
    ) -> None:
        super().__init__(
            scope, connection.transport, connection.flow, _LOG, _LOG, False, default_headers,
            _UNHEARD, expect_100_continue, keep_alive, connection.on_response_complete,
        )  # fmt: skip
        self.connection = connection

    def whole(self) -> bytes | None:
        """The body, where all of it has come and nobody has asked for any of it; to be called
        once, and then there is nothing to `receive`."""
        if self.more_body or self.disconnected or self.message_event is not _UNHEARD:
            return None
        if self.flow.read_paused:  # or nobody would hear of a client that goes away
            self.flow.resume_reading()
        body, self.body = self.body, bytearray()
        return bytes(body)

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """Write it in one piece, and be done. False where it has to be sent, since the client does
        not read, has gone, or wants the head alone.

        `headers`: with the length of the body; CLOSE among them ends the connection. Raises
        ValueError where one of them has a line end in it.
        """
        if self.response_started or self.disconnected or self.flow.write_paused:
            return False
        if self.scope["method"] == "HEAD":
            return False
        if CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers = (*headers, CLOSE)
        lines = [STATUS_LINE[status]]
        for name, value in (*self.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
        head = b"".join(lines)
        ends = 1 + len(self.default_headers) + len(headers)
        if head.count(b"\n") != ends or head.count(b"\r") != ends:
            raise ValueError(f"a header of the answer has a line end: {head!r}")
        self.response_started = self.response_complete = True
        self.body = bytearray()  # of one that was refused, too
        self.transport.write(b"".join((head, b"\r\n", body)))
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    async def receive(self) -> ASGIReceiveEvent:
        if self.message_event is _UNHEARD:
            self.message_event = asyncio.Event()
            if self.body or not self.more_body:
                self.message_event.set()
        return await super().receive()

    async def send(self, message: ASGISendEvent) -> None:
        if self.transport is self.connection.transport:
            bodiless = self.scope["method"] == "HEAD"
            self.transport = OneWrite(self.transport, bodiless=bodiless)  # type: ignore[assignment]
        await super().send(message)
