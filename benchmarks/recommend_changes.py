"""What would change a recommendation: the same choice again, under other requirements."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.recommend import Pick, Recommendation, pick
from benchmarks.recommend_choices import Choice
from benchmarks.recommend_reasons import accuracy_words
from benchmarks.recommend_requirements import Assessed, Requirements, assess

TIGHTER, LOOSER = 0.4, 2.0
"""Times the SLO that is asked for."""
MORE = (2.0, 5.0)
"""Times the rate."""
FLOORS = 0.05
"""Floors of accuracy are tried at its multiples."""


@dataclass(frozen=True)
class Change:
    """What would be chosen under `condition`, with what it holds; None where nothing would do."""

    condition: str
    chosen: Choice | None
    words: str


def changes(recommendation: Recommendation) -> tuple[Change, ...]:
    """Only conditions that lead to another choice, beyond noise, or to none."""
    found = [it.choice for it in recommendation.assessed]
    changed = []
    for condition, asked in _conditions(recommendation.requirements, found):
        picked = pick([assess(choice, asked) for choice in found], asked)
        choice = picked.chosen.choice if picked.chosen else None
        kept = _kept(recommendation.chosen, picked)
        if choice is not recommendation.chosen and choice not in recommendation.ties and not kept:
            changed.append(Change(condition, choice, _words(picked, recommendation.chosen, asked)))
    return tuple(changed)


def _kept(before: Choice | None, picked: Pick) -> bool:
    """The choice before is as good as another one now, within noise: no reason to change."""
    return before is not None and any(tie.way == before.way for tie in picked.ties)


def _conditions(asked: Requirements, found: Sequence[Choice]) -> Iterator[tuple[str, Requirements]]:
    for factor in (TIGHTER, LOOSER):
        slo = asked.slo * factor
        if slo > asked.around:
            yield f"SLO {slo * 1e3:g} ms", replace(asked, slo=slo)
    for factor in MORE:
        rate = asked.rate * factor
        yield f"{rate:g} requests/s", replace(asked, rate=rate)
    for floor in _floors(asked, found):
        yield f"accuracy >= {floor * 100:g} %", replace(asked, accuracy=floor)
    if asked.prefer == "accuracy":
        yield "speed before accuracy", replace(asked, prefer="speed")
    else:
        yield "accuracy before speed", replace(asked, prefer="accuracy")
    devices = sorted({choice.device for choice in found})
    if len(devices) > 1 and asked.devices is None:
        for device in devices:
            yield f"on {device} alone", replace(asked, devices=(device,))


def _floors(asked: Requirements, found: Sequence[Choice]) -> list[float]:
    """Multiples of FLOORS above the floor asked for, as long as something reaches them."""
    known = [choice.accuracy.top1 for choice in found if choice.accuracy is not None]
    if not known:
        return []
    least = min(known) if asked.accuracy is None else asked.accuracy
    steps = range(math.floor(least / FLOORS) + 1, math.floor(max(known) / FLOORS + 1e-9) + 1)
    return [round(step * FLOORS, 6) for step in steps]


def _words(picked: Pick, before: Choice | None, asked: Requirements) -> str:
    if picked.chosen is None:
        nearest = picked.nearest
        return "nothing would do" + (f"; {miss(nearest)}" if nearest else "")
    choice = picked.chosen.choice
    figures = (
        f"p{asked.percentile:g} {picked.chosen.prediction.seconds * 1e3:.1f} ms, holds "
        f"{picked.holds:.0f} requests/s"
    )
    if before is not None and choice.way == before.way:
        return f"the same with max_batch {choice.max_batch} ({figures})"
    return f"{choice.name} (top-1 {accuracy_words(choice.accuracy)}, {figures})"


def miss(nearest: Assessed) -> str:
    """The nearest miss in words: which, and by how much."""
    shortfalls = "; ".join(shortfall.words for shortfall in nearest.shortfalls)
    return f"nearest miss: {nearest.choice.name}: {shortfalls}"
