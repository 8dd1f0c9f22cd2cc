"""Around every request: its id, the Server-Timing header, metrics, log line, and drain marks."""

import logging
import time
from collections.abc import Mapping

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.exchange import Exchange, Result, request_id
from service.metrics import Metrics
from service.seam import Core

log = logging.getLogger("stride.access")


class ExchangeMiddleware:
    """Pure ASGI, so that it costs no extra task per request. `inference`: path -> protocol of
    the requests to count."""

    def __init__(
        self, app: ASGIApp, *, core: Core, metrics: Metrics, inference: Mapping[str, str]
    ) -> None:
        self._app = app
        self._inference = inference
        self._core = core
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(
            request_id(Headers(scope=scope).get("x-request-id")),
            protocol=self._inference.get(scope["path"]),
        )
        scope.setdefault("state", {})["exchange"] = exchange
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._mark(MutableHeaders(scope=message), exchange)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            log.exception("unexpected error in request id=%s", exchange.id)
            if status:
                raise
            await _UNEXPECTED(scope, receive, send_marked)
        finally:
            self._record(scope, exchange, status)

    def _mark(self, headers: MutableHeaders, exchange: Exchange) -> None:
        headers["X-Request-Id"] = exchange.id
        if exchange.protocol is not None:
            headers["Server-Timing"] = exchange.server_timing()
        if self._core.draining():
            headers["Connection"] = "close"

    def _record(self, scope: Scope, exchange: Exchange, status: int) -> None:
        seconds = time.perf_counter() - exchange.started
        if exchange.protocol is not None:
            for result in exchange.results(status, seconds):
                self._count(result, exchange.protocol)
        level = logging.WARNING if status >= 500 else logging.DEBUG
        log.log(
            level,
            "request id=%s method=%s path=%s models=%s status=%d seconds=%.6f",
            exchange.id, scope["method"], _as_sent(scope), ",".join(exchange.models), status,
            seconds,
        )  # fmt: skip

    def _count(self, result: Result, protocol: str) -> None:
        for name, seconds in result.stages.items():
            if name not in {"queue", "inference"}:  # the core counts its own
                self._metrics.stage(result.model, name, seconds)
        self._metrics.request(result.model, protocol, result.outcome, result.seconds)


def _as_sent(scope: Scope) -> str:
    """The path still percent-encoded: decoded, it could write lines of its own into the log."""
    path: bytes = scope.get("raw_path") or b""
    return path[:256].decode("ascii", "backslashreplace")


_UNEXPECTED = Response(
    orjson.dumps({"error": "an unexpected error in the service; its log has the details"}),
    500,
    media_type="application/json",
)
