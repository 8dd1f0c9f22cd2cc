"""Threads that compute for an event loop: a queue in, one wake-up of the loop per result out.

A third of what `run_in_executor` costs, which makes a future of its own for every call and links
it to the loop's; docs/decoding.md has the figures.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from service.seam import Priority

Result = TypeVar("Result")


class _Call(Generic[Result]):
    """One call, and the future that its loop waits for."""

    __slots__ = ("_compute", "_loop", "future")

    def __init__(self, compute: Callable[[], Result], loop: asyncio.AbstractEventLoop) -> None:
        self._compute = compute
        self._loop = loop
        self.future: asyncio.Future[Result] = loop.create_future()

    def run(self) -> None:
        """In a thread. A call that nobody waits for any more is not started."""
        if self.future.cancelled():
            return
        try:
            result = self._compute()
        except BaseException as error:  # noqa: BLE001  it belongs to whoever waits
            self._post(self._fail, error)
        else:
            self._post(self._finish, result)
        # The error leads to this frame. With `self` in it, the frame would lead to the error, and
        # its picture would stay until the next collection.
        del self

    def _post(self, settle: Callable[..., None], outcome: object) -> None:
        try:
            self._loop.call_soon_threadsafe(settle, outcome)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _finish(self, result: Result) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Workers:
    """A fixed number of threads, which wait in a queue and so take no time while idle. What is
    `NORMAL` is taken before what is `BACKGROUND`."""

    def __init__(self, threads: int, name: str) -> None:
        self._lanes: tuple[deque[_Call[object]], ...] = tuple(deque() for _ in Priority)
        # One for each call in the lanes, so that who gets one finds a call; False ends a thread.
        self._tickets: SimpleQueue[bool] = SimpleQueue()
        self._threads = threads
        self._closed = False
        for index in range(threads):
            threading.Thread(target=self._work, name=f"{name}-{index}", daemon=True).start()

    def submit(
        self, compute: Callable[[], Result], priority: Priority = Priority.NORMAL
    ) -> "asyncio.Future[Result]":
        """Called in an event loop. A future that is cancelled before its turn is never computed.

        Raises RuntimeError once closed.
        """
        if self._closed:
            raise RuntimeError("the threads have been told to end")
        call = _Call(compute, asyncio.get_running_loop())
        self._lanes[priority].append(call)  # type: ignore[arg-type]
        self._tickets.put(True)
        return call.future

    def close(self) -> None:
        """Cancel what has not been started; what a thread is in the middle of, it finishes."""
        self._closed = True
        while (call := self._next()) is not None:
            call.future.cancel()
        for _ in range(self._threads):
            self._tickets.put(False)

    def _next(self) -> _Call[object] | None:
        for lane in self._lanes:
            try:
                return lane.popleft()
            except IndexError:  # empty, or another thread was faster
                continue
        return None

    def _work(self) -> None:
        while self._tickets.get():
            if (call := self._next()) is not None:
                call.run()
            del call  # with the picture it holds, before waiting for the next
