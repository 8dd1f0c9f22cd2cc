"""A clock for tests of timing."""

from collections.abc import Callable


class Clock:
    """Time that passes only when a call takes some."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def read(self) -> float:
        return self.now

    def taking(self, name: str, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.calls.append(name)
            self.now += seconds

        return call
