"""How many inference requests the front works on, and when it stops taking new ones."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import RefusedError


class Admission:
    """A bounded count of requests in progress; after `close`, none is let in any more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._last_arrival = 0.0

    @property
    def quiet(self) -> float:
        """Seconds since somebody was last at the door, let in or not."""
        return time.perf_counter() - self._last_arrival

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around everything a request does; raises RefusedError at the door."""
        self._last_arrival = time.perf_counter()
        if self._closed:
            raise RefusedError("the service is shutting down; send it elsewhere", retry_after=1.0)
        if self._inside >= self._limit:
            raise RefusedError(
                f"{self._inside} requests are in progress, the limit is {self._limit}; "
                "come again after Retry-After, or raise --max-requests",
                retry_after=1.0,
            )
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()

    async def close(self) -> None:
        """Let nobody in; return when the last one inside has left."""
        self._closed = True
        await self._empty.wait()
