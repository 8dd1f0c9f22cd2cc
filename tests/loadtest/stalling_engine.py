"""A double of an engine that stalls once, as a garbage collection or a noisy neighbour makes a real
one stall: those cannot be had on command."""

import time

from inference.engine import Logits, Pixels
from tests.service.fakes import FakeEngine


class StallingEngine(FakeEngine):
    """Answers at once but for one call, which takes `stall` seconds: the first that comes `after`
    seconds or more after the first one since `arm`."""

    def __init__(self, *, after: float, stall: float) -> None:
        super().__init__()
        self._after, self._stall = after, stall
        self._armed, self._first = False, 0.0

    def arm(self) -> None:
        self._armed, self._first = True, 0.0

    def infer(self, pixels: Pixels) -> Logits:
        now = time.perf_counter()
        self._first = self._first or now
        if self._armed and now - self._first >= self._after:
            self._armed = False
            time.sleep(self._stall)
        return super().infer(pixels)
