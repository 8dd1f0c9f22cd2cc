"""The jobs that wait, in order of arrival, one lane for each priority.

Not safe by itself: whoever calls holds the batcher's lock.
"""

from collections import deque

from service.job import Job, Slice
from service.seam import Priority


class Lanes:
    """`waiting`: images not taken yet, by lane; `total`: of all lanes. What is taken out in the
    middle stays in its lane, emptied, until its turn comes or there is too much of it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.waiting = [0 for _ in Priority]
        self.total = 0
        self._lanes: tuple[deque[Job], ...] = tuple(deque() for _ in Priority)
        self._lane_of: dict[Job, int] = {}
        self._emptied = 0

    @property
    def length(self) -> int:
        """Jobs held, emptied ones included."""
        return sum(map(len, self._lanes))

    def put(self, job: Job, priority: Priority) -> None:
        self._lanes[priority].append(job)
        self._lane_of[job] = priority
        self.waiting[priority] += job.untaken
        self.total += job.untaken

    def take_out(self, job: Job) -> None:
        """Nothing more of it will be taken; what was taken already is not called back."""
        lane = self._lane_of.pop(job, None)
        if lane is None:
            return
        self.waiting[lane] -= job.untaken
        self.total -= job.untaken
        job.forget()
        self._emptied += 1
        if self._emptied > self.capacity:
            for jobs in self._lanes:
                kept = [job for job in jobs if job.untaken]
                jobs.clear()
                jobs.extend(kept)
            self._emptied = 0

    def ahead_of(self, priority: Priority) -> int:
        """Images that are served before a job which came now."""
        return sum(self.waiting[: priority + 1])

    def oldest(self) -> float:
        """When the first of those waiting came; to be asked only when something waits."""
        heads = [lane[0].arrived for lane in self._lanes if self._skip_emptied(lane)]
        return min(heads)

    def empty(self) -> list[Job]:
        """Everything that waits, taken out."""
        jobs = list(self._lane_of)
        for job in jobs:
            self.take_out(job)
        return jobs

    def cut(
        self, room: int, *, merge: bool, now: float, least: float
    ) -> tuple[list[Slice], list[Job]]:
        """The next batch of up to `room` images, and the jobs dropped on the way to it: those
        whose deadline has passed, and those that would miss it even if they ran at once, alone,
        for `least` seconds. The last job is tried all the same: nobody waits behind it, and an
        expectation that was too long is corrected only by trying.
        """
        slices: list[Slice] = []
        dropped: list[Job] = []
        for number, lane in enumerate(self._lanes):
            while room and self._skip_emptied(lane):
                job = lane[0]
                if job.future.done() or (now + least >= job.deadline and self._is_lost(job, now)):
                    dropped.append(job)
                    self.take_out(job)
                    continue
                if slices and not merge:
                    return slices, dropped
                piece = job.cut(room)
                self.waiting[number] -= piece.images
                self.total -= piece.images
                if not job.untaken:
                    lane.popleft()
                    del self._lane_of[job]
                room -= piece.images
                slices.append(piece)
        return slices, dropped

    def _is_lost(self, job: Job, now: float) -> bool:
        return now >= job.deadline or self.total > job.untaken

    def _skip_emptied(self, lane: deque[Job]) -> bool:
        """Whether anything waits there, what was taken out put aside."""
        while lane and not lane[0].untaken:
            lane.popleft()
            self._emptied -= 1
        return bool(lane)
