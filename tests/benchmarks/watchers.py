"""Whoever looks on while a benchmark runs."""

import os
import signal
from pathlib import Path


class Onlooker:
    """Keeps what it is told; interrupts, as a person would, after so many visits."""

    def __init__(self, *, interrupt_after: int | None = None) -> None:
        self.steps: list[str] = []
        self.visits = 0
        self._interrupt_after = interrupt_after

    def step(self, text: str) -> None:
        self.steps.append(text)

    def expect(self, seconds: float) -> None:
        assert seconds > 0.0

    def done(self, seconds: float) -> None:
        assert seconds > 0.0
        self.visits += 1
        if self.visits == self._interrupt_after:
            raise KeyboardInterrupt


class Killer(Onlooker):
    """Ends the process of one of the engines after so many visits, as a kernel short of memory
    would."""

    def __init__(self, *, after: int) -> None:
        super().__init__()
        self._after = after

    def done(self, seconds: float) -> None:
        super().done(seconds)
        if self.visits == self._after:
            os.kill(engine_processes()[0], signal.SIGKILL)


def engine_processes() -> list[int]:
    """Our children that hold engines."""
    children = Path("/proc/self/task").glob("*/children")
    found = [int(word) for path in children for word in path.read_text().split()]
    return [it for it in found if b"bench_worker" in Path(f"/proc/{it}/cmdline").read_bytes()]
