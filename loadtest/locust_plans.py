"""Users over time: steps, a spike, a soak, a ramp to failure. Plain arithmetic, without locust."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from loadtest.slo import Slo, Verdict, judge

Shape = Literal["constant", "steps", "spike", "soak", "ramp"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
SECONDS = {"steps": 300.0, "spike": 150.0, "soak": 3_600.0, "ramp": 200.0}
"""How long a shape takes where nothing else is asked for."""
SOAK_PARTS = 10
CHANCE = 0.01
"""Of calling a bound broken that is kept."""
SETTLING = 0.25
"""Of a phase: what is not counted, until users are there and workers' figures have come."""


@dataclass(frozen=True)
class Phase:
    """So many users for so long."""

    name: str
    users: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """Phases one after the other; with `slo`, the first that breaks a bound of it is the last."""

    phases: tuple[Phase, ...]
    slo: Slo | None = None

    def index_at(self, elapsed: float) -> int | None:
        """The phase at this time, None after the last."""
        end = 0.0
        for index, phase in enumerate(self.phases):
            end += phase.seconds
            if elapsed < end:
                return index
        return None

    def start_of(self, index: int) -> float:
        """Seconds from the start of the plan."""
        return sum(phase.seconds for phase in self.phases[:index])


def make_plan(
    shape: Shape,
    *,
    users: int,
    seconds: float | None = None,
    steps: int = 10,
    base_users: int = 1,
    slo: Slo | None = None,
) -> Plan:
    """A plan with at most `users` for `seconds`, its usual length where that is None; of a ramp,
    which goes in `steps` as the steps do, the bounds too."""
    if shape == "constant":
        return Plan((Phase("constant", users, seconds or math.inf),))
    whole = seconds or SECONDS[shape]
    if shape == "spike":
        shares = (
            ("before the spike", base_users, 2),
            ("spike", users, 1),
            ("after it", base_users, 2),
        )
        return Plan(tuple(Phase(name, count, whole * fifths / 5) for name, count, fifths in shares))
    if shape == "soak":
        parts = range(1, SOAK_PARTS + 1)
        return Plan(
            tuple(Phase(f"part {n} of {SOAK_PARTS}", users, whole / SOAK_PARTS) for n in parts)
        )
    counts = tuple(dict.fromkeys(math.ceil(users * n / steps) for n in range(1, steps + 1)))
    phases = tuple(
        Phase(f"step {n} of {len(counts)}", count, whole / len(counts))
        for n, count in enumerate(counts, 1)
    )
    return Plan(phases, slo if shape == "ramp" else None)


