"""One admitted request on its way through the batcher, and the pieces a batch is cut from."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np

from inference.engine import Logits, Pixels
from service.seam import Answer, Refusal


class Job:
    """Pixels (N, H, W, 3) waiting for logits; a job larger than the room left is split.

    `future` receives an Answer or a Refusal on the loop that made the job; `deadline` is a reading
    of `time.perf_counter`. Compared by identity.
    """

    def __init__(self, pixels: Pixels, deadline: float) -> None:
        self.pixels = pixels
        self.deadline = deadline
        self.images = len(pixels)
        self.untaken = self.images
        self.future: asyncio.Future[Answer | Refusal] = asyncio.get_running_loop().create_future()
        self._arrived = time.perf_counter()
        self._first_started: float | None = None
        self._undelivered = self.images
        self._logits: Logits | None = None

    def cut(self, room: int) -> "Slice":
        """Take up to `room` images off the front of what is left."""
        start = self.images - self.untaken
        count = min(room, self.untaken)
        self.untaken -= count
        return Slice(self, start, count)

    @property
    def abandoned(self) -> bool:
        """Nobody waits for it any more; may be asked from any thread."""
        return self.future.done() or time.perf_counter() >= self.deadline

    def expire(self, message: str) -> None:
        self._end(Refusal("expired", message))

    def deliver(
        self, piece: "Slice", result: Logits | Exception, *, started: float, finished: float
    ) -> None:
        """Take in one piece's logits (or the engine's error); the last one closes the job."""
        if isinstance(result, Exception):
            self._end(Refusal("failed", f"the engine failed on this request: {result}"))
            return
        if self._logits is None:
            self._logits = np.empty((self.images, result.shape[1]), np.float32)
        self._first_started = min(started, self._first_started or started)
        self._logits[piece.start : piece.start + piece.images] = result
        self._undelivered -= piece.images
        if self._undelivered == 0:
            queue = self._first_started - self._arrived
            self._end(Answer(self._logits, queue, finished - self._first_started))

    def _end(self, outcome: Answer | Refusal) -> None:
        if not self.future.done():
            self.future.set_result(outcome)


@dataclass(frozen=True)
class Slice:
    """Images `start` to `start + images` of a job."""

    job: Job
    start: int
    images: int

    @property
    def pixels(self) -> Pixels:
        return self.job.pixels[self.start : self.start + self.images]


@dataclass
class Batch:
    """What one engine call carried, when it was taken and ran, and what came of each slice."""

    slices: list[Slice]
    taken: float
    started: float = 0.0
    finished: float = 0.0
    results: list[Logits | Exception] = field(default_factory=list)

    @property
    def images(self) -> int:
        return sum(piece.images for piece in self.slices)

    @property
    def seconds(self) -> float:
        return self.finished - self.started
