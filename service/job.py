"""One admitted request on its way through the batcher, and the pieces a batch is cut from."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np

from inference.engine import Logits, Pixels
from service.fairness import Turn
from service.seam import Answer, Refusal

_GONE: Pixels = np.empty((0, 0, 0, 3), np.uint8)


class Job:
    """Pixels (N, H, W, 3) waiting for logits; a job larger than the room left is split.

    `future` receives an Answer or a Refusal on the loop that made the job; `deadline` and `arrived`
    are readings of `time.perf_counter`. Compared by identity.
    """

    __slots__ = (
        "_first_started",
        "_gathering",
        "_largest",
        "_last_finished",
        "_logits",
        "_undelivered",
        "arrived",
        "deadline",
        "future",
        "images",
        "pixels",
        "untaken",
    )

    def __init__(self, pixels: Pixels, deadline: float) -> None:
        self.pixels = pixels
        self.deadline = deadline
        self.images = len(pixels)
        self.untaken = self.images
        self.future: asyncio.Future[Answer | Refusal] = asyncio.get_running_loop().create_future()
        self.arrived = time.perf_counter()
        self._first_started = 0.0
        self._gathering = 0.0
        self._last_finished = 0.0
        self._largest = 0
        self._undelivered = self.images
        self._logits: Logits | None = None

    def cut(self, room: int) -> "Slice":
        """Take up to `room` images off the front of what is left."""
        if room >= self.images == self.untaken:
            self.untaken = 0
            return Slice(self, 0, self.images, self.pixels)
        start = self.images - self.untaken
        count = min(room, self.untaken)
        self.untaken -= count
        return Slice(self, start, count, self.pixels[start : start + count])

    def forget(self) -> None:
        """Nobody will take what is left; its memory is let go."""
        self.untaken = 0
        self.pixels = _GONE

    def deliver(self, piece: "Slice", logits: Logits, batch: "Batch") -> None:
        """Take in one piece's logits; the last one closes the job."""
        started, finished, gathering = batch.started, batch.finished, batch.started - batch.taken
        if piece.images == self.images:
            queue = started - self.arrived
            answer = Answer(
                logits, queue, finished - started, gathering, self.arrived, batch.images
            )
            self.end(answer)
            return
        if self._logits is None:
            self._logits = np.empty((self.images, logits.shape[1]), np.float32)
        if not self._first_started or started < self._first_started:
            self._first_started, self._gathering = started, gathering
        self._last_finished = max(finished, self._last_finished)
        self._logits[piece.start : piece.start + piece.images] = logits
        self._largest = max(self._largest, batch.images)
        self._undelivered -= piece.images
        if self._undelivered == 0:
            queue = self._first_started - self.arrived
            computing = self._last_finished - self._first_started
            self.end(
                Answer(self._logits, queue, computing, self._gathering, self.arrived, self._largest)
            )

    def end(self, outcome: Answer | Refusal) -> None:
        """Give the outcome to whoever still waits for one."""
        if not self.future.done():
            self.future.set_result(outcome)


@dataclass(slots=True)
class Slice:
    """Images `start` to `start + images` of a job, and their pixels."""

    job: Job
    start: int
    images: int
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class EngineCall:
    """How many images it had, and the seconds of putting them together and in the engine."""

    images: int
    gathering: float
    seconds: float


@dataclass(slots=True)
class Batch:
    """What one engine call carried, when it was taken and ran, and what came of each slice.

    `calls`: more than one where that call failed and each slice was tried alone.
    `asked`: when the instance was free for it; `turn`: its right to run, where models compete for
    cores; `dropped`: jobs left out since their deadline had passed or was out of reach.
    """

    slices: list[Slice]
    dropped: list[Job]
    asked: float
    taken: float
    turn: Turn | None = None
    images: int = field(init=False)
    started: float = 0.0
    finished: float = 0.0
    results: list[Logits | Exception] = field(default_factory=list)
    calls: list[EngineCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.images = sum([piece.images for piece in self.slices])

    @property
    def failures(self) -> int:
        """Slices whose call failed."""
        return sum([isinstance(result, Exception) for result in self.results])

    @property
    def seconds(self) -> float:
        return self.finished - self.started
