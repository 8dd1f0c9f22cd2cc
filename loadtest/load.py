"""How a service is driven: by clients that wait for answers, or by a crowd that does not."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from measuring.errors import InputError

Arrivals = Literal["poisson", "constant", "loadgen"]
MOST_CONNECTIONS = 10_000
MOST_PROCESSES = 64
SHORTEST = 0.05
"""Seconds of a load."""
LATENCY_BOUND = 0.015
"""Seconds: MLPerf's bound of ResNet-50 in the Server scenario."""


@dataclass(frozen=True)
class Closed:
    """So many clients, each of which asks again as soon as it is answered."""

    connections: int = 1

    def __post_init__(self) -> None:
        _check_connections(self.connections)


@dataclass(frozen=True)
class Open:
    """Requests come at `rate` per second, whether or not earlier ones were answered: at random
    moments as independent clients make them, evenly, or when MLCommons LoadGen says, which judges
    the run by `latency_bound`, seconds that 99 of 100 requests may take. `max_connections` bounds
    how many may be under way; one that finds them all taken is dropped and counted."""

    rate: float
    arrivals: Arrivals = "poisson"
    max_connections: int = 1_000
    latency_bound: float = LATENCY_BOUND

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and 0.0 < self.rate <= 1e6):
            raise InputError(
                f"rate is {self.rate:g} requests/s, expected above 0 and up to 1,000,000"
            )
        if self.arrivals not in get_args(Arrivals):
            raise InputError(
                f"arrivals are {self.arrivals!r}, expected {' or '.join(get_args(Arrivals))}"
            )
        if not 0.0 < self.latency_bound <= 3600.0:
            raise InputError(
                f"latency bound is {self.latency_bound} s, expected above 0 and up to 3,600"
            )
        _check_connections(self.max_connections)


@dataclass(frozen=True)
class Load:
    """`seconds` that count, after `warm_up` seconds of the same that do not. Rate and connections
    are shared between `processes`. `cores`: where the generator may run; None: anywhere.

    The same seed means the same arrivals and bodies.
    """

    traffic: Closed | Open
    seconds: float = 10.0
    warm_up: float = 1.0
    processes: int = 1
    seed: int = 0
    cores: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ("seconds", self.seconds, SHORTEST),
            ("warm-up", self.warm_up, 0.0),
        ):
            if not (math.isfinite(value) and least <= value <= 7 * 86_400):
                raise InputError(f"{name} is {value} s, expected {least:g} s to a week")
        if not 1 <= self.processes <= MOST_PROCESSES:
            raise InputError(f"processes is {self.processes}, expected 1 to {MOST_PROCESSES}")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected 0 or more")
        if (
            isinstance(self.traffic, Open)
            and self.traffic.arrivals == "loadgen"
            and self.processes > 1
        ):
            raise InputError(
                f"{self.processes} processes with LoadGen, which has one; leave processes out"
            )
        connections = (
            self.traffic.connections
            if isinstance(self.traffic, Closed)
            else self.traffic.max_connections
        )
        if connections < self.processes:
            raise InputError(
                f"{connections} connections for {self.processes} processes, expected one each at "
                "least; use fewer processes"
            )


def _check_connections(count: int) -> None:
    if not 1 <= count <= MOST_CONNECTIONS:
        raise InputError(f"connections are {count}, expected 1 to {MOST_CONNECTIONS:,}")
