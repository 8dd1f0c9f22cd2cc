"""What a benchmark and the processes that hold its engines say to one another: a line of JSON for
each request, a line for each answer."""

from dataclasses import dataclass

from benchmarks.loadgen_settings import LoadgenAnswer, LoadgenRequest
from measuring.activity import Activity


@dataclass(frozen=True)
class OpenRequest:
    """Open `instances` engines, prove them by their golden pictures, warm them at `batches`;
    `pictures` is a .npy file; `spawned`: when the process was started, by the clock that all
    processes share."""

    directory: str
    runtime: str
    device: str
    threads: int
    instances: int
    batches: tuple[int, ...]
    pictures: str
    spawned: float


@dataclass(frozen=True)
class Opened:
    """Facts about the engines. `cold_start`: seconds from the start of the process to its first
    answer, before the golden pictures; `rss`, `peak_rss`, `vram`: bytes once warm; `seconds`: of a
    warm call, by batch size."""

    engine: str
    max_batch: int
    file: str
    sha256: str
    file_size: int
    cold_start: float
    seconds: dict[int, float]
    rss: int | None = None
    peak_rss: int | None = None
    vram: int | None = None


@dataclass(frozen=True)
class VisitRequest:
    """Time calls with `batch` pictures; the rest is one block of `measuring.timing.Schedule`."""

    batch: int
    runs: int
    seconds: float
    settle: int = 1


@dataclass(frozen=True)
class Visited:
    """`samples`: seconds of each timed call; `rate`: calls per second of all instances together.

    Of the whole visit, `calls` that settle included: `elapsed` seconds, in which `before` became
    `after`, and `joules`; None for what could not be read.
    """

    samples: list[float]
    rate: float
    elapsed: float
    before: Activity | None
    after: Activity | None
    joules: float | None
    calls: int


@dataclass(frozen=True)
class ClassifyRequest:
    """Classify the pictures of a .npy file."""

    pictures: str


@dataclass(frozen=True)
class Classified:
    """The likeliest class of each picture."""

    top1: list[int]


@dataclass(frozen=True)
class Request:
    """One of these."""

    open: OpenRequest | None = None
    visit: VisitRequest | None = None
    classify: ClassifyRequest | None = None
    loadgen: LoadgenRequest | None = None


@dataclass(frozen=True)
class Answer:
    """One of these; `failed`: why there is none."""

    opened: Opened | None = None
    visited: Visited | None = None
    classified: Classified | None = None
    loadgen: LoadgenAnswer | None = None
    failed: str | None = None
