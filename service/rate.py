"""Token buckets: so many requests a second on average, and so many at once."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """`per_second` on average, `burst` at once after a pause."""

    per_second: float
    burst: int


class Bucket:
    """Full at first. Two numbers, whoever asks and however often."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = time.perf_counter()

    def take(self) -> float:
        """0.0 if a token was there and is taken now, else seconds until there is one."""
        now = time.perf_counter()
        rate = self.rate
        self._tokens = min(rate.burst, self._tokens + (now - self._at) * rate.per_second)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / rate.per_second
