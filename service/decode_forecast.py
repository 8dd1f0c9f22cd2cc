"""What is being decoded and what waits for it, and when a picture would be done that came now."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from service.batch_times import LEAP, WEIGHT
from service.forecast import SLACK
from service.seam import Priority


@dataclass(eq=False, slots=True)
class Picture:
    """One file on its way through the decoder. Files of one type, known by their first byte, share
    an estimate: a byte of PNG takes a tenth of what a byte of WebP takes."""

    kind: bytes
    size: int
    priority: Priority
    queued: bool = True
    started: float = 0.0


@dataclass(slots=True)
class _Rate:
    """Sums over the latest decodes, each counting less the longer it is ago."""

    seconds: float = 0.0
    size: float = 0.0

    def expected(self, size: float) -> float:
        return self.seconds / self.size * size if self.size else 0.0

    def update(self, size: int, seconds: float) -> None:
        if self.size:
            seconds = min(seconds, LEAP * self.expected(size))
        self.seconds += seconds - WEIGHT * self.seconds
        self.size += size - WEIGHT * self.size


class DecodeForecast:
    """Seconds per byte of a body, the one thing known before decoding that costs nothing to know;
    it predicts a JPEG better than its pixels do. Before the first decode it is 0: admit, and learn.

    Used by the event loop and by so many `threads`.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._lock = threading.Lock()
        self._rates: dict[bytes, _Rate] = {}
        self._deviation = 0.0
        self._bytes: tuple[Counter[bytes], ...] = tuple(Counter() for _ in Priority)
        self._waiting = 0
        self._busy = 0.0
        self._running: set[Picture] = set()

    @property
    def waiting(self) -> int:
        """Pictures that no thread has taken."""
        return self._waiting

    @property
    def busy_seconds(self) -> float:
        """Of all threads together since the start, what they are at now included."""
        with self._lock:
            now = time.perf_counter()
            return self._busy + sum(now - picture.started for picture in self._running)

    def queue(self, data: bytes, priority: Priority) -> Picture:
        """It waits for a thread from now on; must be `withdraw`n or started."""
        picture = Picture(data[:1], len(data), priority)
        with self._lock:
            self._bytes[priority][picture.kind] += picture.size
            self._waiting += 1
        return picture

    def withdraw(self, picture: Picture) -> None:
        """It will not be started; nothing happens where it was."""
        with self._lock:
            self._take(picture)

    def start(self, picture: Picture) -> None:
        """A thread has taken it."""
        with self._lock:
            self._take(picture)
            picture.started = time.perf_counter()
            self._running.add(picture)

    def end(self, picture: Picture, *, whole: bool) -> None:
        """The thread is done with it; what was not `whole` says nothing of those that are."""
        with self._lock:  # the clock, too, or `busy_seconds` could go back
            seconds = time.perf_counter() - picture.started
            self._running.discard(picture)
            self._busy += seconds
        if whole:
            self.update(picture.kind, picture.size, seconds)

    def update(self, kind: bytes, size: int, seconds: float) -> None:
        """Take in what one picture took."""
        with self._lock:
            rate = self._rates.setdefault(kind, _Rate())
            if expected := rate.expected(size):
                off = abs(min(seconds / expected, LEAP) - 1.0)
                self._deviation += WEIGHT * (off - self._deviation)
            rate.update(size, seconds)

    def seconds_to_decode(self, images: Sequence[bytes], priority: Priority) -> float:
        """Until the last of them is done, with something in hand as in `service.forecast`; 0.0
        while a thread idles: only by trying is an expectation corrected."""
        with self._lock:
            if len(self._running) + self._waiting < self.threads:
                return 0.0
            own = [self._expected(data[:1], len(data)) for data in images]
            ahead = sum(
                self._expected(kind, size)
                for lane in self._bytes[: priority + 1]
                for kind, size in lane.items()
            )
            longest = max(own, default=0.0)
            wait = _level(self._free_in(), ahead + sum(own) - longest)
            return (wait + longest) * (1.0 + SLACK) + 2.0 * self._deviation * longest

    def _take(self, picture: Picture) -> None:
        if picture.queued:
            picture.queued = False
            self._bytes[picture.priority][picture.kind] -= picture.size
            self._waiting -= 1

    def _expected(self, kind: bytes, size: int) -> float:
        rate = self._rates.get(kind)
        return rate.expected(size) if rate else 0.0

    def _free_in(self) -> list[float]:
        """For each thread. One that takes longer than expected is expected to be late for as long
        again as it is already."""
        now = time.perf_counter()
        running = [abs(self._expected(p.kind, p.size) - (now - p.started)) for p in self._running]
        return [*running, *[0.0] * (self.threads - len(running))]


def _level(free_in: Sequence[float], work: float) -> float:
    """When the first thread is free again once so much work was shared out among them."""
    total = work
    ordered = sorted(free_in)
    for count, (free, following) in enumerate(zip(ordered, [*ordered[1:], None], strict=True), 1):
        total += free
        if following is None or total <= following * count:
            return total / count
    return total
