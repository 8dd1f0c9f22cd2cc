"""The core in this process: deadlines and statistics around one batcher per model, and the
models' coming and going."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np

from inference.engine import Pixels
from measuring.cores import available_cores
from service.batcher import Batcher, QueueRules
from service.fairness import CoreGate
from service.job import Batch, Job
from service.lineup import UNLOADED, Lineup
from service.loading import Chosen, Loaded
from service.metrics import Metrics
from service.repository import Repository
from service.seam import Answer, Entry, ModelInfo, Priority, Refusal, RefusalKind
from service.statistics import BatchStatistics, Statistics
from service.switching import Switching

_FAILURE: dict[RefusalKind, str] = {
    "full": "REJECTED",
    "late": "REJECTED",
    "draining": "REJECTED",
    "unavailable": "REJECTED",
    "expired": "REJECTED",
    "failed": "BACKEND",
    "unknown": "OTHER",
    "invalid": "OTHER",
}
"""Triton's failure reason for each refusal."""
_PASSED = Refusal("expired", "the deadline had passed before the request was queued")


class LocalCore:
    """Implements `service.seam.Core` with threads of this process.

    Models are opened one after the other, so that their warm-ups do not disturb each other's
    measurement. `start` opens the first ones; until it is done `unready` says so. `drain` ends what
    was admitted. Without a `repository`, only what was `add`ed is known.
    """

    def __init__(self, metrics: Metrics, repository: Repository | None = None) -> None:
        self._metrics = metrics
        self._repository = repository
        self._lineup = Lineup()
        self._gate = CoreGate(available_cores())
        self._switching = Switching(self._lineup, repository, self.add, self._remove)
        self._state: str | None = "loading: no model is open yet"
        self._draining = False

    async def start(self, models: Sequence[Chosen], *, queue_capacity: int) -> None:
        """Raises what opening an engine raises; a drain in the meantime ends the loading."""
        async with self._switching.one_at_a_time:
            for number, chosen in enumerate(models, 1):
                identity = chosen.artifact.manifest.id
                self._state = f"loading {identity}, model {number} of {len(models)}"
                if not await self._switching.open(chosen, queue_capacity):
                    return
        self._state = None

    def add(self, loaded: Loaded) -> None:
        """Serve this model from now on, instead of the one that had its id."""

        def start(totals: Statistics) -> Batcher:
            return self._start(loaded, totals)

        before = self._lineup.served.get(loaded.info.id)
        old = self._lineup.switch(loaded, start)
        batcher = self._lineup.served[loaded.info.id].batcher
        if before is not None:
            self._metrics.withdraw(before.info)
        self._metrics.declare(
            loaded.info,
            depth=lambda: batcher.depth,
            ready=lambda: batcher.unready is None,
            busy=batcher.busy,
            start=loaded.seconds,
        )
        if old is not None:
            self._switching.retire(old)

    def models(self) -> tuple[ModelInfo, ...]:
        return self._lineup.infos

    def unready(self) -> str | None:
        if self._state is not None:
            return self._state
        reasons = [self.unready_model(identity) for identity in self._lineup.served]
        if None in reasons:
            return None
        return "; ".join(filter(None, reasons)) or "no model is loaded"

    def unready_model(self, model: str) -> str | None:
        served = self._lineup.served.get(model)
        return served.batcher.unready if served else f"model {model!r} is not loaded"

    def draining(self) -> bool:
        return self._draining

    def statistics(self) -> dict[str, Statistics]:
        return self._lineup.statistics

    def pending(self) -> dict[str, int]:
        """Admitted and not yet answered requests by model."""
        return {identity: s.batcher.pending for identity, s in self._lineup.served.items()}

    def index(self) -> tuple[Entry, ...]:
        return self._lineup.entries(self._repository.ids() if self._repository else ())

    async def load(self, name: str) -> Refusal | None:
        return await self._switching.load(name)

    async def unload(self, name: str) -> Refusal | None:
        return await self._switching.unload(name)

    async def reload(self) -> None:
        await self._switching.reload()

    def leave_off(self, model: str) -> None:
        """As if it had been unloaded: a reload leaves it alone."""
        self._lineup.switched_off.add(model)
        self._lineup.notes[model] = UNLOADED

    def announce_drain(self) -> None:
        """Be unready from now on, and go on serving."""
        self._draining = True
        self._switching.end()
        self._state = "draining: the service is shutting down"

    async def drain(self, within: float | None = None) -> bool:
        """Refuse new requests, finish the admitted ones, close the engines. False where after so
        many seconds something still hung and was left behind, what was unanswered refused."""
        self.announce_drain()
        batchers = [served.batcher for served in self._lineup.served.values()]
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(
                    self._switching.finish(), *(batcher.drain() for batcher in batchers)
                )
        except TimeoutError:
            return False
        return True

    async def submit(
        self, model: str, pixels: Pixels, *, deadline: float, priority: Priority = Priority.NORMAL
    ) -> Answer | Refusal:
        served = self._lineup.served.get(model)
        if served is None:
            return Refusal("unknown", f"model {model!r} is not loaded")
        if refusal := _unfit(served.info, pixels):
            return refusal
        totals, job = served.statistics, Job(pixels, deadline)
        refusal = _PASSED if deadline <= job.arrived else served.batcher.submit(job, priority)
        try:
            outcome = await job.future if refusal is None else refusal
        except asyncio.CancelledError:
            served.batcher.withdraw(job)
            _count_failure(totals, "CANCELED", job)
            raise
        if isinstance(outcome, Answer):
            _count_answer(totals, outcome, time.perf_counter() - job.arrived)
            self._metrics.computed(model, outcome.queue, outcome.inference)
        else:
            _count_failure(totals, _FAILURE[outcome.kind], job)
        return outcome

    def _remove(self, model: str, reason: str) -> Batcher:
        """Serve it no longer; returned to be drained."""
        self._metrics.withdraw(self._lineup.served[model].info)
        return self._lineup.remove(model, reason)

    def _start(self, loaded: Loaded, totals: Statistics) -> Batcher:
        info = loaded.info

        def observe(batch: Batch) -> None:
            self._metrics.batch(info.id, batch.images)
            _count_batch(totals, batch)

        rules = QueueRules(
            max_batch=info.max_batch,
            capacity=info.queue_capacity,
            classes=len(info.manifest.labels),
            batching=info.batching,
            seconds=info.seconds_by_batch,
            probe=loaded.probe,
            name=info.id,
        )
        on_cpu = info.device == "cpu"
        share = self._gate.join(threads=info.threads, instances=info.instances) if on_cpu else None
        return Batcher(loaded.engines, rules, observe, share)


