"""What is counted while a load runs, by each process for itself, and added up afterwards."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loadtest.slices import SlicedRecorder
from measuring.recorder import Recorder

LATE = 1e-3
"""Seconds after it was due from which on a request was sent late."""
_MOST_STAGES = 64


@dataclass(slots=True)
class Moment:
    """One second of a run; a run of a week has 600,000."""

    sent: int = 0
    ok: int = 0
    failed: int = 0
    slowest: float = 0.0


@dataclass
class Tally:
    """Of requests due from `begin` on, until `end`: seconds of the machine's clock. `cpu`: of each
    process, processor seconds per second. See `loadtest.outcome.Outcome` for the rest."""

    begin: float
    end: float
    due: int = 0
    sent: int = 0
    ok: int = 0
    dropped: int = 0
    answered: int = 0
    late: int = 0
    opened: int = 0
    lost: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    latency: SlicedRecorder = field(default_factory=SlicedRecorder)
    service_time: Recorder = field(default_factory=Recorder)
    lag: Recorder = field(default_factory=Recorder)
    stages: dict[str, Recorder] = field(default_factory=dict)
    timeline: dict[int, Moment] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)

    def drop(self, due: float) -> None:
        """It was due and not sent."""
        if due >= self.begin:
            self.due += 1
            self.dropped += 1
            self._moment(due)

    def send(self, due: float, sent: float) -> None:
        """It is on its way."""
        if due >= self.begin:
            self.due += 1
            self.sent += 1
            self.lag.add(sent - due)
            self.late += sent - due > LATE
            self._moment(due).sent += 1

    def right(self, due: float, sent: float, now: float, stages: Mapping[str, float]) -> None:
        """A right answer came."""
        if self.begin <= now < self.end:
            self.answered += 1
        if due < self.begin:
            return
        self.ok += 1
        self.latency.add(now - due, (due - self.begin) / (self.end - self.begin))
        self.service_time.add(now - sent)
        for name, seconds in stages.items():
            self._stage(name, seconds)
        moment = self._moment(due)
        moment.ok += 1
        moment.slowest = max(moment.slowest, now - due)

    def wrong(self, due: float, kind: str, example: str) -> None:
        """It failed, for a reason of this kind."""
        if due >= self.begin:
            self.errors[kind] += 1
            self.examples.setdefault(kind, example[:500])
            self._moment(due).failed += 1

    def add(self, other: "Tally") -> None:
        """All that another process counted over the same time."""
        for name in ("due", "sent", "ok", "dropped", "answered", "late", "opened", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.errors += other.errors
        self.examples = other.examples | self.examples
        for name in ("latency", "service_time", "lag"):
            getattr(self, name).merge(getattr(other, name))
        for name, recorder in other.stages.items():
            self.stages.setdefault(name, Recorder()).merge(recorder)
        for second, theirs in other.timeline.items():
            ours = self.timeline.setdefault(second, Moment())
            ours.sent += theirs.sent
            ours.ok += theirs.ok
            ours.failed += theirs.failed
            ours.slowest = max(ours.slowest, theirs.slowest)
        self.cpu += other.cpu

    def _stage(self, name: str, seconds: float) -> None:
        if name not in self.stages:
            if len(self.stages) >= _MOST_STAGES:
                return
            self.stages[name] = Recorder()
        self.stages[name].add(seconds)

    def _moment(self, due: float) -> Moment:
        second = int(due - self.begin)
        if second not in self.timeline:
            self.timeline[second] = Moment()
        return self.timeline[second]


def added(tallies: Sequence[Tally]) -> Tally:
    """Of all processes together."""
    first, *others = tallies
    for other in others:
        first.add(other)
    return first
