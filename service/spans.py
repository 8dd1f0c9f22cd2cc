"""Finished requests as OpenTelemetry's spans, sent to a collector from a thread of its own."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Sequence
from importlib.metadata import version
from os import environ, urandom

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from measuring.errors import InputError
from service.give_way import give_way
from service.tracing import Finished, Step, steps

log = logging.getLogger("stride.trace")
_THEIRS = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")

QUEUE = 2048
"""Requests that may wait to be sent; what comes when so many do is dropped."""
BATCH = 64
"""Requests that are sent at once, with some seven spans each."""
PERIOD = 1.0
"""Seconds that a request waits for others at the most, unless this says how many milliseconds:"""
PERIOD_VARIABLE = "OTEL_BSP_SCHEDULE_DELAY"
LAST_TRY = 1.0
"""Seconds for a collector that refused what it was sent before, at the end."""
SELDOM = 60.0
"""Seconds between two lines of the log about the same trouble."""
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_NANOSECONDS = 1_000_000_000


class Exporter:
    """A bounded queue, and the thread that empties it. `outcomes` counts requests by what became
    of their traces: `exported`, `failed` (the collector did not take them) or `dropped` (they came
    faster than they could be sent)."""

    def __init__(self, endpoint: str) -> None:
        self.outcomes: Counter[str] = Counter(exported=0, failed=0, dropped=0)
        self._period = _period()
        self._exporter = OTLPSpanExporter(endpoint)
        if not _THEIRS.filters:
            _THEIRS.addFilter(Seldom())
        release = version("stride")
        self._resource = Resource.create({"service.name": "stride", "service.version": release})
        self._scope = InstrumentationScope("stride", release)
        self._waiting: deque[Finished] = deque()
        self._accepted = 0
        self._failing = False
        self._bell = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    def put(self, finished: Finished) -> None:
        if len(self._waiting) >= QUEUE:
            self.outcomes["dropped"] += 1
            return
        self._accepted += 1
        self._waiting.append(finished)
        if len(self._waiting) == BATCH:
            self._bell.set()

    def close(self, seconds: float) -> None:
        """Send what waits, for so long at the most, and hardly at all to a collector that has just
        refused; what is left then is dropped."""
        self._over.set()
        self._bell.set()
        self._thread.join(min(seconds, LAST_TRY) if self._failing else seconds)
        self._waiting.clear()
        done = self.outcomes["exported"] + self.outcomes["failed"]
        self.outcomes["dropped"] += self._accepted - done
        threading.Thread(target=self._exporter.shutdown, daemon=True).start()
        log.info(
            "traces ended exported=%d failed=%d dropped=%d",
            *(self.outcomes[outcome] for outcome in ("exported", "failed", "dropped")),
        )

    def _work(self) -> None:
        give_way()
        while not self._over.is_set():
            self._bell.wait(self._period)
            self._bell.clear()
            while self._waiting:
                self._send()

    def _send(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        try:
            spans = [span for one in batch for span in self._spans(one)]
            sent = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception:
            log.exception("traces not sent requests=%d", len(batch))
            sent = False
        self._failing = not sent
        self.outcomes["exported" if sent else "failed"] += len(batch)

    def _spans(self, one: Finished) -> Sequence[ReadableSpan]:
        """The request's own span, then one for each of its stages."""
        state = TraceState.from_header([one.trace.state]) if one.trace.state else None
        own = _context(one.trace.trace_id, one.trace.span_id, state)
        parent = None
        if one.trace.parent is not None:
            parent = _context(one.trace.trace_id, one.trace.parent, state, remote=True)
        request = ReadableSpan(
            one.name,
            context=own,
            parent=parent,
            resource=self._resource,
            attributes=one.attributes,
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if one.failed else StatusCode.UNSET),
            start_time=_clock(one, one.exchange.started),
            end_time=one.clock,
            instrumentation_scope=self._scope,
        )
        return [request, *(self._child(one, own, s) for s in steps(one.exchange, one.runtimes))]

    def _child(self, one: Finished, parent: SpanContext, step: Step) -> ReadableSpan:
        span_id = int.from_bytes(urandom(8)) or 1
        return ReadableSpan(
            step.name,
            context=_context(one.trace.trace_id, span_id, parent.trace_state),
            parent=parent,
            resource=self._resource,
            attributes=step.attributes,
            start_time=_clock(one, step.started),
            end_time=_clock(one, step.started + step.seconds),
            instrumentation_scope=self._scope,
        )


class Seldom(logging.Filter):
    """The exporter says of each try that it failed, and why: once a minute of each level is all
    that gets into the log."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[int, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        before = self._told.get(record.levelno)
        if before is not None and record.created - before < SELDOM:
            return False
        self._told[record.levelno] = record.created
        return True


def _period() -> float:
    told = environ.get(PERIOD_VARIABLE, "")
    if not told:
        return PERIOD
    if not told.isdecimal() or not 1 <= int(told) <= 60_000:
        raise InputError(f"{PERIOD_VARIABLE} is {told!r}, expected milliseconds from 1 to 60000")
    return int(told) / 1e3


def _context(
    trace_id: int, span_id: int, state: TraceState | None, *, remote: bool = False
) -> SpanContext:
    return SpanContext(trace_id, span_id, remote, _SAMPLED, state)


def _clock(one: Finished, moment: float) -> int:
    """Nanoseconds since 1970 at a reading of `time.perf_counter`."""
    return one.clock - round((one.ended - moment) * _NANOSECONDS)
