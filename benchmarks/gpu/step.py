"""A step of the suite, and what every step is given."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu.journal import Journal
from benchmarks.gpu.scale import Scale
from measuring.record import Measurement


@dataclass(frozen=True)
class Context:
    """`device`: cuda or cpu; `repository`: where artifacts are made and found; `late`: whether the
    time of the stage is up, for steps that can stop half-way; `left`: seconds of the whole."""

    device: str
    scale: Scale
    journal: Journal
    repository: Path
    late: Callable[[], bool] = lambda: False
    left: Callable[[], float] = lambda: math.inf


# Measurements as they are made; each part is kept at once.
Run = Callable[[Context], Iterator[list[Measurement]]]


@dataclass(frozen=True)
class Step:
    """`needs`: modules without which it is skipped; `gpu`: whether it makes sense only there."""

    stage: str
    name: str
    run: Run
    needs: tuple[str, ...] = ()
    gpu: bool = False


class StepError(Exception):
    """A step that ran and found something wrong; the message says what."""


class StepSkippedError(Exception):
    """A step that cannot be done here; the message says what is missing."""


class OutOfTimeError(Exception):
    """A step that stopped half-way since the time was up; the message says how far it came."""
