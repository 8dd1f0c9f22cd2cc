"""Which requests are traced, and what is told of each: its stages, with the times taken anyway.

Nothing here needs OpenTelemetry; what does is imported where tracing is switched on.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from starlette.types import Scope

from service.exchange import Ending, Exchange
from service.metrics import Metrics
from service.seam import Core
from service.settings import TraceSettings
from service.trace_option import not_installed
from service.traceparent import Trace, parent_of

_HALF = (1 << 64) - 1
_METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
_LONGEST = 256
"""Characters of anything a client has sent."""

Attributes = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Finished:
    """A request that has its answer: `ended`, a reading of `time.perf_counter`, was `clock`
    nanoseconds since 1970. `attributes` are those of its own span; `runtimes` by model id."""

    exchange: Exchange
    trace: Trace
    name: str
    failed: bool
    ended: float
    clock: int
    attributes: Attributes
    runtimes: Mapping[str, str]


class Tracer(Protocol):
    """Where finished requests go, and how many have ended how."""

    outcomes: Counter[str]

    def put(self, finished: Finished) -> None:
        """On the event loop. Never waits, never raises."""
        ...

    def close(self, seconds: float) -> None:
        """Send what waits, for so long at the most."""
        ...


class Sampler:
    """Does as the parent did; of the requests without one, `ratio` are sampled, chosen by their
    trace id as OpenTelemetry's TraceIdRatioBased does."""

    def __init__(self, ratio: float) -> None:
        self._bound = round(ratio * (1 << 64))

    def samples(self, trace_id: int) -> bool:
        """Whether a trace that begins here is sampled."""
        return trace_id & _HALF < self._bound

    def begin(self, headers: Iterable[tuple[bytes, bytes]], route: str) -> Trace:
        """Of a request with these headers to this address."""
        fresh = int.from_bytes(os.urandom(24))
        span_id, trace_id = (fresh & _HALF) or 1, (fresh >> 64) or 1
        if parent := parent_of(headers):
            ids = parent.trace_id, span_id
            return Trace(*ids, parent.sampled, route, parent.span_id, parent.state)
        return Trace(trace_id, span_id, self.samples(trace_id), route)


class Tracing:
    """What the entrance asks before and after each request of inference."""

    def __init__(self, sampler: Sampler, tracer: Tracer, metrics: Metrics, core: Core) -> None:
        self.begin = sampler.begin
        self.close = tracer.close
        self._tracer = tracer
        self._metrics = metrics
        self._core = core
        metrics.watch_traces(tracer.outcomes)

    def finish(self, scope: Scope, exchange: Exchange, status: int, seconds: float) -> None:
        """The answer has been handed to the socket. The histograms that have counted the request
        get it as an example, so this comes after they have."""
        trace = exchange.trace
        if trace is None or not trace.sampled:
            return
        runtimes = {model.id: model.runtime for model in self._core.models()}
        ended = exchange.started + seconds
        name = f"{scope['method'] if _is_known(scope) else 'HTTP'} {trace.route}"
        attributes = _attributes(scope, exchange, trace, status)
        for result in exchange.results(status, seconds):
            self._metrics.exemplify(result, exchange.protocol or "", trace.ids)
            attributes["stride.outcome"] = result.outcome
        if len(exchange.endings) == 1:
            attributes |= _engine(exchange.endings[0], runtimes)
        clock = time.time_ns() - round((time.perf_counter() - ended) * 1e9)
        failed = status >= 500 or not status
        self._tracer.put(
            Finished(exchange, trace, name, failed, ended, clock, attributes, runtimes)
        )


def tracing_of(settings: TraceSettings | None, metrics: Metrics, core: Core) -> Tracing | None:
    """None where nothing is to be traced. Raises MissingError where what sends traces is not
    installed."""
    if settings is None:
        return None
    try:
        from service.spans import Exporter
    except ImportError as error:
        raise not_installed(error) from error
    return Tracing(Sampler(settings.ratio), Exporter(settings.endpoint), metrics, core)


def as_sent(scope: Scope) -> str:
    """The path still percent-encoded: decoded, it could write lines of its own into a log."""
    path: bytes = scope.get("raw_path") or b""
    return path[:_LONGEST].decode("ascii", "backslashreplace")


