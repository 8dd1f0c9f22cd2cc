"""Whoever looks on while a benchmark runs."""


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
