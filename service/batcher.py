"""Work-conserving dynamic batching: a free instance takes what is queued at once.

No timer and no polling. Requests wait in lanes under one lock; each instance is a thread that
cuts the next batch itself, so a busy event loop never keeps an engine idle. One hand-over per
batch goes back to the loop. Every admitted job ends in an Answer or a Refusal.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.engine import Engine, Logits, Pixels
from service.errors import EngineFailedError
from service.job import Batch, Job, Slice
from service.seam import Priority, Refusal

BatchObserver = Callable[[Batch], None]
Result = Logits | Exception


@dataclass(frozen=True)
class QueueRules:
    """`capacity`: images that may wait; `classes`: logits per image; `seconds_per_image`: the
    first guess at an engine's speed, corrected by every batch."""

    max_batch: int
    capacity: int
    classes: int
    seconds_per_image: float = 0.0


class Batcher:
    """The queue of one model and the threads that empty it, one per engine.

    Lives on the event loop that is running when it is made; `submit`, `withdraw` and `drain` are
    called there. `observe` is called on the loop after each batch.
    """

    def __init__(
        self, engines: Sequence[Engine], queue: QueueRules, observe: BatchObserver
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._engines = engines
        self._rules = queue
        self._observe = observe
        self._lanes: tuple[deque[Job], ...] = tuple(deque() for _ in Priority)
        self._changed = threading.Condition()
        self._waiting = 0
        self._open_jobs = 0
        self._draining = False
        self._seconds_per_image = queue.seconds_per_image
        self._threads = [
            threading.Thread(target=self._serve, args=(engine,), name=f"instance-{i}", daemon=True)
            for i, engine in enumerate(engines)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """Images waiting for an instance."""
        return self._waiting

    @property
    def pending(self) -> int:
        """Jobs admitted and not answered yet."""
        return self._open_jobs

    def submit(self, job: Job, priority: Priority) -> Refusal | None:
        """Queue the job, or say why not; its future then holds the outcome."""
        with self._changed:
            if self._draining:
                return Refusal("draining", "the service is shutting down", retry_after=1.0)
            if self._waiting + job.images > self._rules.capacity:
                return self._full(job.images)
            if refusal := self._late(job.deadline):
                return refusal
            self._lanes[priority].append(job)
            self._waiting += job.images
            self._open_jobs += 1
            self._changed.notify()
        job.future.add_done_callback(self._closed)
        return None

    def withdraw(self, job: Job) -> None:
        """Forget what of the job has not been taken by an instance."""
        with self._changed:
            for lane in self._lanes:
                if job in lane:
                    lane.remove(job)
                    self._waiting -= job.untaken

    async def drain(self) -> None:
        """Admit nothing more, finish what was admitted, then end the threads."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        for engine in self._engines:
            engine.close()

    def _full(self, images: int) -> Refusal:
        return Refusal(
            "full",
            f"the queue is full: {self._waiting} of {self._rules.capacity} images wait and this "
            f"request brings {images}; come again after Retry-After, or raise --queue-capacity",
            retry_after=self._wait(),
        )

    def _late(self, deadline: float) -> Refusal | None:
        """Said at once, where waiting would only end in a passed deadline."""
        wait, left = self._wait(), deadline - time.perf_counter()
        if wait <= left:
            return None
        return Refusal(
            "late",
            f"the deadline is out of reach: {self._waiting} images wait, about {wait:.3f} seconds "
            f"of work, and {max(left, 0):.3f} are left; come again after Retry-After",
            retry_after=wait - left,
        )

    def _wait(self) -> float:
        """Seconds until an image queued now would begin."""
        return self._waiting * self._seconds_per_image / len(self._engines)

    def _closed(self, _: object) -> None:
        self._open_jobs -= 1

    def _serve(self, engine: Engine) -> None:
        while (slices := self._take()) is not None:
            batch = Batch(slices, taken=time.perf_counter())
            batch.results = self._infer(engine, batch, slices)
            batch.finished = time.perf_counter()
            self._loop.call_soon_threadsafe(self._deliver, batch)

    def _take(self) -> list[Slice] | None:
        """Block until there is work; None once draining and empty."""
        with self._changed:
            while True:
                if slices := self._cut():
                    return slices
                if self._draining:
                    return None
                self._changed.wait()

    def _cut(self) -> list[Slice]:
        slices: list[Slice] = []
        room = self._rules.max_batch
        for lane in self._lanes:
            while lane and room:
                if lane[0].abandoned:
                    self._waiting -= lane.popleft().untaken
                    continue
                piece = lane[0].cut(room)
                if lane[0].untaken == 0:
                    lane.popleft()
                room -= piece.images
                self._waiting -= piece.images
                slices.append(piece)
        return slices

    def _infer(self, engine: Engine, batch: Batch, slices: list[Slice]) -> list[Result]:
        """One result per slice; when a batch of several fails, each runs once more alone."""
        try:
            pixels = _gather(slices)
            batch.started = batch.started or time.perf_counter()
            logits = engine.infer(pixels)
            if logits.shape != (expected := (len(pixels), self._rules.classes)):
                raise EngineFailedError(f"it answered shape {logits.shape}, expected {expected}")
        except Exception as error:  # noqa: BLE001  an engine may raise anything
            if len(slices) == 1:
                return [error]
            return [result for piece in slices for result in self._infer(engine, batch, [piece])]
        ends = np.cumsum([piece.images for piece in slices])
        return list(np.split(logits, ends[:-1]))

    def _deliver(self, batch: Batch) -> None:
        per_image = batch.seconds / batch.images
        self._seconds_per_image += 0.1 * (per_image - self._seconds_per_image)
        for piece, result in zip(batch.slices, batch.results, strict=True):
            piece.job.deliver(piece, result, started=batch.started, finished=batch.finished)
        self._observe(batch)


def _gather(slices: list[Slice]) -> Pixels:
    if len(slices) == 1:
        return slices[0].pixels
    return np.concatenate([piece.pixels for piece in slices])
