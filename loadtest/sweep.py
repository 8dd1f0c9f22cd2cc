"""Carries a plan out: each point driven, the service read before and after, searches probed."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from loadtest.goodput import Goodput, find_goodput, probe_load
from loadtest.interrupts import require_none
from loadtest.load import Closed, Load
from loadtest.other_load import glance, others
from loadtest.outcome import Outcome
from loadtest.plan import Measure, Seek, Step
from loadtest.point import Point, level
from loadtest.prepared import Prepared, prepare
from loadtest.run import run_load
from loadtest.server_usage import between, read_usage
from loadtest.slo import Slo
from loadtest.target import Target

Result = Point | Goodput
GUESS = 0.5
"""Of what a few clients get answered: where a search begins."""
_CLIENTS = 4
_GLANCE = 2.0  # seconds, of the load that the first guess is made of


class Watcher(Protocol):
    """Who wants to know how far it is."""

    def during(self, words: str, seconds: float, /) -> AbstractContextManager[None]:
        """What begins, and about how long it takes; left when it is done."""

    def step(self, text: str) -> None:
        """What came out of a part."""


def carry_out(plan: Sequence[Step], watcher: Watcher, *, invalid: bool = False) -> Iterator[Result]:
    """One result for each step, as it is done; `invalid`: those marked so are judged, too.

    Raises what `prepare` raises; what goes wrong under load is counted.
    """
    sweep = _Sweep(watcher, lenient=invalid)
    for step in plan:
        require_none()
        if isinstance(step, Measure):
            yield sweep.measure(step)
        else:
            yield sweep.seek(step)


class _Sweep:
    """The bodies of each target are made once; those of the last one are kept alone."""

    def __init__(self, watcher: Watcher, *, lenient: bool) -> None:
        self._lenient = lenient
        self._watcher = watcher
        self._prepared: dict[Target, Prepared] = {}

    def measure(self, step: Measure) -> Point:
        return self._drive(step.target, step.load, step.slo)

    def seek(self, step: Seek) -> Goodput:
        slo = step.slo.without_throughput()

        def probe(rate: float) -> Point:
            load = probe_load(step.load, slo, rate)
            point = self._drive(step.target, load, slo)
            words = point.undecided or "; ".join(it.words for it in point.verdicts)
            self._watcher.step(f"{step.target.model}, {level(load.traffic)}: {words}")
            return point

        few = replace(
            step.load, traffic=Closed(_CLIENTS), seconds=min(step.load.seconds, _GLANCE),
            processes=min(step.load.processes, _CLIENTS),
        )  # fmt: skip
        seen = self._drive(step.target, few, None).outcome
        start = max(1.0, GUESS * seen.requests_per_second)
        return find_goodput(
            step.target, step.model, step.slo, step.effort, probe=probe, start=start
        )

    def _drive(self, target: Target, load: Load, slo: Slo | None) -> Point:
        words = f"{target.model}, batch {target.batch}, {level(load.traffic)}"
        with self._watcher.during(words, load.warm_up + load.seconds):
            if target not in self._prepared:
                self._prepared = {target: prepare(target, seed=load.seed)}
            before, glanced = read_usage(target), glance()
            outcome: Outcome = run_load(target, load, prepared=self._prepared[target])
            after, usage = glance(), between(before, read_usage(target))
            usage = replace(usage, others=others(glanced, after, target, usage.cpu))
            return Point(outcome, usage, slo, self._lenient)
