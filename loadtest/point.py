"""A measured point: what became of one load on one target, and what the service took for it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.load import Closed, Open
from loadtest.objections import UNSENT
from loadtest.outcome import SLICES, Outcome
from loadtest.server_usage import Usage
from loadtest.service import Model
from loadtest.slo import Slo, Verdict, judge
from measuring.bootstrap import Interval, clustered_interval

_WRONG = ("wrong", "unreadable", "not finite")
"""How the kinds of errors begin that are answers, and not right."""


@dataclass(frozen=True, eq=False)
class Point:
    """`slo`: what it has to keep, None where nothing was asked for; `lenient`: it is judged also
    where it is INVALID."""

    outcome: Outcome
    usage: Usage
    slo: Slo | None = None
    lenient: bool = False

    @property
    def model(self) -> Model:
        """That answered."""
        return self.outcome.model

    @property
    def answered(self) -> int:
        """Right answers: what percentiles are taken of."""
        return self.outcome.latency.count if self.outcome.latency else 0

    @property
    def error_share(self) -> float:
        """Of all that were due."""
        return self.outcome.error_share

    @property
    def images_per_second(self) -> float:
        """Answered rightly."""
        return self.outcome.images_per_second

    def percentile(self, rank: float) -> float:
        """Seconds that `rank` percent of all that were due took at most. One that was not answered
        rightly took for ever, so that errors cannot make a service look fast."""
        place = math.ceil(rank / 100.0 * max(self.outcome.due, self.answered))
        if self.outcome.latency is None or place > self.answered:
            return math.inf
        return self.outcome.latency.percentile(100.0 * place / self.answered)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One for each bound of the SLO."""
        return judge(self.slo, self) if self.slo else ()

    @property
    def kept(self) -> bool:
        """All bounds were."""
        return all(verdict.kept for verdict in self.verdicts)

    @property
    def wrong(self) -> dict[str, int]:
        """Answers that came and were not right, by kind."""
        return {
            kind: count for kind, count in self.outcome.errors.items() if kind.startswith(_WRONG)
        }

    @property
    def untrusted(self) -> tuple[str, ...]:
        """Why an SLO cannot be judged by this. Two things that make a point INVALID do not matter
        to that: requests not sent since all connections waited for the service count as errors, and
        where an open loop keeps its SLO although the generator was late, it keeps it: all requests
        came, and lateness makes latencies longer."""
        if self.lenient or (isinstance(self.outcome.load.traffic, Open) and self.kept):
            return ()
        return tuple(
            reason
            for reason in self.outcome.invalid
            if not (self.outcome.dropped and UNSENT in reason)
        )

    @property
    def undecided(self) -> str:
        """Why it cannot be told whether the SLO is kept: the generator was the limit, or answers
        are too few; nothing where it can."""
        if self.untrusted:
            return f"INVALID: {'; '.join(self.untrusted)}"
        return "; ".join(it.words for it in self.verdicts if it.measured is None)

    @property
    def throughput(self) -> Interval | None:
        """Images per second with a 95 % interval over slices of time; None for too few slices."""
        counts = self._answers_by_slice()
        if len(counts) < 2:
            return None
        share = clustered_interval(counts, np.arange(len(counts)))
        if share.estimate <= 0.0:
            return None
        scale = self.images_per_second / share.estimate
        return Interval(
            self.images_per_second, share.low * scale, share.high * scale, share.confidence
        )

    def _answers_by_slice(self) -> NDArray[np.float64]:
        found = self.outcome.latency
        if found is None:
            return np.empty(0)
        if found.blocks is not None:
            return np.bincount(found.blocks, minlength=SLICES).astype(np.float64)
        return np.array([second.ok for second in self.outcome.timeline], np.float64)


def level(traffic: Closed | Open) -> str:
    """`4 connections`, `50 requests/s (poisson)`."""
    if isinstance(traffic, Closed):
        return f"{traffic.connections} connection{'s' if traffic.connections > 1 else ''}"
    return f"{traffic.rate:.5g} requests/s ({traffic.arrivals})"


def place(point: Point) -> str:
    """`small-onnx-fp32, batch 8, 4 connections`."""
    target = point.outcome.target
    return f"{point.model.id}, batch {target.batch}, {level(point.outcome.load.traffic)}"


def floor_point(points: Sequence[Point], of: Point) -> Point | None:
    """The one of a null model under the same load with the same bodies, None for the floor itself
    and where there is none."""
    if of.model.is_floor:
        return None
    target, traffic = of.outcome.target, of.outcome.load.traffic
    return next(
        (
            it
            for it in points
            if it.model.is_floor
            and (it.model.size, it.model.classes) == (of.model.size, of.model.classes)
            and it.outcome.load.traffic == traffic
            and (it.outcome.target.batch, it.outcome.target.body) == (target.batch, target.body)
        ),
        None,
    )
