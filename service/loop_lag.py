"""How late the event loop is: what is handed to it waits until everything before it is done."""

import asyncio
import threading
import time
from collections.abc import Callable

PERIOD = 0.25
"""Seconds between two looks."""


class LoopLag:
    """A thread that sleeps, and four times a second hands the loop its clock's reading, on the way
    that finished batches take. `observe` is called on the loop with the seconds that took.

    Not a timer of the loop: uvloop's count whole milliseconds, and those of a loop that is held up
    are late together, so that most of what they would tell is missing.
    """

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._observe = observe
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="loop-lag", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """One look; from any thread."""
        self._loop.call_soon_threadsafe(self._arrive, time.perf_counter())

    def close(self) -> None:
        """No look after this."""
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(PERIOD):
            self.ask()

    def _arrive(self, sent: float) -> None:
        if not self._over.is_set():
            self._observe(time.perf_counter() - sent)
