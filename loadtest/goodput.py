"""Goodput of a model: the highest rate of Poisson arrivals at which the service keeps an SLO."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from loadtest.load import Load, Open
from loadtest.point import Point
from loadtest.search import Effort, Found, search
from loadtest.service import Model
from loadtest.slo import THROUGHPUT, Bound, Slo, Verdict
from loadtest.target import Target

LONGEST = 120.0
"""Seconds that a probe takes at most, however slowly requests come."""
SPARE = 1.2
"""More answers than a percentile needs, since arrivals are random."""
IDLE = 1 / 16
"""Of the first rate: a service that breaks its SLO at this one breaks it at any."""


@dataclass(frozen=True, eq=False)
class Goodput:
    """`slo` may ask for a throughput: then that many images per second have to be found. `wrong`:
    answers that came and were not right, by kind, at whatever rate, with one message of each in
    `examples`."""

    target: Target
    model: Model
    slo: Slo
    effort: Effort
    found: Found[Point]
    wrong: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)

    @property
    def images_per_second(self) -> float:
        """Of the rate that was found; 0 where none kept the SLO."""
        return (self.found.kept or 0.0) * self.target.batch

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Whether any rate keeps the SLO, and whether it is enough."""
        limit, found = self.slo.throughput, self.images_per_second
        bound = Bound(THROUGHPUT, limit or 0.0)
        asked = self.slo.without_throughput().text
        ended = f" ({self.found.ended})" if self.found.ended else ""
        if self.found.kept is None:
            return (Verdict(bound, 0.0, False, f"no rate was found that keeps {asked}{ended}"),)
        words = f"{found:.4g} images/s keep {asked}"
        if limit is None or found >= limit:
            return (Verdict(bound, found, True, words),)
        words += f", {limit - found:.4g} ({1.0 - found / limit:.0%}) under {limit:.4g}{ended}"
        return (Verdict(bound, found, False, words),)

    @property
    def kept(self) -> bool:
        """There is such a rate, and it is enough."""
        return all(verdict.kept for verdict in self.verdicts)


def probe_load(load: Load, slo: Slo, rate: float) -> Load:
    """As `load`, at this rate, and as long as the SLO's highest percentile needs."""
    seconds = max(load.seconds, min(LONGEST, SPARE * slo.needed / rate))
    traffic = load.traffic if isinstance(load.traffic, Open) else Open(rate)
    return replace(load, traffic=replace(traffic, rate=rate), seconds=seconds)


def find_goodput(
    target: Target,
    model: Model,
    slo: Slo,
    effort: Effort,
    *,
    probe: Callable[[float], Point],
    start: float,
) -> Goodput:
    """`probe` measures at a rate, requests per second; `start` is the first one."""
    wrong: Counter[str] = Counter()
    examples: dict[str, str] = {}

    def watched(rate: float) -> Point:
        point = probe(rate)
        wrong.update(point.wrong)
        examples.update({kind: point.outcome.examples.get(kind, "") for kind in point.wrong})
        return point

    found = search(watched, start, effort, lowest=IDLE * start)
    return Goodput(target, model, slo, effort, found, dict(wrong), examples)