def _attributes(scope: Scope, exchange: Exchange, trace: Trace, status: int) -> Attributes:
    """By OpenTelemetry's semantic conventions for HTTP servers, and our own."""
    attributes: Attributes = {
        "http.request.method": scope["method"] if _is_known(scope) else "_OTHER",
        "http.route": trace.route,
        "url.path": as_sent(scope),
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
        "stride.request_id": exchange.id,
        "stride.model": ",".join(exchange.models),
    }
    if not _is_known(scope):
        attributes["http.request.method_original"] = scope["method"][:_LONGEST]
    if scope["query_string"]:
        attributes["url.query"] = _text(scope["query_string"])
    if status:
        attributes["http.response.status_code"] = status
    if status >= 500 or not status:
        attributes["error.type"] = str(status or "no_answer")
    if agent := exchange.headers.get(b"user-agent"):
        attributes["user_agent.original"] = _text(agent)
    if scope.get("client"):
        attributes["client.address"], attributes["client.port"] = scope["client"]
    attributes |= _server(exchange.headers.get(b"host", b""), scope)
    return attributes


def _is_known(scope: Scope) -> bool:
    return scope["method"] in _METHODS


def _server(host: bytes, scope: Scope) -> Attributes:
    """Whom the client meant, else the address it came to."""
    told: Attributes = {}
    try:
        named = urlsplit(f"//{_text(host)}")
        address, port = named.hostname, named.port
    except ValueError:
        address, port = None, None
    if address is None and scope.get("server"):
        address, port = scope["server"]
    if address is not None:
        told["server.address"] = address
    if port is not None:
        told["server.port"] = port
    return told


def _text(sent: bytes) -> str:
    return sent[:_LONGEST].decode("latin-1")


def _engine(ending: Ending, runtimes: Mapping[str, str]) -> Attributes:
    """What ran it, and with how many others."""
    told: Attributes = {"stride.model": ending.model}
    if runtime := runtimes.get(ending.model):
        told["stride.runtime"] = runtime
    if ending.batch:
        told["stride.batch_size"] = ending.batch
    return told


@dataclass(frozen=True, slots=True)
class Step:
    """A stage: when it began, a reading of `time.perf_counter`, and its seconds."""

    name: str
    started: float
    seconds: float
    attributes: Attributes = field(default_factory=dict)


def steps(exchange: Exchange, runtimes: Mapping[str, str]) -> Iterator[Step]:
    """What is known of a request's stages. Between them it waited, for a thread or for the event
    loop."""
    shared = exchange.stages
    if "receive" in shared:
        yield Step("receive", exchange.started, shared["receive"])
    if "decode" in shared:
        yield from _prepared(exchange)
    for ending in exchange.endings:
        yield from _answered(ending, _engine(ending, runtimes))


def _prepared(exchange: Exchange) -> Iterator[Step]:
    """Several pictures are decoded and resized side by side: then both go on as long as the last
    one does, and their seconds are those of all threads."""
    shared, preparing = exchange.stages, exchange.preparing
    if preparing.images > 1:
        seconds = preparing.ended - preparing.started
        for name in ("decode", "resize"):
            images: Attributes = {"stride.images": preparing.images}
            busy: Attributes = {"stride.thread_seconds": shared.get(name, 0.0)}
            yield Step(name, preparing.started, seconds, images | busy)
        return
    yield Step("decode", preparing.started, shared["decode"])
    if "resize" in shared:
        yield Step("resize", preparing.started + shared["decode"], shared["resize"])


def _answered(ending: Ending, engine: Attributes) -> Iterator[Step]:
    stages = ending.stages
    about: Attributes = {"stride.model": ending.model}
    if "inference" not in stages:
        return
    arrived = ending.arrived or ending.responding - stages["inference"] - stages["queue"]
    if "resize" in stages:
        yield Step("resize", ending.resizing, stages["resize"], about)
    yield Step("queue", arrived, stages["queue"], about)
    yield Step("inference", arrived + stages["queue"], stages["inference"], engine)
    yield Step("respond", ending.responding, stages["respond"], about)
