"""uvicorn's HTTP protocol with bounds on the head of a request, which uvicorn itself has not."""

import asyncio
import http
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""Bytes of request line and headers, checked after each read from the socket."""
HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a later request on it, to the end of the head."""


class BoundedProtocol(HttpToolsProtocol):
    """431 for a head that is too long, 408 for one that comes too slowly; then it hangs up."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_timer is None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"the request line and headers are over {HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

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
