"""The core in this process: admission, deadlines and statistics around one batcher per model."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from inference.engine import Pixels
from service.batcher import Batcher, QueueRules
from service.job import Batch, Job
from service.loading import Chosen, Loaded, load
from service.metrics import Metrics
from service.seam import Answer, ModelInfo, Priority, Refusal, RefusalKind
from service.statistics import Statistics

_FAILURE: dict[RefusalKind, str] = {
    "full": "REJECTED",
    "late": "REJECTED",
    "draining": "REJECTED",
    "expired": "REJECTED",
    "failed": "BACKEND",
    "unknown": "OTHER",
    "invalid": "OTHER",
}
"""Triton's failure reason for each refusal."""


@dataclass
class _Served:
    info: ModelInfo
    batcher: Batcher
    statistics: Statistics = field(default_factory=Statistics)


class LocalCore:
    """Implements `service.seam.Core` with threads of this process.

    `start` opens the engines one after the other, so that their warm-ups do not disturb each
    other's measurement; until it is done `unready` says so. `drain` ends what was admitted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._served: dict[str, _Served] = {}
        self._state: str | None = "loading: no model is open yet"
        self._draining = False

    async def start(self, models: Sequence[Chosen], *, queue_capacity: int) -> None:
        """Raises what opening an engine raises; a drain in the meantime ends the loading."""
        for number, chosen in enumerate(models, 1):
            identity = chosen.artifact.manifest.id
            self._state = f"loading {identity}, model {number} of {len(models)}"
            loaded = await asyncio.to_thread(load, chosen, queue_capacity)
            if self._draining:
                for engine in loaded.engines:
                    engine.close()
                return
            self.add(loaded)
        self._state = None

    def add(self, loaded: Loaded) -> None:
        """Serve this model from now on."""
        info = loaded.info

        def observe(batch: Batch) -> None:
            self._metrics.batch(info.id, batch.images)
            _count_batch(served.statistics, batch)

        size, seconds = max(info.seconds_by_batch.items())
        rules = QueueRules(
            max_batch=info.max_batch,
            capacity=info.queue_capacity,
            classes=len(info.manifest.labels),
            seconds_per_image=seconds / size,
        )
        batcher = Batcher(loaded.engines, rules, observe)
        served = self._served[info.id] = _Served(info, batcher)
        self._metrics.declare(info, lambda: batcher.depth)

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(served.info for served in self._served.values())

    def unready(self) -> str | None:
        return self._state

    def draining(self) -> bool:
        return self._draining

    def statistics(self) -> dict[str, Statistics]:
        return {identity: served.statistics for identity, served in self._served.items()}

    def pending(self) -> dict[str, int]:
        """Admitted and not yet answered requests by model."""
        return {identity: served.batcher.pending for identity, served in self._served.items()}

    def announce_drain(self) -> None:
        """Be unready from now on, and go on serving."""
        self._draining = True
        self._state = "draining: the service is shutting down"

    async def drain(self) -> None:
        """Refuse new requests, finish the admitted ones, close the engines."""
        self.announce_drain()
        await asyncio.gather(*(served.batcher.drain() for served in self._served.values()))

    async def submit(
        self, model: str, pixels: Pixels, *, deadline: float, priority: Priority = Priority.NORMAL
    ) -> Answer | Refusal:
        served = self._served.get(model)
        if served is None:
            return Refusal("unknown", f"model {model!r} is not loaded")
        if refusal := _unfit(served.info, pixels):
            return refusal
        started = time.perf_counter()
        outcome = await _outcome(served, Job(pixels, deadline), priority)
        if isinstance(outcome, Answer):
            served.statistics.success += 1
            served.statistics.request_seconds += time.perf_counter() - started
            served.statistics.queue_seconds += outcome.queue
            self._metrics.stage(model, "queue", outcome.queue)
            self._metrics.stage(model, "inference", outcome.inference)
        else:
            served.statistics.failure[_FAILURE[outcome.kind]] += 1
        return outcome


def _unfit(info: ModelInfo, pixels: Pixels) -> Refusal | None:
    """One job of another shape would fail every batch that it is gathered into."""
    size = info.manifest.input.size
    if pixels.dtype == np.uint8 and pixels.size and pixels.shape[1:] == (size, size, 3):
        return None
    return Refusal(
        "invalid",
        f"{info.id} takes pixels uint8 (N, {size}, {size}, 3) with N >= 1, "
        f"received {pixels.dtype} {pixels.shape}",
    )


async def _outcome(served: _Served, job: Job, priority: Priority) -> Answer | Refusal:
    left = job.deadline - time.perf_counter()
    if left <= 0:
        return Refusal("expired", "the deadline had passed before the request was queued")
    if refusal := served.batcher.submit(job, priority):
        return refusal
    timer = asyncio.get_running_loop().call_later(
        left, job.expire, "the deadline passed before the engine answered"
    )
    try:
        return await job.future
    except asyncio.CancelledError:
        served.statistics.failure["CANCELED"] += 1
        raise
    finally:
        timer.cancel()
        if job.untaken:
            served.batcher.withdraw(job)


def _count_batch(statistics: Statistics, batch: Batch) -> None:
    requests = len(batch.slices)
    statistics.executions += 1
    statistics.images += batch.images
    statistics.input_seconds += (batch.started - batch.taken) * requests
    statistics.infer_seconds += batch.seconds * requests
    statistics.output_seconds += (time.perf_counter() - batch.finished) * requests
