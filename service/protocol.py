"""uvicorn's HTTP protocol with what it has not: bounds on the head of a request, bodies in large
pieces, and word of clients that go away."""

import asyncio
import http
from collections.abc import Callable
from typing import Any, Protocol

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""Bytes of request line and headers, checked after each read from the socket."""
HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a later request on it, to the end of the head."""
BODY_PIECE = 1 << 18
"""Bytes of a body that are gathered before the application hears of them; small enough to be
nothing beside the bodies that it holds itself."""
CONNECTION = "stride.connection"
"""Where the scope of a request has its connection."""


class Connection(Protocol):
    """`on_lost` is called once, on the event loop, if the client goes away while it is set."""

    on_lost: Callable[[], None] | None


class BoundedProtocol(HttpToolsProtocol):
    """431 for a head that is too long, 408 for one that comes too slowly; then it hangs up."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.on_lost: Callable[[], None] | None = None
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()
            self.on_lost = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_timer is None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"the request line and headers are over {HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[literal-required]
        if self._head_timer is None:
            self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Wakes the application at the end of the body, or of a piece of it."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > BODY_PIECE:
            self.flow.pause_reading()
            cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls this for bytes that are no HTTP."""
        self._refuse(400, f"{msg} Expected HTTP/1.1.")

    def _unsupported_upgrade_warning(self) -> None:
        """A request to upgrade is served as the plain request that it also is, without a word."""

    def _begin_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(
            HEAD_SECONDS,
            self._refuse,
            408,
            f"no whole request head within {HEAD_SECONDS:g} seconds",
        )

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, message: str) -> None:
        self._end_head()
        if self.transport.is_closing():
            return
        body = orjson.dumps({"error": message})
        head = (
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nconnection: close\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
