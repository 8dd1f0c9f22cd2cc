"""Where every request comes in: its id, the marks on its answer, metrics and a log line.

Inference is answered from here, past FastAPI's router, whose work per request would cost as much
as a small network; everything else goes on to it.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from measuring.errors import StrideError
from service.cycle import CLOSE, CYCLE, Header
from service.errors import DisconnectedError
from service.exchange import Exchange, request_id
from service.keyring import OPEN, Keyring
from service.metrics import Metrics
from service.replies import UNEXPECTED, error_reply
from service.seam import Core
from service.tracing import Tracing, as_sent

log = logging.getLogger("stride.access")

PATHS = 256
"""Addresses of inference that are kept once they were understood, if they have at most so many
characters:"""
LONGEST_PATH = 512

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Inference:
    """An address of inference: what is counted under `protocol`, and who answers a POST. The
    pattern's groups become the path parameters; `route` is the pattern for people."""

    pattern: re.Pattern[str]
    protocol: str
    endpoint: Endpoint
    route: str


class Entrance:
    """The outermost ASGI application; `app` has all other addresses, and refuses other methods.
    Where there are `keys`, nobody comes past here without one, except to what is open to all."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        core: Core,
        metrics: Metrics,
        inference: Sequence[Inference],
        keys: Keyring | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self._core = core
        self._metrics = metrics
        self._inference = tuple(inference)
        self._found: dict[str, tuple[Inference, dict[str, str]]] = {}
        self._keys = keys
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        exchange = Exchange(request_id(headers.get(b"x-request-id")), headers)
        exchange.cycle = scope.pop(CYCLE, None)
        scope["state"] = {"exchange": exchange}
        inference = self._find(scope)
        if inference is not None:
            exchange.protocol = inference.protocol
            if self._tracing is not None:
                exchange.trace = self._tracing.begin(scope["headers"], inference.route)
        status = 0
        try:
            response = None
            if self._keys is not None and scope["path"] not in OPEN:
                response = _refused(self._keys, exchange)
            if response is None and inference and scope["method"] == "POST":
                response = await self._infer(inference.endpoint, scope, receive, exchange)
            if response is None:
                status = await self._pass_on(scope, receive, send, exchange)
            else:
                status = response.status_code
                await self._send(response, exchange, send)
        finally:
            exchange.cycle = exchange.task = None  # which lead back to this
            self._record(scope, exchange, status)

    def _find(self, scope: Scope) -> Inference | None:
        path = scope["path"]
        known = self._found.get(path)
        if known is not None:
            scope["path_params"] = known[1]
            return known[0]
        for inference in self._inference:
            if found := inference.pattern.fullmatch(path):
                scope["path_params"] = found.groupdict()
                self._remember(path, inference, scope["path_params"])
                return inference
        return None

    def _remember(self, path: str, inference: Inference, parameters: dict[str, str]) -> None:
        """Most requests go to few addresses; made-up ones must not fill the memory."""
        if len(self._found) >= PATHS:
            self._found.clear()
        if len(path) <= LONGEST_PATH:
            self._found[path] = inference, parameters

    async def _infer(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, exchange: Exchange
    ) -> Response:
        """The endpoint's answer or that to its error. When the client goes away it is cancelled,
        and with it what it waits for: nobody reads the answer."""
        task = exchange.task = asyncio.current_task()
        cycle = exchange.cycle
        if cycle is not None:
            cycle.connection.on_lost = exchange.abandon
        try:
            return await endpoint(Request(scope, receive))
        except StrideError as error:
            return error_reply(error)
        except asyncio.CancelledError:
            if not exchange.abandoned or task is None:
                raise
            task.uncancel()
            return error_reply(DisconnectedError("the client closed the connection"))
        except Exception:
            template, ids = _ids(exchange)
            log.exception(f"unexpected error in request {template}", *ids)
            return UNEXPECTED
        finally:
            if cycle is not None:
                cycle.connection.on_lost = None

    async def _send(self, response: Response, exchange: Exchange, send: Send) -> None:
        cycle = exchange.cycle
        headers = [*response.raw_headers, *self._marks(exchange)]
        if cycle is not None and cycle.answer(response.status_code, headers, bytes(response.body)):
            return
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": response.body})

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> int:
        """The status that the application answered with."""
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                marked = MutableHeaders(scope=message)
                for name, value in self._marks(exchange):
                    marked[name.decode()] = value.decode("latin-1")
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            template, ids = _ids(exchange)
            log.exception(f"unexpected error in request {template}", *ids)
            if status:
                raise
            await UNEXPECTED(scope, receive, send_marked)
        return status

    def _marks(self, exchange: Exchange) -> list[Header]:
        marks = [(b"x-request-id", exchange.id.encode())]
        if exchange.protocol is not None:
            marks.append((b"server-timing", exchange.server_timing().encode()))
        if self._core.draining():
            marks.append(CLOSE)
        return marks

    def _record(self, scope: Scope, exchange: Exchange, status: int) -> None:
        seconds = time.perf_counter() - exchange.started
        if exchange.protocol is not None:
            for result in exchange.results(status, seconds):
                self._metrics.request(result, exchange.protocol)
            if self._tracing is not None:
                self._tracing.finish(scope, exchange, status, seconds)
        # A 503 refuses, which is no fault: under overload, lines would be most of the work.
        level = logging.WARNING if status >= 500 and status != 503 else logging.DEBUG
        if not log.isEnabledFor(level):
            return
        template, ids = _ids(exchange)
        log.log(
            level,
            f"request {template} method=%s path=%s models=%s key=%s status=%d seconds=%.6f",
            *ids, scope["method"], as_sent(scope), ",".join(exchange.models),
            exchange.key or "", status, seconds,
        )  # fmt: skip


def _refused(keys: Keyring, exchange: Exchange) -> Response | None:
    """The answer to a request without a key that lets it in."""
    try:
        exchange.key = keys.admit(exchange.headers)
    except StrideError as error:
        return error_reply(error)
    return None


def _ids(exchange: Exchange) -> tuple[str, tuple[str, ...]]:
    """What a line of the log is found by, as its template and the values."""
    if exchange.trace is None:
        return "id=%s", (exchange.id,)
    return "id=%s trace_id=%s span_id=%s", (exchange.id, *exchange.trace.ids)
