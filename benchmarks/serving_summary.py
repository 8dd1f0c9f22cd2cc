"""What records of serving say, round by round: shares of the limit, added processor time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.pages import number
from benchmarks.serving import CONNECTIONS, KINDS, LIMIT, NAME
from measuring.record import Measurement


@dataclass(frozen=True)
class Spread:
    """Of the rounds: the median, the least and the most."""

    median: float
    low: float
    high: float

    def times(self, factor: float) -> "Spread":
        """In another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)

    def told(self, digits: int) -> str:
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


Rounds = list[Measurement]
Figure = Callable[[Measurement], float]


class Records:
    """The closed-loop rounds by network, kind, way and connections; `left_out`: visits that others
    disturbed to the end."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._rounds: dict[tuple[str, str, str, int], Rounds] = {}
        self.left_out = 0
        for measured in measurements:
            if measured.name == NAME and not measured.valid:
                self.left_out += 1
            elif measured.name == NAME:
                settings = measured.settings
                place = (
                    *(str(settings[key]) for key in ("network", "kind", "way")),
                    int(number(measured, "connections")),
                )
                self._rounds.setdefault(place, []).append(measured)  # type: ignore[arg-type]
        self.networks = tuple(dict.fromkeys(place[0] for place in self._rounds))

    def rounds(self, network: str, kind: str, way: str, connections: int = 0) -> Rounds:
        """In order; without `connections`, those of the only number there is."""
        for place, found in self._rounds.items():
            if place[:3] == (network, kind, way) and connections in (0, place[3]):
                return sorted(found, key=lambda measured: number(measured, "round"))
        return []

    def contests(self) -> list[tuple[str, str, int]]:
        """Network, kind and connections, as they are told."""
        return [(n, k, c) for n in self.networks for k in KINDS for c in CONNECTIONS]

    def against_limit(
        self, contest: tuple[str, str, int], way: str, figure: Callable[[float, float], float],
        of: Figure,
    ) -> Spread | None:  # fmt: skip
        """`figure` of the way's and of the limit's `of`, each round with its own."""
        network, kind, connections = contest
        return paired(
            self.rounds(network, kind, way, connections),
            self.rounds(network, kind, LIMIT),
            figure,
            of,
        )


def paired(
    ours: Rounds, theirs: Rounds, figure: Callable[[float, float], float], of: Figure
) -> Spread | None:
    """Over the rounds that both have; None where there are none."""
    others = {number(measured, "round"): measured for measured in theirs}
    pairs = [(a, others[n]) for a in ours if (n := number(a, "round")) in others]
    return spread([figure(of(a), of(b)) for a, b in pairs]) if pairs else None


def spread(figures: Sequence[float]) -> Spread:
    return Spread(float(np.median(figures)), min(figures), max(figures))


def rate(measured: Measurement) -> float:
    """Requests per second."""
    return number(measured, "requests") / number(measured, "seconds")


def discounted_rate(measured: Measurement) -> float:
    """Requests per second if the generator's processor time had been there for the service."""
    whole = number(measured, "seconds") * measured.machine.cores
    return rate(measured) * whole / (whole - number(measured, "generator_cpu"))


def cpu(measured: Measurement) -> float:
    """Processor seconds of the server per request."""
    return number(measured, "cpu") / number(measured, "requests")


def generator_cpu(measured: Measurement) -> float:
    """Processor seconds of the generator per request."""
    return number(measured, "generator_cpu") / number(measured, "requests")


def tail(rounds: Rounds) -> tuple[float, float]:
    """Median of the rounds' medians, and of their 99th percentiles, in seconds."""
    medians = [measured.latencies.percentile(50.0) for measured in rounds]
    tails = [measured.latencies.percentile(99.0) for measured in rounds]
    return float(np.median(medians)), float(np.median(tails))
