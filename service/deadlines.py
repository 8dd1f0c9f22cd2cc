"""All open jobs of one model, and one timer for the earliest of their deadlines."""

import asyncio
import time
from collections.abc import Callable
from math import inf

from service.job import Job

GRAIN = 0.001
"""Seconds between two looks: what expires together is answered together."""


class Deadlines:
    """On the event loop that it was made on. `on_late` is called once for each job whose deadline
    passes while it is open.

    Most jobs end long before their deadline. A timer for each of them would cost more than a look
    through all of them now and then.
    """

    def __init__(self, on_late: Callable[[Job], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_late = on_late
        self._open: set[Job] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = inf

    def __len__(self) -> int:
        return len(self._open)

    def watch(self, job: Job) -> None:
        self._open.add(job)
        if job.deadline < self._armed_for:
            self._arm(job.deadline)

    def forget(self, job: Job) -> None:
        """It has ended."""
        self._open.discard(job)

    def empty(self) -> tuple[Job, ...]:
        """Forget all; returned to be ended."""
        jobs = tuple(self._open)
        self._open.clear()
        return jobs

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = deadline
        seconds = max(GRAIN, deadline - time.perf_counter())
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        now = time.perf_counter()
        self._timer, self._armed_for = None, inf
        for job in [job for job in self._open if job.deadline <= now]:
            self._open.discard(job)
            self._on_late(job)
        if self._open:
            self._arm(min(job.deadline for job in self._open))
