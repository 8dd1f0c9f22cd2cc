"""Where requests come from: a crowd that does not wait, or clients that do. Times are readings of
`time.perf_counter`, which on Linux is one clock for all processes of a machine."""

import math
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Due(NamedTuple):
    """A request that is to be sent at a `moment`: the body of this `number`, modulo how many there
    are; `query`: by what name its sender knows it."""

    moment: float
    number: int
    query: int = 0


class Traffic(Protocol):
    """Asked by the generator, from its one thread."""

    def next_due(self) -> float:
        """When the next request is due; infinite while none will be without an answer."""
        ...

    def take(self) -> Due:
        """The one that `next_due` told of, which is over with that."""
        ...

    def answered(self, due: Due, now: float, *, ok: bool) -> None:
        """That request has come to its end, one way or another."""
        ...

    def over(self, now: float) -> bool:
        """Nothing will be due any more."""
        ...


class Crowd:
    """Open loop: `moments`, seconds from `start`, whatever becomes of earlier ones."""

    def __init__(self, moments: Iterator[float], start: float) -> None:
        self._moments, self._start = moments, start
        self._next = math.inf
        self._taken = 0
        self._step()

    def next_due(self) -> float:
        return self._next

    def take(self) -> Due:
        due = Due(self._next, self._taken)
        self._taken += 1
        self._step()
        return due

    def answered(self, due: Due, now: float, *, ok: bool) -> None:
        """Nobody waited for it."""

    def over(self, now: float) -> bool:  # noqa: ARG002
        return self._next == math.inf

    def _step(self) -> None:
        self._next = self._start + next(self._moments, math.inf)


PAUSE = 0.05
"""Seconds that a client waits after a failure: a service that refuses at once must not be asked
ten thousand times a second."""


class Clients:
    """Closed loop: so many clients from `start` to `end`, each of which asks again at once when it
    is answered."""

    def __init__(self, count: int, start: float, end: float) -> None:
        self._end = end
        self._due: deque[float] = deque([start] * count)
        self._paused: deque[float] = deque()
        self._taken = 0

    def next_due(self) -> float:
        due = self._earlier()
        return due[0] if due else math.inf

    def take(self) -> Due:
        self._taken += 1
        return Due(self._earlier().popleft(), self._taken - 1)

    def answered(self, due: Due, now: float, *, ok: bool) -> None:  # noqa: ARG002
        moment, line = (now, self._due) if ok else (now + PAUSE, self._paused)
        if moment < self._end:
            line.append(moment)

    def over(self, now: float) -> bool:
        return now >= self._end

    def _earlier(self) -> deque[float]:
        if self._paused and (not self._due or self._paused[0] < self._due[0]):
            return self._paused
        return self._due
