"""How long a thread has been at work, as the thread counts it and any other may ask."""

import time


class BusyTime:
    """Seconds of work, what is still going on included; they never go back. One thread calls
    `start` and `end`, which replace the whole state, so that who asks never sees half of it."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state: tuple[float, float | None] = (0.0, None)

    @property
    def seconds(self) -> float:
        """Until now. The clock is read before the state: work that ends in between ends later."""
        now = time.perf_counter()
        total, since = self._state
        return total if since is None else total + max(0.0, now - since)

    def start(self, now: float) -> None:
        """Work begins, at a reading of `time.perf_counter`."""
        self._state = (self._state[0], now)

    def end(self, now: float) -> None:
        """It is done."""
        total, since = self._state
        self._state = (total if since is None else total + now - since, None)