def _unfit(info: ModelInfo, pixels: Pixels) -> Refusal | None:
    """One job of another shape would fail every batch that it is gathered into."""
    size = info.manifest.input.size
    fits = pixels.dtype == np.uint8 and pixels.size and pixels.shape[1:] == (size, size, 3)
    if fits and len(pixels) <= info.queue_capacity:
        return None
    return Refusal(
        "invalid",
        f"{info.id} takes pixels uint8 (N, {size}, {size}, 3) with N from 1 to "
        f"{info.queue_capacity}, received {pixels.dtype} {pixels.shape}",
    )


def _count_failure(totals: Statistics, reason: str, job: Job) -> None:
    totals.failure[reason] += 1
    totals.failure_seconds += time.perf_counter() - job.arrived


def _count_answer(totals: Statistics, answer: Answer, seconds: float) -> None:
    """The parts do not overlap and add up to `seconds`, also where the request was cut: a client
    that subtracts them finds what is left of the time it has measured itself."""
    totals.success += 1
    totals.images += len(answer.logits)
    totals.request_seconds += seconds
    totals.queue_seconds += answer.queue - answer.gathering
    totals.input_seconds += answer.gathering
    totals.infer_seconds += answer.inference
    totals.output_seconds += max(0.0, seconds - answer.queue - answer.inference)


def _count_batch(totals: Statistics, batch: Batch) -> None:
    """Every call that the engine was given, those that failed and the single ones after them
    included; handing over is the last one's."""
    delivered = time.perf_counter() - batch.finished
    totals.last_inference = int(time.time() * 1e3)
    totals.executions += len(batch.calls)
    for call in batch.calls:
        size = totals.batches.get(call.images)
        if size is None:
            size = totals.batches[call.images] = BatchStatistics()
        size.executions += 1
        size.input_seconds += call.gathering
        size.infer_seconds += call.seconds
        size.output_seconds += delivered if call is batch.calls[-1] else 0.0
