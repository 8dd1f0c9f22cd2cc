"""Which network to deploy, and how: a pure function of measurements and requirements.

Of what meets every requirement it takes the most accurate, or the fastest where speed is
preferred; what noise does not tell apart counts as equal, and the other of the two decides.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.recommend_choices import Choice, LeftOut, Published, choices
from benchmarks.recommend_front import LEAST_DIFFERENCE, Dominated, as_accurate, dominated
from benchmarks.recommend_queue import Prediction, capacity
from benchmarks.recommend_reasons import caveats, why
from benchmarks.recommend_requirements import Assessed, Requirements, assess, holds, holds_interval
from measuring.record import Measurement

NOTHING: Mapping[str, Published] = MappingProxyType({})
_LARGEST_NOISE = 0.25  # a rate that much below the best is no tie, whatever its interval


@dataclass(frozen=True)
class Recommendation:
    """`chosen` with its `prediction`, and the rate that it `holds` within the SLO; `ties`: as good
    within noise, `tie_break` how it was taken among them. `nearest`: what misses least, where
    nothing is feasible. `assessed`: every choice; those that another beats are in `dominated`."""

    requirements: Requirements
    chosen: Choice | None
    prediction: Prediction | None
    holds: float | None
    why: tuple[str, ...]
    ties: tuple[Choice, ...]
    tie_break: str | None
    nearest: Assessed | None
    assessed: tuple[Assessed, ...]
    dominated: tuple[Dominated, ...]
    left_out: tuple[LeftOut, ...]
    caveats: tuple[str, ...]

    @property
    def headroom(self) -> float | None:
        """How many times the rate asked for would still be within the SLO."""
        return None if self.holds is None else self.holds / self.requirements.rate


@dataclass(frozen=True)
class Pick:
    """The outcome alone: what is chosen, what ties with it, what misses least."""

    chosen: Assessed | None
    holds: float | None = None
    ties: tuple[Choice, ...] = ()
    tie_break: str | None = None
    nearest: Assessed | None = None


def recommend(
    measurements: Iterable[Measurement],
    requirements: Requirements,
    *,
    published: Mapping[str, Published] = NOTHING,
    invalid: bool = False,
) -> Recommendation:
    """The choice among those that the records named `bench` are of.

    `published`: accuracies by network, for weights that have none of their own; `invalid`:
    whether to use records marked INVALID. Same input, same output: simulations are seeded.
    """
    found, left_out = choices(measurements, published, invalid=invalid)
    assessed = tuple(assess(choice, requirements) for choice in found)
    picked = pick(assessed, requirements)
    chosen = picked.chosen
    return Recommendation(
        requirements=requirements,
        chosen=chosen.choice if chosen else None,
        prediction=chosen.prediction if chosen else None,
        holds=picked.holds,
        why=why(chosen, picked.holds, assessed, requirements),
        ties=picked.ties,
        tie_break=picked.tie_break,
        nearest=picked.nearest,
        assessed=assessed,
        dominated=dominated(found, [it.prediction for it in assessed]),
        left_out=left_out,
        caveats=caveats(found, requirements, left_out, invalid=invalid),
    )


def pick(assessed: Sequence[Assessed], requirements: Requirements) -> Pick:
    """Only what meets every requirement is picked; of each way the smallest `max_batch` that
    holds as high a rate as any of its others."""
    feasible = [it for it in assessed if it.feasible]
    if not feasible:
        nearest = min(assessed, key=lambda it: (it.distance, _order(it.choice)), default=None)
        return Pick(None, nearest=nearest)
    if requirements.prefer == "accuracy":
        equals = _as_fast(_as_accurate(feasible), requirements)
    else:
        equals = _as_accurate(_as_fast(feasible, requirements))
    chosen = min(equals, key=lambda it: _order(it.choice))
    others = {it.choice.way: it.choice for it in reversed(equals)}
    others.pop(chosen.choice.way)
    tie_break = _tie_break(chosen.choice, list(others.values())) if others else None
    held = holds(chosen.choice, requirements)
    return Pick(chosen, held, tuple(others.values()), tie_break)


def _as_accurate(feasible: Sequence[Assessed]) -> list[Assessed]:
    """Those that no other is more accurate than, beyond what chance explains."""
    accuracies = [it.choice.accuracy for it in feasible]
    best = max(accuracies, key=lambda it: -1.0 if it is None else it.top1)
    return [it for it in feasible if as_accurate(it.choice.accuracy, best)]


def _as_fast(feasible: Sequence[Assessed], asked: Requirements) -> list[Assessed]:
    """Those that hold as high a rate as the best, within noise; each way with one batch size."""
    held = _held(feasible, asked)
    best = max(held, key=lambda choice: (held[choice], _order(choice)))
    fast = [it for it in feasible if it.choice in held and _tie(it.choice, best, asked)]
    smallest: dict[tuple[object, ...], Assessed] = {}
    for it in sorted(fast, key=lambda it: it.choice.max_batch):
        smallest.setdefault(it.choice.way, it)
    return list(smallest.values())


def _held(feasible: Sequence[Assessed], asked: Requirements) -> dict[Choice, float]:
    """The rates held, of those that come near the best: none holds more than its capacity, so that
    most need no simulation."""
    held: dict[Choice, float] = {}
    ordered = sorted(feasible, key=lambda it: (capacity(it.choice), it.choice.way), reverse=True)
    for it in ordered:
        least = max(held.values(), default=0.0) * (1.0 - _LARGEST_NOISE)
        if capacity(it.choice) >= least and (rate := holds(it.choice, asked)) >= least:
            held[it.choice] = rate
    return held


def _tie(one: Choice, best: Choice, asked: Requirements) -> bool:
    """The rates that they hold differ by no more than noise: half of each one's interval, added
    as independent errors are."""
    if one is best:
        return True
    intervals = holds_interval(one, asked), holds_interval(best, asked)
    noise = math.hypot(*((it.high - it.low) / 2.0 for it in intervals))
    difference = intervals[1].estimate - intervals[0].estimate
    return difference <= max(noise, LEAST_DIFFERENCE * intervals[1].estimate)


def _order(choice: Choice) -> tuple[object, ...]:
    """Among equals: the least memory, the fewest instances and threads, the first by name."""
    memory = float("inf") if choice.memory is None else float(choice.memory)
    return (memory, choice.instances, choice.max_batch, choice.threads, choice.way)


def _tie_break(chosen: Choice, others: Sequence[Choice]) -> str:
    if chosen.memory is None:
        return "the first by name, since memory was not measured"
    if all(other.memory is None or other.memory > chosen.memory for other in others):
        return "the least memory"
    return "the least memory, then the fewest instances, the smallest max_batch, the first by name"
