"""How many inference requests the front works on, and when it stops taking new ones."""

import asyncio
import time
from types import TracebackType
from typing import Any

from service.errors import RefusedError


class Admission:
    """Visits cover a whole request, slots the part after its body has arrived.

    Slots are bounded, so slow uploads cannot keep others out; what uploads hold is bounded in
    bytes, by `service.body`. After `close` nobody is let in any more.
    """

    def __init__(self, limit: int) -> None:
        self.slot = _Slots(limit)
        self._visits: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._expelled = False
        self._empty = asyncio.Event()
        self._last_arrival = 0.0

    @property
    def quiet(self) -> float:
        """Seconds since somebody was last at the door, let in or not."""
        return time.perf_counter() - self._last_arrival

    def visit(self, task: "asyncio.Task[Any] | None" = None) -> "_Visit":
        """A context around everything that a task, the current one, does for a request; raises
        RefusedError at the door."""
        self._last_arrival = time.perf_counter()
        if self._closed:
            raise RefusedError("the service is shutting down; send it elsewhere", retry_after=1.0)
        self.slot.require()
        task = task or asyncio.current_task()
        if task is None:
            raise RuntimeError("a visit needs a task, which can be made to end")
        self._visits.add(task)
        return _Visit(self, task)

    def leave(self, task: "asyncio.Task[Any]") -> bool:
        """The visit has ended; whether it was cancelled to make it end."""
        self._visits.discard(task)
        if self._closed and not self._visits:
            self._empty.set()
        return self._expelled

    async def close(self) -> None:
        """Let nobody in; return when the last visit has ended."""
        self._closed = True
        if self._visits:
            await self._empty.wait()

    async def expel(self) -> int:
        """End the visits that are left with a refusal; returns how many there were. Called once
        nobody is let in any more."""
        self._expelled = True
        visits = tuple(self._visits)
        for task in visits:
            task.cancel()
        if visits:
            await self._empty.wait()
        return len(visits)


class _Visit:
    __slots__ = ("_admission", "_task")

    def __init__(self, admission: Admission, task: "asyncio.Task[Any]") -> None:
        self._admission = admission
        self._task = task

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        expelled = self._admission.leave(self._task)
        if expelled and isinstance(error, asyncio.CancelledError):
            self._task.uncancel()
            raise RefusedError(
                "the service shut down before this request was done", retry_after=1.0
            ) from None


class _Slots:
    """A context around the work on a request, one for all; raises RefusedError when all slots are
    taken."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    def require(self) -> None:
        """Raises RefusedError when all are taken."""
        if self._taken >= self._limit:
            raise RefusedError(
                f"{self._taken} requests are in progress, the limit is {self._limit}; "
                "come again after Retry-After, or raise --max-requests",
                retry_after=1.0,
            )

    def __enter__(self) -> None:
        self.require()
        self._taken += 1

    def __exit__(self, *_: object) -> None:
        self._taken -= 1
