"""Where requests wait and free instances take them: one lock, and a bell for each instance.

No polling: an instance that finds nothing sleeps until its bell is rung. The policy may let one
instance hold on for a fuller batch; it alone sleeps with a time limit.
"""

import threading
import time
from collections.abc import Sequence
from math import inf

from service.batch_times import BatchTimes
from service.fairness import Share, Turn
from service.instance import Instance
from service.job import Batch, Job
from service.lanes import Lanes
from service.policies import Policy
from service.seam import Priority


class WorkQueue:
    """Put to by the event loop alone, taken from by the instances' threads."""

    def __init__(
        self, lanes: Lanes, policy: Policy, times: BatchTimes, share: Share | None = None
    ) -> None:
        self.ended = False
        self._lanes = lanes
        self._policy = policy
        self._times = times
        self._share = share
        self._lock = threading.Lock()
        self._idle: list[Instance] = []
        self._holding: Instance | None = None

    @property
    def waiting(self) -> int:
        """Images that no instance has taken."""
        return self._lanes.total

    @property
    def has_idle(self) -> bool:
        """Whether an instance sleeps because there is nothing to do."""
        return bool(self._idle)

    def ahead_of(self, priority: Priority) -> int:
        """Images that are served before a job which came now."""
        return self._lanes.ahead_of(priority)

    def put(self, job: Job, priority: Priority) -> None:
        with self._lock:
            self._lanes.put(job, priority)
            self._wake()

    def take_out(self, job: Job) -> None:
        """What of the job has not been taken never will be."""
        with self._lock:
            self._lanes.take_out(job)

    def empty(self) -> list[Job]:
        """Take out everything."""
        with self._lock:
            return self._lanes.empty()

    def end(self, instances: Sequence[Instance]) -> None:
        """Nothing more will come: what is there is still handed out, then `take` says None."""
        with self._lock:
            self.ended = True
            self._idle.clear()
            self._holding = None
            for one in instances:
                if one.bell.locked():
                    one.bell.release()

    def take(self, me: Instance) -> Batch | None:
        """Block until there is a batch for this instance, or jobs to drop; None at the end."""
        while True:
            asked = time.perf_counter()
            competing = self._share is not None and self._share.gate.contended
            with self._lock:
                pause = self._pause(asked) if me.turn is None else 0.0
                if pause > 0:
                    if self.ended:
                        return None
                    self._park(me, pause)
                elif not competing and me.turn is None:
                    return self._cut(me, asked, None)
            if pause > 0:
                self._sleep(me, pause)
            elif batch := self._compete(me, asked):
                return batch

    def rest(self, me: Instance, seconds: float) -> None:
        """Sleep without taking anything, unless the end comes."""
        if not self.ended:
            me.bell.acquire(timeout=seconds)

    def next_seconds(self) -> float | None:
        """What the next batch may take; None where there is nothing to be taken."""
        now = time.perf_counter()
        with self._lock:
            if self._pause(now) > 0:
                return None
            return self._times.expected(min(self.waiting, self._policy.most(self._lanes, now)))

    def _compete(self, me: Instance, asked: float) -> Batch | None:
        """The batch is cut once there is a core for it: what has come meanwhile joins it."""
        turn, me.turn = me.turn, None
        if turn is None and self._share is not None:
            turn = self._share.ask(self.next_seconds() or 0.0)
        if turn is not None:
            turn.wait()
        with self._lock:
            batch = self._cut(me, asked, turn)
        if batch.slices:
            return batch
        if turn is not None:
            turn.end(0.0)
        return batch if batch.dropped else None

    def _cut(self, me: Instance, asked: float, turn: Turn | None) -> Batch:
        now = time.perf_counter()
        room, merge = self._policy.most(self._lanes, now), self._policy.merges
        least = self._times.expected(1)
        slices, dropped = self._lanes.cut(room, merge=merge, now=now, least=least)
        batch = Batch(slices, dropped, asked, now, turn)
        if slices:
            me.busy_until = now + self._times.expected(batch.images)
        if self._lanes.total:
            self._wake()
        return batch

    def _pause(self, now: float) -> float:
        """Seconds until something may be taken: 0 for at once, infinity where nothing waits."""
        if self._lanes.total == 0:
            return inf
        if self.ended:
            return 0.0
        return max(0.0, self._policy.hold_until(self._lanes) - now)

    def _park(self, me: Instance, pause: float) -> None:
        if pause < inf and self._holding is None:
            self._holding = me
        else:
            self._idle.append(me)

    def _sleep(self, me: Instance, pause: float) -> None:
        limit = pause if self._holding is me else -1
        if me.bell.acquire(timeout=limit):
            return
        with self._lock:
            if self._holding is me:
                self._holding = None
                return
        me.bell.acquire()  # rung between the time limit and the lock

    def _wake(self) -> None:
        """Ring for somebody to look after what waits, unless somebody is holding on for it."""
        if self._holding is not None:
            if self._pause(time.perf_counter()) > 0:
                return
            one, self._holding = self._holding, None
        elif self._idle:
            one = self._idle.pop()
        else:
            return
        one.bell.release()
