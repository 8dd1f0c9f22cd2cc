"""Token buckets: so many requests a second on average, and so many at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Rate:
    """`per_second` on average, `burst` at once after a pause."""

    per_second: float
    burst: int


class Turns(Protocol):
    """Who may come at this rate, and how often they came."""

    rate: Rate

    def take(self) -> float:
        """0.0 if a turn was there and is taken now, else seconds until there is one."""


MakeBucket = Callable[[str, Rate], Turns]
"""For the key of this name."""


class Bucket:
    """Full at first. Two numbers, whoever asks and however often."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = time.perf_counter()

    @classmethod
    def of_one(cls, name: str, rate: Rate) -> "Bucket":  # noqa: ARG003  nobody else has that name
        """The bucket of a key in this process alone."""
        return cls(rate)

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
