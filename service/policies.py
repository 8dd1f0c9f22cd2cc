"""When a free instance takes what is queued, and how much of it: one small object per policy.

Times are seconds, moments readings of `time.perf_counter`. `delay` is Triton's: counted from the
oldest request that waits. `slo` chooses as Clipper and Nexus do, by T(b).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from service.batch_times import BatchTimes
from service.settings import Batching, PolicyName


class Waiting(Protocol):
    """What a policy sees of the queue: `total` images, and when the oldest of them came."""

    total: int

    def oldest(self) -> float: ...


class Policy(Protocol):
    """`merges`: whether images of several requests may share a call; `per_call`: images of a call
    that can be counted on when many wait; `promise`: seconds within which a request is to be
    answered, or it is refused at once."""

    @property
    def merges(self) -> bool: ...

    @property
    def per_call(self) -> int: ...

    @property
    def promise(self) -> float: ...

    def hold_until(self, waiting: Waiting) -> float:
        """Before this moment what waits is left in the queue; the past means that an instance may
        take it now. Asked only when something waits."""
        ...

    def most(self, waiting: Waiting, now: float) -> int:
        """Images that a call which begins now may carry; at least 1."""
        ...


@dataclass(frozen=True)
class WorkConserving:
    """Take at once what is there: no instance idles while something waits."""

    max_batch: int
    merges: bool = True
    promise: float = inf

    @property
    def per_call(self) -> int:
        return self.max_batch if self.merges else 1

    def hold_until(self, waiting: Waiting) -> float:  # noqa: ARG002
        return 0.0

    def most(self, waiting: Waiting, now: float) -> int:  # noqa: ARG002
        return self.max_batch


@dataclass(frozen=True)
class Delay:
    """Wait up to `delay` seconds for a batch to fill."""

    max_batch: int
    delay: float
    merges: bool = True
    promise: float = inf

    @property
    def per_call(self) -> int:
        return self.max_batch

    def hold_until(self, waiting: Waiting) -> float:
        return 0.0 if waiting.total >= self.max_batch else waiting.oldest() + self.delay

    def most(self, waiting: Waiting, now: float) -> int:  # noqa: ARG002
        return self.max_batch


@dataclass(frozen=True)
class WithinSlo:
    """The largest batch with which the oldest request is still answered within `promise`.

    But `per_call` at least where as many wait: smaller calls would do so little work that the queue
    grows, the next request is later than this one, and soon every call has one image.
    """

    max_batch: int
    promise: float
    times: BatchTimes
    per_call: int
    merges: bool = True

    def hold_until(self, waiting: Waiting) -> float:  # noqa: ARG002
        return 0.0

    def most(self, waiting: Waiting, now: float) -> int:
        left = self.promise - (now - waiting.oldest()) if waiting.total else self.promise
        least = self.per_call if waiting.total >= self.per_call else 1
        for images in range(self.max_batch, least, -1):
            if self.times.expected(images) <= left:
                return images
        return least


KEPT = 0.8
"""Share of the best throughput that batches within an SLO keep."""


def _within_slo(batching: Batching, most: int, times: BatchTimes) -> Policy:
    sizes = range(1, most + 1)
    best = max(images / times.expected(images) for images in sizes)
    kept = next(size for size in sizes if size / times.expected(size) >= KEPT * best)
    return WithinSlo(most, batching.slo or inf, times, kept)


Make = Callable[[Batching, int, BatchTimes], Policy]

POLICIES: dict[PolicyName, Make] = {
    "none": lambda batching, most, times: WorkConserving(most, merges=False),  # noqa: ARG005
    "work-conserving": lambda batching, most, times: WorkConserving(most),  # noqa: ARG005
    "delay": lambda batching, most, times: Delay(most, batching.delay or 0.0),  # noqa: ARG005
    "slo": _within_slo,
}


def make_policy(batching: Batching, max_batch: int, times: BatchTimes) -> Policy:
    """The policy of this name with its figures."""
    return POLICIES[batching.policy](batching, max_batch, times)
