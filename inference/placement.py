"""Where an engine computes, and with how much of the machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """`device`: cpu or cuda; `threads`: of the processor, for one picture or batch."""

    device: str = "cpu"
    threads: int = 1
