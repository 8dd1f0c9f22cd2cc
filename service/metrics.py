"""Every metric of the service on one screen. The registry is an argument: tests take a fresh one.

Stages of a request: `receive` reading the body, `decode` bytes to pixels, `resize` to the
model's input, `queue` waiting for an instance, `inference` in the engine (of the whole batch),
`respond` top-k and writing the answer. `stride_request_seconds` runs from the parsed head of the
request to the last of the answer's body handed to the socket, so it is more than their sum.

Labels come from what is loaded, never from a request: an unknown model counts as `unknown`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from measuring.gpu import GpuReading
from service.busy import BusyTime
from service.count import Count
from service.decode_forecast import DecodeForecast
from service.gpu_metrics import GpuCollector
from service.histogram import Histogram
from service.seam import ModelInfo
from service.watched import Value, Watched

if TYPE_CHECKING:
    from service.exchange import Result

STAGES = ("receive", "decode", "resize", "queue", "inference", "respond")
_OF_THE_CORE = {"queue", "inference"}
PROTOCOLS = ("v1", "v2")
OUTCOMES = ("ok", "invalid", "rejected", "expired", "cancelled", "error")
UNKNOWN = "unknown"

# 100 us to 10 s, six steps a decade: a p99 read off the buckets is within a factor of 1.7.
SECONDS = (
    *(round(step * 10.0**decade, 9) for decade in range(-4, 1) for step in (1, 1.5, 2, 3, 5, 7)),
    10.0,
)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The collectors, and the few verbs the service records with."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._declare_requests(registry)
        self._declare_engines(registry)
        self._declare_decoding(registry)
        self._declare_process(registry)

    def _declare_requests(self, registry: CollectorRegistry) -> None:
        self._request = Histogram(
            "stride_request_seconds",
            "Time of an inference request in the service, by model, protocol and outcome.",
            ("model", "protocol", "outcome"), bounds=SECONDS, registry=registry,
        )  # fmt: skip
        self._stage = Histogram(
            "stride_stage_seconds", "Time of one stage of a request.",
            ("model", "stage"), bounds=SECONDS, registry=registry,
        )  # fmt: skip
        self._requests = Count(
            "stride_requests", "Inference requests, by model and how they ended.",
            ("model", "outcome"), registry=registry,
        )  # fmt: skip

    def _declare_engines(self, registry: CollectorRegistry) -> None:
        gauge, watched = partial(Gauge, registry=registry), partial(Watched, registry=registry)
        self._batch = Histogram(
            "stride_batch_size", "Images per engine call.",
            ("model",), bounds=BATCH_SIZES, registry=registry,
        )  # fmt: skip
        self._images = Count(
            "stride_images", "Images that went through an engine.", ("model",), registry=registry
        )
        self._depth = gauge("stride_queue_depth", "Images waiting for an instance.", ("model",))
        self._capacity = gauge(
            "stride_queue_capacity", "Images that may wait for an instance.", ("model",)
        )
        self._engine = gauge(
            "stride_engine_info", "What runs a model; always 1.",
            ("model", "runtime", "precision", "device"),
        )  # fmt: skip
        self._busy = watched(
            CounterMetricFamily, "stride_instance_busy_seconds",
            "Time that an instance has spent on batches.", ("model", "instance"),
        )  # fmt: skip
        self._ready = watched(
            GaugeMetricFamily, "stride_engine_ready",
            "1 while an instance of the model answers, 0 while all of them fail or hang.",
            ("model",),
        )  # fmt: skip
        self._start = watched(
            GaugeMetricFamily, "stride_engine_start_seconds",
            "Time from opening a model's engines until they were proved and warm.", ("model",),
        )  # fmt: skip

    def _declare_decoding(self, registry: CollectorRegistry) -> None:
        watched = partial(Watched, registry=registry)
        self._decode_threads = watched(
            GaugeMetricFamily, "stride_decode_threads", "Threads that decode and resize."
        )
        self._decode_busy = watched(
            CounterMetricFamily, "stride_decode_busy_seconds",
            "Time that these threads have spent on pictures, all together.",
        )  # fmt: skip
        self._decode_waiting = watched(
            GaugeMetricFamily, "stride_decode_waiting", "Pictures waiting for such a thread."
        )

    def _declare_process(self, registry: CollectorRegistry) -> None:
        watched = partial(Watched, registry=registry)
        self._connections = watched(
            GaugeMetricFamily, "stride_open_connections",
            "Connections that are open, idle ones too.",
        )  # fmt: skip
        self._lag = Histogram(
            "stride_event_loop_lag_seconds",
            "Time that something handed to the event loop waits for its turn.",
            (), bounds=SECONDS, registry=registry,
        )  # fmt: skip
        self._lag.declare()
        self._traces = watched(
            CounterMetricFamily, "stride_traces",
            "Traced requests, by what became of their traces.", ("outcome",),
        )  # fmt: skip
        ProcessCollector(registry=registry)
        self._gpus = GpuCollector(registry)

    def declare(
        self,
        info: ModelInfo,
        *,
        depth: Callable[[], float],
        ready: Callable[[], bool] = lambda: True,
        busy: Sequence[BusyTime] = (),
        start: float = 0.0,
    ) -> None:
        """A model is loaded: all its series exist from now on, at zero. `busy`: of each instance;
        `start`: seconds that opening it took."""
        for number, instance in enumerate(busy):
            self._busy.watch(partial(_seconds_of, instance), info.id, str(number))
        self._ready.watch(lambda: float(ready()), info.id)
        self._start.watch(lambda: start, info.id)
        self._engine.labels(info.id, info.runtime, info.manifest.precision, info.device).set(1)
        self._depth.labels(info.id).set_function(depth)
        self._capacity.labels(info.id).set(info.queue_capacity)
        self._batch.declare(info.id)
        self._images.declare(info.id)
        for stage in STAGES:
            self._stage.declare(info.id, stage)
        for protocol in PROTOCOLS:
            self._request.declare(info.id, protocol, "ok")
        for outcome in OUTCOMES:
            self._requests.declare(info.id, outcome)

    def withdraw(self, info: ModelInfo) -> None:
        """Nothing runs the model any more; what was counted of it stays."""
        self._engine.remove(info.id, info.runtime, info.manifest.precision, info.device)
        self._depth.remove(info.id)
        self._capacity.remove(info.id)
        self._ready.forget(info.id)
        self._busy.forget(info.id)
        self._start.forget(info.id)

    def watch_decoding(self, pool: DecodeForecast) -> None:
        """From now on its threads and what waits for them are told."""
        self._decode_threads.watch(lambda: pool.threads)
        self._decode_busy.watch(lambda: pool.busy_seconds)
        self._decode_waiting.watch(lambda: pool.waiting)

    def watch_connections(self, count: Value) -> None:
        """From now on that many are told to be open."""
        self._connections.watch(count)

    def gpus(self, readings: Sequence[GpuReading]) -> None:
        """What the next answer tells of them."""
        self._gpus.readings = readings

    def watch_traces(self, outcomes: Mapping[str, int]) -> None:
        """From now on what becomes of traces is told."""
        for outcome in outcomes:
            self._traces.watch(partial(outcomes.__getitem__, outcome), outcome)

    def exemplify(self, result: "Result", protocol: str, trace: tuple[str, str]) -> None:
        """The request that was counted last is an example of where it was counted."""
        model = result.model
        self._request.exemplify(result.seconds, trace, model, protocol, result.outcome)
        for stage, seconds in result.stages.items():
            self._stage.exemplify(seconds, trace, model, stage)

    def loop_lag(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def batch(self, model: str, images: int) -> None:
        self._batch.observe(images, model)
        self._images.add(images, model)

    def computed(self, model: str, queue: float, inference: float) -> None:
        """The core's part of a request, in seconds."""
        self._stage.observe(queue, model, "queue")
        self._stage.observe(inference, model, "inference")

    def request(self, result: "Result", protocol: str) -> None:
        """A request that is over, but for the stages that the core has counted."""
        model, outcome, stages, seconds = result
        self._stage.observe_each(stages, model, but=_OF_THE_CORE)
        self._request.observe(seconds, model, protocol, outcome)
        self._requests.add(1, model, outcome)


def _seconds_of(busy: BusyTime) -> float:
    return busy.seconds
