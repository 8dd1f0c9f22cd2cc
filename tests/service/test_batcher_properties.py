"""What holds for the batcher whatever happens in whatever order: requests come, engines end calls,
clients go away, deadlines pass, pictures are poisoned, the service drains."""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inference.engine import Logits, Pixels
from service.batcher import Batcher, QueueRules
from service.job import Batch, Job
from service.seam import Answer, Priority, Refusal
from service.settings import Batching

BATCHINGS = (
    Batching(),
    Batching("none"),
    Batching("delay", delay=0.001),
    Batching("slo", slo=1e6),
)
CAPACITY = 12
PATIENCE = 30.0


class LedgerEngine:
    """A fake that holds every call until it is let go, and answers each picture with its number and
    its place in the request. Raises on poisoned ones."""

    name = "fake cpu fp32"
    max_batch = 64

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.inside = False
        self.ended = 0
        self.closed = False
        self.free = threading.Event()
        self._gate = threading.Semaphore(0)

    def infer(self, pixels: Pixels) -> Logits:
        self.sizes.append(len(pixels))
        seen = pixels.copy()
        self.inside = True
        if not self.free.is_set():
            self._gate.acquire()
        self.inside = False
        self.ended += 1
        assert (seen == pixels).all(), "the pictures changed while the engine computed"
        if pixels[:, 0, 0, 2].any():
            raise ValueError("poisoned picture")
        return pixels[:, 0, 0, :2].astype(np.float32)

    def let_go(self) -> None:
        self._gate.release()

    def close(self) -> None:
        self.closed = True


def pictures(number: int, images: int, *, poisoned: bool) -> Pixels:
    """(N, 1, 1, 3): the request's number, the picture's place in it, and whether it is poison."""
    return np.array([[[[number, i, poisoned and i == 0]]] for i in range(images)], np.uint8)


class BatcherMachine(RuleBasedStateMachine):
    """Drives one batcher on a loop of its own."""

    @initialize(
        engines=strategies.integers(1, 3),
        max_batch=strategies.integers(1, 4),
        batching=strategies.sampled_from(BATCHINGS),
    )
    def begin(self, engines: int, max_batch: int, batching: Batching) -> None:
        self.loop = asyncio.new_event_loop()
        self.engines = [LedgerEngine() for _ in range(engines)]
        self.max_batch, self.batching = max_batch, batching
        self.batches: list[Batch] = []
        self.numbers: dict[Job, int] = {}
        self.lanes: dict[Job, Priority] = {}
        self.poisoned: set[Job] = set()
        self.given_up: set[Job] = set()
        rules = QueueRules(max_batch=max_batch, capacity=CAPACITY, classes=2, batching=batching)

        async def make() -> Batcher:
            return Batcher(self.engines, rules, self.batches.append)

        self.batcher = self.run(make())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < limit, what
            await asyncio.sleep(0.0002)

    def settle(self) -> None:
        """No instance idles while something waits: either the queue is empty, or all are busy."""
        busy = self.engines
        self.run(
            self.until(
                lambda: self.batcher.depth == 0 or all(engine.inside for engine in busy),
                "an instance idles while something waits",
            )
        )

    @rule(
        images=strategies.integers(1, 6),
        priority=strategies.sampled_from(Priority),
        poisoned=strategies.sampled_from([False, False, False, True]),
        seconds=strategies.sampled_from([1000.0, 1000.0, 0.004]),
    )
    def submit(self, images: int, priority: Priority, poisoned: bool, seconds: float) -> None:
        number = len(self.numbers)
        if number > 250:
            return

        async def put() -> tuple[Job, Refusal | None]:
            deadline = time.perf_counter() + seconds
            job = Job(pictures(number, images, poisoned=poisoned), deadline)
            return job, self.batcher.submit(job, priority)

        depth = self.batcher.depth
        job, refusal = self.run(put())
        if refusal is not None:
            assert refusal.kind == "late" or depth + images > CAPACITY
            return
        self.numbers[job], self.lanes[job] = number, priority
        if poisoned:
            self.poisoned.add(job)
        if seconds < 1:
            self.given_up.add(job)
            self.run(asyncio.wait_for(asyncio.shield(job.future), PATIENCE))
        self.settle()

    @rule(sizes=strategies.lists(strategies.integers(1, 3), min_size=2, max_size=6))
    def submit_several(self, sizes: list[int]) -> None:
        for images in sizes:
            self.submit(images, Priority.NORMAL, poisoned=False, seconds=1000.0)

    @rule(which=strategies.integers(0, 2))
    def engine_ends_a_call(self, which: int) -> None:
        inside = [engine for engine in self.engines if engine.inside]
        if not inside:  # no precondition: what is drawn must not depend on the threads' timing
            return
        engine = inside[which % len(inside)]
        ended = engine.ended
        engine.let_go()
        self.run(self.until(lambda: engine.ended > ended, "the call does not end"))
        self.settle()

    @rule(which=strategies.integers(0, 250))
    def client_goes_away(self, which: int) -> None:
        jobs = [job for job in self.numbers if not job.future.done()]
        if not jobs:
            return
        job = jobs[which % len(jobs)]
        self.given_up.add(job)
        job.future.cancel()
        self.batcher.withdraw(job)
        self.settle()

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "batcher"):
            return
        assert self.batcher.depth <= len(Priority) * CAPACITY
        assert self.batcher.pending == sum(not job.future.done() for job in self.numbers)
        for engine in self.engines:
            assert all(size <= self.max_batch for size in engine.sizes)

    def teardown(self) -> None:
        if not hasattr(self, "batcher"):
            return
        for engine in self.engines:
            engine.free.set()
            engine.let_go()
        self.run(asyncio.wait_for(self.batcher.drain(), PATIENCE))
        assert (self.batcher.depth, self.batcher.pending) == (0, 0)
        assert all(engine.closed for engine in self.engines)
        for job in self.numbers:
            self.check_outcome(job)
        self.check_batches()
        self.loop.close()

    def check_outcome(self, job: Job) -> None:
        assert job.future.done(), "a request was admitted and never answered"
        if job in self.given_up:
            return
        outcome = job.future.result()
        if job in self.poisoned:
            assert isinstance(outcome, Refusal)
            assert outcome.kind == "failed"
            return
        assert isinstance(outcome, Answer), "an innocent request has failed"
        expected = [[self.numbers[job], place] for place in range(job.images)]
        assert outcome.logits.tolist() == expected

    def check_batches(self) -> None:
        """In the order in which they were cut, each lane's pictures come as they were sent."""
        in_order = sorted(self.batches, key=lambda batch: batch.taken)
        for lane in Priority:
            taken = [
                (self.numbers[piece.job], piece.start)
                for batch in in_order
                for piece in batch.slices
                if self.lanes[piece.job] == lane
            ]
            assert all(earlier < later for earlier, later in itertools.pairwise(taken))
        if self.batching.policy == "none":
            assert all(len(batch.slices) == 1 for batch in self.batches)


BatcherMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True
)
test_batcher_whatever_happens = BatcherMachine.TestCase
