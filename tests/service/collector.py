"""A double of an OpenTelemetry collector: takes OTLP over HTTP, decoded by its own protobuf."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Received:
    """One span, with the attributes of its resource."""

    span: Span
    resource: dict[str, Any]

    @property
    def attributes(self) -> dict[str, Any]:
        return _plain(self.span.attributes)

    @property
    def interval(self) -> tuple[int, int]:
        """Nanoseconds since 1970."""
        return self.span.start_time_unix_nano, self.span.end_time_unix_nano


@dataclass
class Collector:
    """`hold`: while set, requests are taken and not answered; `status`: what others get."""

    status: int = 200
    paths: list[str] = field(default_factory=list)
    spans: queue.Queue[Received] = field(default_factory=queue.Queue)
    held: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.held.set()

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self.held.clear()

    def release(self) -> None:
        self.held.set()

    def take(self, count: int) -> list[Received]:
        """The next spans; fails where they do not come."""
        return [self.spans.get(timeout=20) for _ in range(count)]

    def trace(self, count: int) -> dict[str, Received]:
        """The next spans by name, where each comes once."""
        found = {received.span.name: received for received in self.take(count)}
        assert len(found) == count
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """One that listens on a free port of this machine."""
    collector = Collector()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.reached.set()
            assert collector.held.wait(60)
            collector.paths.append(self.path)
            if collector.status == 200:
                _take(collector, body)
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        collector.release()
        server.shutdown()
        server.server_close()
        thread.join()


def _take(collector: Collector, body: bytes) -> None:
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        about = _plain(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                collector.spans.put(Received(span, about))


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
