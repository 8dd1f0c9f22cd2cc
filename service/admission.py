"""How many inference requests the front works on, and when it stops taking new ones."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from service.errors import RefusedError


class Admission:
    """Visits cover a whole request, slots the part after its body has arrived.

    Slots are bounded, so slow uploads cannot keep others out; what uploads hold is bounded in
    bytes, by `service.body`. After `close` nobody is let in any more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots = 0
        self._visits: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._expelled = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._last_arrival = 0.0

    @property
    def quiet(self) -> float:
        """Seconds since somebody was last at the door, let in or not."""
        return time.perf_counter() - self._last_arrival

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Around everything a request does; raises RefusedError at the door."""
        self._last_arrival = time.perf_counter()
        if self._closed:
            raise RefusedError("the service is shutting down; send it elsewhere", retry_after=1.0)
        self._require_slot()
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._visits.add(task)
        self._empty.clear()
        try:
            yield
        except asyncio.CancelledError:
            if not self._expelled:
                raise
            task.uncancel()
            raise RefusedError(
                "the service shut down before this request was done", retry_after=1.0
            ) from None
        finally:
            self._visits.discard(task)
            if not self._visits:
                self._empty.set()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Around the work on a request; raises RefusedError when all slots are taken."""
        self._require_slot()
        self._slots += 1
        try:
            yield
        finally:
            self._slots -= 1

    async def close(self) -> None:
        """Let nobody in; return when the last visit has ended."""
        self._closed = True
        await self._empty.wait()

    async def expel(self) -> int:
        """End the visits that are left with a refusal; returns how many there were."""
        self._expelled = True
        visits = tuple(self._visits)
        for task in visits:
            task.cancel()
        await self._empty.wait()
        return len(visits)

    def _require_slot(self) -> None:
        if self._slots >= self._limit:
            raise RefusedError(
                f"{self._slots} requests are in progress, the limit is {self._limit}; "
                "come again after Retry-After, or raise --max-requests",
                retry_after=1.0,
            )