@dataclass(frozen=True)
class Counts:
    """What has been counted so far; `times`: how often each response time in milliseconds came."""

    requests: int = 0
    failures: int = 0
    times: Mapping[float, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Window:
    """What was counted between two moments, `seconds` apart: what an SLO is held against."""

    before: Counts
    after: Counts
    seconds: float

    @property
    def answered(self) -> int:
        return sum(self._times.values())

    @property
    def error_share(self) -> float:
        requests = self.after.requests - self.before.requests
        return (self.after.failures - self.before.failures) / requests if requests else 0.0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return (self.after.requests - self.before.requests) / self.seconds if self.seconds else 0.0

    @property
    def images_per_second(self) -> float:
        """Not known here: a request may bring several."""
        return math.nan

    def percentile(self, rank: float) -> float:
        """Seconds; the least time that `rank` percent of the requests did not exceed."""
        wanted, seen = math.ceil(self.answered * rank / 100.0), 0
        for time, count in sorted(self._times.items()):
            seen += count
            if seen >= wanted:
                return time / 1e3
        return math.nan

    @property
    def _times(self) -> dict[float, int]:
        found = {
            time: count - self.before.times.get(time, 0) for time, count in self.after.times.items()
        }
        return {time: count for time, count in found.items() if count > 0}

    def slower(self, seconds: float) -> int:
        """Answers that took longer."""
        return sum(count for time, count in self._times.items() if time / 1e3 > seconds)

    def told(self) -> str:
        """For a log."""
        if not self.answered:
            return "no answers"
        p50, p99 = (self.percentile(rank) * 1e3 for rank in (50.0, 99.0))
        return (
            f"{self.rate:,.1f} requests/s, p50 {p50:.4g} ms, p99 {p99:.4g} ms, "
            f"errors {self.error_share:.2%}"
        )


@dataclass(frozen=True)
class Tick:
    """How many users there should be now, None when it is over; and what to tell."""

    users: int | None
    told: tuple[str, ...] = ()


class Course:
    """A plan under way: asked every second, it says how many users there should be, tells of every
    phase that has ended, and ends itself where a bound was broken.

    `held` is the most users with whom every bound was kept, `broke` those with whom one was not.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.held: int | None = None
        self.broke: int | None = None
        self._index: int | None = None
        self._since: tuple[float, Counts] | None = None

    @property
    def exit_code(self) -> int | None:
        """Of a ramp: 0 where it found its limit, whatever failed beyond it, 1 where no step is
        known to have kept the bounds. None where what failed decides."""
        if self.plan.slo is None:
            return None
        if self.held is None:
            return 1
        return None if self.broke is None else 0

    def tick(self, elapsed: float, counts: Callable[[], Counts]) -> Tick:
        """`elapsed`: seconds since the start."""
        index, told = self.plan.index_at(elapsed), list[str]()
        if self._index is not None and index != self._index:
            told = self._end(self._index, elapsed, counts)
            self._since = None
        self._index = index
        if self.broke is not None or index is None:
            return Tick(None, (*told, *self._conclusion()))
        phase = self.plan.phases[index]
        if self._since is None and elapsed >= self.plan.start_of(index) + SETTLING * phase.seconds:
            self._since = (elapsed, counts())
        return Tick(phase.users, tuple(told))

    def _end(self, index: int, elapsed: float, counts: Callable[[], Counts]) -> list[str]:
        phase = self.plan.phases[index]
        if self._since is None:
            return []
        began, before = self._since
        window = Window(before, counts(), elapsed - began)
        told = [f"{phase.name}, {phase.users} users: {window.told()}"]
        if self.plan.slo is None:
            return told
        verdicts = judge(self.plan.slo, window)
        broken = [words for verdict in verdicts if (words := _broken(verdict, window))]
        untold = [verdict.words for verdict in verdicts if verdict.measured is None and not broken]
        if broken:
            self.broke = phase.users
        elif not untold:
            self.held = phase.users
        return [*told, *(f"{phase.users} users: {words}" for words in (*broken, *untold))]

    def _conclusion(self) -> tuple[str, ...]:
        if self.plan.slo is None:
            return ()
        held = f"{self.held} users kept it" if self.held else "no step is known to have kept it"
        if self.broke is not None:
            return (f"{self.plan.slo.text} broke at {self.broke} users; {held}",)
        return (
            f"{self.plan.slo.text} did not break; {held}; more --users or --run-time tell more",
        )


def _broken(verdict: Verdict, window: Window) -> str:
    """In words; empty for a bound that is kept, and for one of which too few answers tell nothing.

    To keep a percentile takes more answers than to break it: so many slow ones among these that
    chance hardly explains them are enough."""
    if not window.answered:
        return f"{verdict.bound.text} is broken: there were no answers"
    if verdict.measured is not None:
        return "" if verdict.kept else verdict.words
    rank, limit = verdict.bound.rank or 0.0, verdict.bound.limit
    slow, allowed = window.slower(limit), 1.0 - rank / 100.0
    if at_least(slow, window.answered, allowed) > CHANCE:
        return ""
    return (
        f"{verdict.bound.text} is broken: {slow:,} of {window.answered:,} answers took longer, "
        f"expected {allowed:.3%} at most"
    )


def at_least(hits: int, count: int, chance: float) -> float:
    """The probability of `hits` or more in `count` tries of this `chance`: a binomial tail."""
    if hits <= 0:
        return 1.0
    logarithms = (
        math.lgamma(count + 1) - math.lgamma(n + 1) - math.lgamma(count - n + 1)
        + n * math.log(chance) + (count - n) * math.log1p(-chance)
        for n in range(hits, count + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logarithms)))
