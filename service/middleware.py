"""Around every request: its id, the Server-Timing header, metrics, log line, and drain marks."""

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.exchange import Ending, Exchange, request_id
from service.metrics import Metrics
from service.seam import Core

log = logging.getLogger("stride.access")

_OUTCOMES = {499: "cancelled", 500: "error", 503: "rejected", 504: "expired"}


def outcome_of(status: int) -> str:
    """The metric label of an HTTP status."""
    if status < 400:
        return "ok"
    return _OUTCOMES.get(status, "invalid")


class ExchangeMiddleware:
    """Pure ASGI, so that it costs no extra task per request."""

    def __init__(self, app: ASGIApp, *, core: Core, metrics: Metrics) -> None:
        self._app = app
        self._core = core
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(request_id(Headers(scope=scope).get("x-request-id")))
        scope.setdefault("state", {})["exchange"] = exchange
        status = 500

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._mark(MutableHeaders(scope=message), exchange)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        finally:
            self._record(scope, exchange, status)

    def _mark(self, headers: MutableHeaders, exchange: Exchange) -> None:
        headers["X-Request-Id"] = exchange.id
        if timing := exchange.server_timing():
            headers["Server-Timing"] = timing
        if self._core.draining():
            headers["Connection"] = "close"

    def _record(self, scope: Scope, exchange: Exchange, status: int) -> None:
        seconds = time.perf_counter() - exchange.started
        if exchange.protocol is not None:
            endings = exchange.endings or [Ending(exchange.model, outcome_of(status), {})]
            for ending in endings:
                for name, value in (exchange.stages | ending.stages).items():
                    self._observe_stage(ending, name, value)
                self._metrics.request(ending.model, exchange.protocol, ending.outcome, seconds)
        level = logging.WARNING if status >= 500 else logging.DEBUG
        log.log(
            level,
            "request id=%s method=%s path=%s model=%s status=%d seconds=%.6f",
            exchange.id, scope["method"], scope["path"], exchange.model, status, seconds,
        )  # fmt: skip

    def _observe_stage(self, ending: Ending, name: str, seconds: float) -> None:
        if name not in {"queue", "inference"}:  # the core counts its own
            self._metrics.stage(ending.model, name, seconds)
