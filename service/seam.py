"""The one place where the front (HTTP) and the core (batching, engines) meet.

Everything that crosses is plain data, so that the front can run in another process or speak
another protocol with nothing behind it changed. Times are readings of `time.perf_counter`,
which on Linux is one clock for all processes of the machine.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

from inference.engine import Logits, Pixels
from inference.manifest import Manifest
from service.settings import Batching
from service.statistics import Statistics

RefusalKind = Literal[
    "unknown", "invalid", "full", "late", "draining", "expired", "failed", "unavailable"
]
ModelStatus = Literal["READY", "LOADING", "UNAVAILABLE"]
"""Triton's words for the state of a model."""


class Priority(IntEnum):
    """Lanes of the queue: a lower number is served first."""

    NORMAL = 0
    BACKGROUND = 1


class Answer(NamedTuple):
    """Logits (N, classes) float32; seconds spent waiting in the queue and in the engine, and how
    many of the first were spent on putting the batch together; when the request reached the queue,
    and how many images the engine had at once, the most where it had them in parts."""

    logits: Logits
    queue: float
    inference: float
    gathering: float = 0.0
    arrived: float = 0.0
    batch: int = 0


@dataclass(frozen=True)
class Refusal:
    """Why there is no answer; `retry_after` in seconds where coming again makes sense."""

    kind: RefusalKind
    message: str
    retry_after: float | None = None


@dataclass(frozen=True)
class Entry:
    """One line of the repository's index; `reason` says why the model is not ready, or why what
    was last tried with it failed while it goes on serving."""

    id: str
    status: ModelStatus
    reason: str = ""


@dataclass(frozen=True)
class ModelInfo:
    """What the front needs to know of a loaded model."""

    manifest: Manifest
    engine: str
    runtime: str
    device: str
    instances: int
    threads: int
    max_batch: int
    queue_capacity: int
    seconds_by_batch: dict[int, float]
    aliases: tuple[str, ...]
    batching: Batching = field(default_factory=Batching)

    @cached_property
    def id(self) -> str:
        return self.manifest.id


class Core(Protocol):
    """What a front may ask of the core, whatever process it runs in."""

    async def submit(
        self, model: str, pixels: Pixels, *, deadline: float, priority: Priority = Priority.NORMAL
    ) -> Answer | Refusal:
        """Pixels (N, H, W, 3) uint8 for the model with this id; always ends in one of the two.

        Cancelling the call withdraws the request: what has not reached the engine never will.
        """
        ...

    def models(self) -> tuple[ModelInfo, ...]:
        """What is loaded, in the order it was named."""
        ...

    def statistics(self) -> dict[str, Statistics]:
        """Totals since start by model id; they go on over a reload."""
        ...

    def pending(self) -> dict[str, int]:
        """Admitted and not yet answered requests by model id."""
        ...

    def unready(self) -> str | None:
        """Why no traffic should come here now; None while at least one model serves."""
        ...

    def unready_model(self, model: str) -> str | None:
        """Why the model with this id does not serve now; None when it does."""
        ...

    def index(self) -> tuple[Entry, ...]:
        """Every artifact of the repository and everything that is loaded, by id."""
        ...

    async def load(self, name: str) -> Refusal | None:
        """Open the artifact with this id, plain name or alias, or open it again beside the one
        that serves and switch over; None once it serves. After a failure the old one goes on."""
        ...

    async def unload(self, name: str) -> Refusal | None:
        """Switch off the model with this id or alias, and finish what it has admitted."""
        ...

    async def reload(self) -> None:
        """Look through the repository: switch over to what has changed, and where everything is
        served add what is new; what has vanished is switched off."""
        ...

    def draining(self) -> bool:
        """Whether the end has been announced: clients should take their connections elsewhere."""
        ...
