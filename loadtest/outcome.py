"""What became of a load: all figures that a verdict may want, and why not to trust them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtest.load import Load
from loadtest.service import Model
from loadtest.target import Target
from measuring.latencies import Latencies
from measuring.loadgen_log import Summary

SLICES = 20
"""Equal parts of the measured seconds. What is noise shows in how they differ."""


@dataclass(frozen=True)
class Second:
    """One second of a run, by when requests were due: how many were sent, answered rightly and
    not, and seconds of the slowest right answer."""

    sent: int
    ok: int
    failed: int
    slowest: float


@dataclass(frozen=True)
class Generator:
    """What the generator took itself. `cpu`: processor seconds of each process per second of the
    run; `late`: requests sent more than a millisecond after they were due; `lag`: seconds that
    requests were sent after they were due; `opened`: connections opened while the load ran,
    besides the first ones; `lost`: connections that ended under a request."""

    cpu: tuple[float, ...]
    late: int
    lag: Latencies | None
    opened: int
    lost: int


@dataclass(frozen=True)
class LoadgenVerdict:
    """`summary`: LoadGen's own, with its 99th percentile from when it had scheduled queries.

    LoadGen knows no failed queries: `valid` is its verdict, and that there were none.
    """

    summary: Summary
    valid: bool
    version: str
    latency_bound: float

    @property
    def words(self) -> str:
        """For people."""
        said = "VALID" if self.summary.valid else "INVALID"
        reasons = f" ({'; '.join(self.summary.reasons)})" if self.summary.reasons else ""
        but = "; but requests failed" if self.summary.valid and not self.valid else ""
        return (
            f"LoadGen {self.version} says {said}{reasons}: p99 {self.summary.p99 * 1e3:.4g} ms, "
            f"bound {self.latency_bound * 1e3:.4g} ms{but}"
        )


@dataclass(frozen=True, eq=False)
class Outcome:
    """All counts are of requests due after the warm-up; `started` and `ended` are ISO 8601 times.

    `due` = `sent` + `dropped`, and `sent` = `ok` + the sum of `errors`. `answered`: right answers
    that came within the measured seconds, whenever they were asked for: what throughput is made
    of. `latency` counts from when a request was due, `service_time` from when it was really sent;
    both of right answers alone, None where there was none. The blocks of `latency` number the
    slice of the measured seconds, 0 to SLICES - 1, that a request was due in. `stages`: seconds by
    the service's own account (Server-Timing), `total` among them. `errors` by kind, with one
    message of each in `examples`. `invalid`: why the generator, not the service, was the limit.
    `loadgen`: what MLCommons LoadGen says, where it said when requests were due.
    """

    target: Target
    load: Load
    model: Model
    started: str
    ended: str
    due: int
    sent: int
    ok: int
    dropped: int
    answered: int
    errors: Mapping[str, int]
    examples: Mapping[str, str]
    latency: Latencies | None
    service_time: Latencies | None
    stages: Mapping[str, Latencies]
    generator: Generator
    timeline: tuple[Second, ...] = ()
    invalid: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    """What a reader should know besides, such as pictures that are not photographs."""
    loadgen: LoadgenVerdict | None = None

    @property
    def failed(self) -> int:
        """Requests that were sent and got no right answer."""
        return sum(self.errors.values())

    @property
    def error_share(self) -> float:
        """Of what was due: not answered rightly, or not even sent."""
        return (self.failed + self.dropped) / self.due if self.due else 0.0

    @property
    def requests_per_second(self) -> float:
        """Right answers, over the measured seconds."""
        return self.answered / self.load.seconds

    @property
    def images_per_second(self) -> float:
        """Pictures answered rightly, over the measured seconds."""
        return self.target.batch * self.requests_per_second
