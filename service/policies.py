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
    """`merges`: whether images of several requests may share a call; `promise`: seconds within
    which a request is to be answered, or it is refused at once."""

    @property
    def merges(self) -> bool: ...

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

    def hold_until(self, waiting: Waiting) -> float:
        return 0.0 if waiting.total >= self.max_batch else waiting.oldest() + self.delay

    def most(self, waiting: Waiting, now: float) -> int:  # noqa: ARG002
        return self.max_batch


@dataclass(frozen=True)
class WithinSlo:
    """The largest batch with which the oldest request is still answered within `promise`."""

    max_batch: int
    promise: float
    times: BatchTimes
    merges: bool = True

    def hold_until(self, waiting: Waiting) -> float:  # noqa: ARG002
        return 0.0

    def most(self, waiting: Waiting, now: float) -> int:
        left = self.promise - (now - waiting.oldest()) if waiting.total else self.promise
        for images in range(self.max_batch, 1, -1):
            if self.times.expected(images) <= left:
                return images
        return 1


Make = Callable[[Batching, int, BatchTimes], Policy]

POLICIES: dict[PolicyName, Make] = {
    "none": lambda batching, most, times: WorkConserving(most, merges=False),  # noqa: ARG005
    "work-conserving": lambda batching, most, times: WorkConserving(most),  # noqa: ARG005
    "delay": lambda batching, most, times: Delay(most, batching.delay or 0.0),  # noqa: ARG005
    "slo": lambda batching, most, times: WithinSlo(most, batching.slo or inf, times),
}


def make_policy(batching: Batching, max_batch: int, times: BatchTimes) -> Policy:
    """The policy of this name with its figures."""
    return POLICIES[batching.policy](batching, max_batch, times)
