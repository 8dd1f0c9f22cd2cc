"""What is asked of a deployment, and by how much a choice misses it."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.recommend_choices import Accuracy, Choice
from benchmarks.recommend_queue import (
    Prediction,
    capacity,
    predict,
    sustained,
    sustained_interval,
)
from measuring.bootstrap import Interval
from measuring.errors import InputError

Preference = Literal["accuracy", "speed"]


@dataclass(frozen=True)
class Requirements:
    """`percentile` percent of requests take no more than `slo` seconds at `rate` requests per
    second, each of one image, of which `around` seconds go by outside of the engines' queue.

    `accuracy`: the least top-1 in [0, 1]; `memory`: the most bytes; `devices`: those allowed.
    Raises InputError for what nothing could meet.
    """

    slo: float
    rate: float
    percentile: float = 99.0
    accuracy: float | None = None
    memory: int | None = None
    devices: tuple[str, ...] | None = None
    prefer: Preference = "accuracy"
    around: float = 0.0

    def __post_init__(self) -> None:
        for name, value, unit in (("slo", self.slo, "seconds"), ("rate", self.rate, "requests/s")):
            if not 0.0 < value < math.inf:
                raise InputError(f"{name} is {value:g} {unit}, expected more than 0, finite")
        if not 0.0 < self.percentile < 100.0:
            raise InputError(f"percentile is {self.percentile:g}, expected one between 0 and 100")
        if self.accuracy is not None and not 0.0 <= self.accuracy <= 1.0:
            raise InputError(f"accuracy is {self.accuracy:g}, expected a share between 0 and 1")
        if self.memory is not None and self.memory <= 0:
            raise InputError(f"memory is {self.memory} bytes, expected more than 0")
        if not 0.0 <= self.around < math.inf:
            raise InputError(f"around is {self.around:g} seconds, expected 0 or more, finite")

    @property
    def words(self) -> str:
        """For a sentence: `p99 <= 20 ms at 200 requests/s`, and the rest where there is any."""
        parts = [f"{self.latency_words} at {self.rate:g} requests/s"]
        if self.accuracy is not None:
            parts.append(f"top-1 >= {self.accuracy * 100:g} %")
        if self.memory is not None:
            parts.append(f"memory <= {self.memory / 1e6:,.0f} MB")
        if self.devices is not None:
            parts.append(f"on {' or '.join(self.devices)}")
        return ", ".join(parts)

    @property
    def latency_words(self) -> str:
        """`p99 <= 20 ms`."""
        return f"p{self.percentile:g} <= {self.slo * 1e3:g} ms"


@dataclass(frozen=True)
class Shortfall:
    """A requirement that a choice misses: by what share of the bound, and in words.

    `share` is infinite where no improvement would do, such as on another device."""

    requirement: Literal["latency", "accuracy", "memory", "device"]
    share: float
    words: str


@dataclass(frozen=True)
class Assessed:
    """A choice under requirements. `prediction` includes the time around the engines' queue."""

    choice: Choice
    prediction: Prediction
    shortfalls: tuple[Shortfall, ...]

    @property
    def feasible(self) -> bool:
        """Meets every requirement."""
        return not self.shortfalls

    @property
    def distance(self) -> tuple[float, float]:
        """How far from feasible: the worst shortfall, then all together."""
        shares = [shortfall.share for shortfall in self.shortfalls]
        return max(shares, default=0.0), sum(shares)


def assess(choice: Choice, asked: Requirements) -> Assessed:
    """What is predicted of the choice, and everything it misses."""
    prediction = predict(choice, asked.rate, asked.percentile)
    prediction = replace(prediction, seconds=prediction.seconds + asked.around)
    missed = (
        _latency(choice, prediction, asked),
        _accuracy(choice.accuracy, asked.accuracy),
        _memory(choice.memory, asked.memory),
        _device(choice.device, asked.devices),
    )
    return Assessed(choice, prediction, tuple(it for it in missed if it is not None))


def holds(choice: Choice, asked: Requirements) -> float:
    """The highest rate at which the choice keeps the SLO."""
    return sustained(choice, asked.slo - asked.around, asked.percentile)


def holds_interval(choice: Choice, asked: Requirements) -> Interval:
    """With what the throughput's interval makes of it."""
    return sustained_interval(choice, asked.slo - asked.around, asked.percentile)


def _latency(choice: Choice, prediction: Prediction, asked: Requirements) -> Shortfall | None:
    if prediction.seconds <= asked.slo:
        return None
    if math.isfinite(prediction.seconds):
        over = prediction.seconds - asked.slo
        return Shortfall(
            "latency",
            over / asked.slo,
            f"p{asked.percentile:g} {prediction.seconds * 1e3:.1f} ms, {over * 1e3:.1f} ms "
            f"({over / asked.slo:.0%}) over {asked.slo * 1e3:g} ms",
        )
    most, held = capacity(choice), holds(choice, asked)
    words = f"cannot keep up: {most:.0f} images/s at most"
    if held > 0.0:
        return Shortfall(
            "latency", asked.rate / held - 1.0, f"{words}, {held:.0f} of them within the SLO"
        )
    return Shortfall("latency", asked.rate / most, f"{words}, none of them within the SLO")


def _accuracy(found: Accuracy | None, floor: float | None) -> Shortfall | None:
    """The share is that of the wrong answers: 74 % instead of 75 % are 4 % more of them."""
    if floor is None or (found is not None and found.top1 >= floor):
        return None
    if found is None:
        return Shortfall("accuracy", math.inf, "its accuracy is not known")
    share = (floor - found.top1) / (1.0 - floor) if floor < 1.0 else math.inf
    return Shortfall(
        "accuracy",
        share,
        f"top-1 {found.top1:.1%}, {(floor - found.top1) * 100:.1f} points under {floor * 100:g} %",
    )


def _memory(found: int | None, most: int | None) -> Shortfall | None:
    if most is None or (found is not None and found <= most):
        return None
    if found is None:
        return Shortfall("memory", math.inf, "its memory was not measured")
    over = found - most
    return Shortfall(
        "memory", over / most, f"{found / 1e6:,.0f} MB, {over / 1e6:,.0f} MB over the limit"
    )


def _device(found: str, allowed: tuple[str, ...] | None) -> Shortfall | None:
    if allowed is None or found in allowed:
        return None
    return Shortfall("device", math.inf, f"runs on {found}, not on {' or '.join(allowed)}")
