"""Which choices are worth a look: the Pareto set over accuracy, latency, throughput and memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.recommend_choices import Accuracy, Choice
from benchmarks.recommend_queue import Prediction

SIGNIFICANT = 1.96
"""Standard errors beyond which a difference is no noise (95 %)."""
LEAST_DIFFERENCE = 0.02
"""Of throughput or latency; less than this is a tie however narrow the intervals are."""


@dataclass(frozen=True)
class Dominated:
    """`by` is at least as good in everything, and beyond noise better in what `better` lists."""

    choice: Choice
    by: Choice
    better: tuple[str, ...]


def dominated(
    choices: Sequence[Choice], predictions: Sequence[Prediction]
) -> tuple[Dominated, ...]:
    """Those that another one beats, each with the best of those that do: the one with the most
    throughput that is not beaten itself."""
    given = list(zip(choices, predictions, strict=True))
    beaten: dict[Choice, dict[Choice, tuple[str, ...]]] = {}
    for choice, prediction in given:
        for other, of_other in given:
            better = _better(other, of_other, choice, prediction) if other is not choice else ()
            if better:
                beaten.setdefault(choice, {})[other] = better
    found = []
    for choice, by in beaten.items():
        unbeaten = [it for it in by if it not in beaten] or list(by)
        best = max(unbeaten, key=lambda it: it.throughput.estimate)
        found.append(Dominated(choice, best, by[best]))
    return tuple(found)


def noise(one: Choice, other: Choice) -> float:
    """The relative difference of two throughputs below which they are a tie: half of each one's
    95 % interval, added as independent errors are."""
    return max(LEAST_DIFFERENCE, math.hypot(one.spread, other.spread))


def accuracy_noise(one: Accuracy, other: Accuracy) -> float:
    """The difference of two top-1 below which chance explains it, of a share of so many pictures
    each; 0 where nobody says how many they were, or where both are the same measurement."""
    if one.images is None or other.images is None or one == other:
        return 0.0
    variance = sum(it.top1 * (1.0 - it.top1) / it.images for it in (one, other) if it.images)
    return SIGNIFICANT * math.sqrt(variance)


def as_accurate(one: Accuracy | None, other: Accuracy | None) -> bool:
    """Whether `one` is not below `other` by more than chance explains; what is not known is below
    all that is."""
    if other is None:
        return True
    if one is None:
        return False
    return one.top1 >= other.top1 - accuracy_noise(one, other)


def _better(
    one: Choice, of_one: Prediction, other: Choice, of_other: Prediction
) -> tuple[str, ...]:
    """In what `one` beats `other`; nothing where it is worse in anything or nothing is certain."""
    margin = noise(one, other)
    gains = {
        "accuracy": _gain_in_accuracy(one, other),
        "latency": _gain(of_other.seconds, of_one.seconds, margin),
        "throughput": _gain(one.throughput.estimate, other.throughput.estimate, margin),
        "memory": _gain_in_memory(one, other),
    }
    if any(gain < 0 for gain in gains.values()):
        return ()
    return tuple(name for name, gain in gains.items() if gain > 1)


def _gain(more: float, less: float, margin: float) -> int:
    """-1 worse, 0 the same, 1 better within noise, 2 better beyond it."""
    if more == less:
        return 0
    if more < less:
        return -1
    return 2 if more > less * (1.0 + margin) else 1


def _gain_in_accuracy(one: Choice, other: Choice) -> int:
    """What is not known of one alone can be better or worse, so it settles nothing."""
    if one.accuracy is None or other.accuracy is None:
        return 0 if (one.accuracy, one.network) == (other.accuracy, other.network) else -1
    difference = one.accuracy.top1 - other.accuracy.top1
    if difference <= 0.0:
        return 0 if difference == 0.0 else -1
    return 2 if difference > accuracy_noise(one.accuracy, other.accuracy) else 1


def _gain_in_memory(one: Choice, other: Choice) -> int:
    """On different devices it is different memory."""
    if one.device != other.device:
        return 0
    if one.memory is None or other.memory is None:
        return 0 if one.memory == other.memory else -1
    return _gain(float(other.memory), float(one.memory), LEAST_DIFFERENCE)
