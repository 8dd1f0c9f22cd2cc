"""uvicorn's HTTP protocol with what it has not: bounds on the head of a request, on what follows
an answer, on what is pipelined and on clients that do not read; bodies in large pieces; and word
of clients that go away."""

import asyncio
import http
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, ClassVar
from urllib.parse import unquote

import httptools
import orjson
from uvicorn._types import ASGI3Application, ASGIVersions, HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.cycle import CYCLE, Cycle
from service.patience import PatientProtocol

HEAD_BYTES = 64 * 1024
"""Bytes of request line and headers, counted by reads from the socket, but not those in which an
earlier request ended; also of what surrounds a body in chunks, between two of its bytes."""
HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a later request on it, to the end of the head."""
REST_SECONDS = 10.0
"""For the rest of a body that was answered before its end."""
PIPELINED = 64
"""Requests that may wait on a connection for the answers before theirs."""
BODY_PIECE = 1 << 18
"""Bytes of a body that are gathered before the application hears of them; small enough to be
nothing beside the bodies that it holds itself."""
_ASGI: ASGIVersions = {"version": "3.0", "spec_version": "2.3"}


class PipelineFlow(FlowControl):
    """Reads nothing more while requests wait for the answers before theirs. uvicorn reads on with
    every answer, and a single read may hold thousands of requests."""

    def __init__(self, transport: asyncio.Transport, waiting: deque[Any]) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


def bounded(most_connections: int) -> type["BoundedProtocol"]:
    """The protocol of a service that may have so many connections at once."""
    return type("BoundedProtocol", (BoundedProtocol,), {"most_connections": most_connections})


class BoundedProtocol(PatientProtocol):
    """431 for a head that is too long, 408 for one that comes too slowly, 503 for one connection
    too many; then it hangs up. Hangs up without a word where an answer cannot be told apart from
    an earlier one any more."""

    most_connections: ClassVar[int] = 4096

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.on_lost: Callable[[], None] | None = None
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_body = False
        self._beyond_head = False
        self._end_timer: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)
        if len(self.connections) > self.most_connections:
            self._refuse(503, f"{self.most_connections} connections are open, which is the limit")
            return
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        if self._end_timer is not None:
            self._end_timer.cancel()
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()
            self.on_lost = None
        self.cycle = self._answering = None  # type: ignore[assignment]  # it has this

    def data_received(self, data: bytes) -> None:
        self._beyond_head = False
        self._idle_since = inf
        while (at := self._feed(data)) is not None and not self.transport.is_closing():
            data = self._without_upgrade() + data[at:]
        if (self._beyond_head and not self._in_head) or self.transport.is_closing():
            return
        between = not self._in_body and self._idle()
        if self._head_timer is None and (self._in_head or (between and not self._beyond_head)):
            self._begin_head()  # of a head that goes on, or with line ends before the next one
        if (self._head_timer or self._in_body) and not self._beyond_head:
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"the request line and headers are over {HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._idle_since = inf
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """What stands behind a body is left out: nobody needs it, and its sum has no bound."""
        if self._in_body:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._end_head()
        if self.transport.is_closing() or self._to_be_read_again():
            return
        before, cycle = self.cycle, self._new_cycle()
        self.cycle = cycle
        self._in_body = True
        self._head_bytes = 0
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
            return
        self.flow.pause_reading()
        self.pipeline.appendleft((cycle, self.app))
        if len(self.pipeline) > PIPELINED:
            self._hang_up()

    def _new_cycle(self) -> Cycle:
        """Raises what the parser raises for an address that is none."""
        parser = self.parser
        version, url = parser.get_http_version(), httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope: HTTPScope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": "http",
            "method": parser.get_method().decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "state": {},
        }
        return Cycle(
            self,
            scope,
            default_headers=self.server_state.default_headers,
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
        )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        cycle.scope[CYCLE] = cycle  # type: ignore[literal-required]
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Wakes the application at the end of the body, or of a piece of it."""
        self._beyond_head = True
        self._head_bytes = 0
        cycle = self.cycle
        if cycle.response_complete or self.transport.is_closing():
            return
        # Without a copy where this is all, as it is mostly.
        cycle.body = _joined(cycle.body, body) if cycle.body else body  # type: ignore[assignment]
        if len(cycle.body) > BODY_PIECE:
            self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        if not self._in_body:  # hung up, or to be read again
            return
        self._in_body = False
        self._beyond_head = True
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()
        if self._end_timer is not None:
            self._end_timer.cancel()
            self._end_timer = None
            self._wait_for_another()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._hang_up()
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not (self._in_body and self.cycle.response_complete):
            self._wait_for_another()
        elif self.expect_100_continue:  # it may go on with this body, or with another request
            self._hang_up()
        else:
            self._end_timer = self.loop.call_later(REST_SECONDS, self._hang_up)

    def _feed(self, data: bytes) -> int | None:
        """Where the parser has stopped for good, at a request to upgrade; None where it goes on."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            if self._to_be_read_again():
                at: int = stopped.args[0]
                return at
            self._hang_up_after_answer()  # CONNECT has its answer
        except httptools.HttpParserError:
            self._refuse(400, "Invalid HTTP request received. Expected HTTP/1.1.")
        return None

    def _without_upgrade(self) -> bytes:
        """The head at which the parser stopped, for a new one. A request to upgrade is served as
        the plain request that it also is, without a word."""
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return b"\r\n".join([*lines, b"", b""])

    def _to_be_read_again(self) -> bool:
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def _hang_up_after_answer(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        else:
            self._hang_up()

    def _idle(self) -> bool:
        return self.cycle is None or (self.cycle.response_complete and not self._in_body)

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
        answering = self._in_body and not self.pipeline and not self.cycle.response_started
        if self._idle() or answering:
            body = orjson.dumps({"error": message})
            head = (
                f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nconnection: close\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self._hang_up()

    def _hang_up(self) -> None:
        self._end_head()
        super()._hang_up()


def _joined(held: bytes | bytearray, more: bytes) -> bytes | bytearray:
    if isinstance(held, bytes):
        held = bytearray(held)
    held += more
    return held
