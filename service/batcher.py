"""Dynamic batching: a free instance takes from the queue as the model's policy says, by default
at once and all that is there. Every admitted job ends in an Answer or a Refusal.

Each instance is a thread that takes its next batch itself, so a busy event loop never keeps an
engine idle. One hand-over per batch goes back to the loop.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from inference.engine import Engine
from service.batch_times import BatchTimes
from service.busy import BusyTime
from service.deadlines import Deadlines
from service.fairness import Share
from service.forecast import seconds_to_answer
from service.give_way import give_way
from service.health import Probe
from service.instance import Instance
from service.job import Batch, Job
from service.lanes import Lanes
from service.policies import make_policy
from service.seam import Priority, Refusal
from service.settings import Batching
from service.work_queue import WorkQueue

log = logging.getLogger("stride.serve")

BatchObserver = Callable[[Batch], None]
_LATE = Refusal("expired", "the deadline passed before the engine answered")
_LOST = Refusal("expired", "the deadline was out of reach when the request's turn came")
_ENDING = Refusal("draining", "the service is shutting down", retry_after=1.0)


@dataclass(frozen=True)
class QueueRules:
    """`capacity`: images that may wait before a request, its own with them; `classes`: logits per
    image; `seconds`: of a call by its batch size, where measured; `probe`: how to tell whether an
    engine that failed is broken; `name`: of the model, for the log."""

    max_batch: int
    capacity: int
    classes: int
    batching: Batching = field(default_factory=Batching)
    seconds: Mapping[int, float] = field(default_factory=dict)
    probe: Probe | None = None
    name: str = "model"


class Batcher:
    """The queue of one model and the threads that empty it, one per engine.

    Lives on the event loop that is running when it is made; `submit`, `withdraw` and `drain` are
    called there. `observe` is called on the loop after each batch. `share`: of the cores, where
    models compete for them.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        rules: QueueRules,
        observe: BatchObserver,
        share: Share | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._rules = rules
        self._observe = observe
        self._share = share
        self._times = BatchTimes(rules.seconds)
        self._policy = make_policy(rules.batching, rules.max_batch, self._times)
        self._queue = WorkQueue(Lanes(rules.capacity), self._policy, self._times, share)
        self._deadlines = Deadlines(self._expire)
        self._done: deque[Batch] = deque()
        self._delivery_called = False
        slowest = max(rules.seconds.values(), default=0.0)
        self._instances = [
            Instance(e, rules.classes, rules.probe, name=f"{rules.name}-{i}", slowest=slowest)
            for i, e in enumerate(engines)
        ]
        self._serving = set(self._instances)
        self._over = asyncio.Event()
        self._closed = False
        for one in self._instances:
            threading.Thread(target=self._serve, args=(one,), name=one.name, daemon=True).start()

    @property
    def depth(self) -> int:
        """Images waiting for an instance."""
        return self._queue.waiting

    @property
    def pending(self) -> int:
        """Jobs admitted and not answered yet."""
        return len(self._deadlines)

    @property
    def busy(self) -> tuple[BusyTime, ...]:
        """How long each instance has been at work."""
        return tuple(one.busy for one in self._instances)

    @property
    def unready(self) -> str | None:
        """Why nothing is admitted now: every engine is broken or hangs."""
        reason = None
        for one in self._instances:
            reason = one.unready
            if reason is None:
                return None
        return reason

    def submit(self, job: Job, priority: Priority) -> Refusal | None:
        """Queue the job, or say why not; its future then holds the outcome."""
        if refusal := self._refuse(job, priority):
            return refusal
        self._queue.put(job, priority)
        self._deadlines.watch(job)
        return None

    def withdraw(self, job: Job) -> None:
        """Forget the job: what of it has not been taken by an instance never will be."""
        self._deadlines.forget(job)
        self._queue.take_out(job)

    async def drain(self) -> None:
        """Admit nothing more, finish what was admitted, then end the threads. Cancelled, it refuses
        what is left and leaves those behind that hang in a call; they are daemons."""
        self._queue.end(self._instances)
        try:
            await self._over.wait()
        finally:
            self._deliver()
            self._close()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for job in self._deadlines.empty():
            self._queue.take_out(job)
            job.end(_ENDING)
        for one in self._instances:
            if one in self._serving:
                log.error("left behind instance=%s engine=%s: it hangs", one.name, one.engine.name)
            else:
                one.engine.close()
        if self._share is not None:
            self._share.close()

    def _refuse(self, job: Job, priority: Priority) -> Refusal | None:
        queue, capacity = self._queue, self._rules.capacity
        if queue.ended:
            return _ENDING
        if reason := self.unready:
            return self._unavailable(reason)
        waiting = queue.waiting
        if waiting == 0 and queue.has_idle and job.images <= capacity:
            return None  # tried whatever is expected of it: only so is an expectation corrected
        ahead = queue.ahead_of(priority)  # what waits behind must not keep it out
        needed = self._needed(job.images, ahead)
        if ahead + job.images > capacity:
            return Refusal(
                "full",
                f"the queue is full: {ahead} of {capacity} images wait and this request brings "
                f"{job.images}; come again after Retry-After, or raise --queue-capacity",
                retry_after=needed,
            )
        left = min(job.deadline - time.perf_counter(), self._policy.promise)
        if needed <= left:
            return None
        return Refusal(
            "late",
            f"the deadline is out of reach: {ahead} images wait, the answer would take about "
            f"{needed:.3f} seconds and {max(left, 0):.3f} are left; come again after Retry-After",
            retry_after=needed - left,
        )

    def _needed(self, images: int, ahead: int) -> float:
        now = time.perf_counter()
        free_in = [max(0.0, one.busy_until - now) for one in self._instances if not one.unready]
        return seconds_to_answer(
            images,
            ahead=ahead,
            per_call=self._policy.per_call,
            free_in=free_in or (0.0,),
            times=self._times,
        )

    def _unavailable(self, reason: str) -> Refusal:
        pause = min(one.health.pause for one in self._instances)
        return Refusal("unavailable", f"the model is not ready: {reason}", retry_after=pause)

    def _expire(self, job: Job) -> None:
        self._queue.take_out(job)
        job.end(_LATE)

    # What instances do in their threads:

    def _serve(self, me: Instance) -> None:
        give_way()
        while (batch := self._queue.take(me)) is not None:
            if batch.slices:
                me.busy.start(batch.taken)
                me.run(batch)
                me.busy.end(batch.finished)
            if batch.slices and batch.turn is not None:
                again = self._queue.next_seconds() if me.well else None
                me.turn = batch.turn.end(batch.finished - batch.taken, again=again)
            self._done.append(batch)
            self._call_for_delivery()
            while not me.well and not self._queue.ended:
                self._recover(me)
        self._post(self._leave, me)

    def _recover(self, me: Instance) -> None:
        """Wait, and ask the engine again; when the last one has failed, nobody is kept waiting."""
        if self.unready:
            self._post(self._turn_away)
        self._queue.rest(me, me.health.pause)
        me.health.ask(me.engine)

    def _call_for_delivery(self) -> None:
        if not self._delivery_called:
            self._delivery_called = True
            self._post(self._deliver)

    def _post(self, callback: Callable[..., None], *arguments: Instance) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # left behind, and answered when all was over
            if not self._loop.is_closed():
                raise

    # What comes of it, on the loop:

    def _leave(self, one: Instance) -> None:
        self._serving.discard(one)
        if not self._serving:
            self._over.set()

    def _deliver(self) -> None:
        self._delivery_called = False
        while self._done:
            batch = self._done.popleft()
            for job in batch.dropped:
                self._end(job, _LOST)
            if batch.slices:
                self._deliver_batch(batch)

    def _deliver_batch(self, batch: Batch) -> None:
        failed, now = False, time.perf_counter()
        for piece, result in zip(batch.slices, batch.results, strict=True):
            job = piece.job
            if isinstance(result, Exception):
                failed = True
                self._queue.take_out(job)
                text = f"the engine failed on this request: {result}"
                self._end(job, Refusal("failed", text))
                continue
            if now >= job.deadline:  # the timer's turn has not come yet; the promise holds
                self._end(job, _LATE)
            job.deliver(piece, result, batch)
            if job.future.done():
                self._deadlines.forget(job)
        if not failed:
            self._times.update(batch.images, batch.finished - batch.asked)
        self._observe(batch)

    def _end(self, job: Job, outcome: Refusal) -> None:
        job.end(outcome)
        self._deadlines.forget(job)

    def _turn_away(self) -> None:
        if reason := self.unready:
            refusal = self._unavailable(reason)
            for job in self._queue.empty():
                self._end(job, refusal)
