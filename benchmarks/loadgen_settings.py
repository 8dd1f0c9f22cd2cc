"""The four scenarios of MLPerf Inference, as LoadGen is told them: official, or scaled down."""

from dataclasses import dataclass
from typing import Literal, get_args

from measuring.errors import InputError
from measuring.percentiles import least_count

Scenario = Literal["SingleStream", "MultiStream", "Server", "Offline"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
OFFICIAL_SECONDS = 600.0
SCALED_SECONDS = 5.0
LATENCY_BOUND = 0.015
"""Seconds that 99 of 100 queries of the Server scenario may take: ResNet-50's bound."""
MULTI_STREAM_SAMPLES = 8
OFFLINE_SAMPLES = 24_576
"""Of one official Offline query, at least."""


@dataclass(frozen=True)
class LoadgenRequest:
    """One run of one scenario. `max_batch`: pictures of one call where queries wait together;
    `rate`: queries per second that arrive (Server) or samples that are expected (Offline);
    `logs`: a folder for LoadGen's own files."""

    scenario: Scenario
    min_duration: float
    min_queries: int
    max_batch: int
    rate: float
    latency_bound: float
    logs: str


@dataclass(frozen=True)
class LoadgenAnswer:
    """`samples`: seconds from LoadGen's hand-over to the answer, of each picture."""

    samples: list[float]
    version: str


@dataclass(frozen=True)
class Duration:
    """`scaled`: whether a run may be shorter than the official 600 s."""

    seconds: float = SCALED_SECONDS
    scaled: bool = True

    def __post_init__(self) -> None:
        if not 0.0 < self.seconds <= 3600.0:
            raise InputError(
                f"--loadgen-seconds: {self.seconds}, expected more than 0 and at most 3,600"
            )

    def min_queries(self, scenario: Scenario) -> int:
        """What LoadGen's early stopping needs, or the rules ask for."""
        if scenario == "Offline":
            return 1 if self.scaled else OFFLINE_SAMPLES
        if scenario == "SingleStream":
            return least_count(90.0) if self.scaled else 1024
        return least_count(99.0) if self.scaled or scenario == "MultiStream" else 2048


SCALED = Duration()
OFFICIAL = Duration(OFFICIAL_SECONDS, scaled=False)


def scenarios(names: tuple[str, ...]) -> tuple[Scenario, ...]:
    """Raises InputError for a name that is none."""
    known = {scenario.casefold(): scenario for scenario in SCENARIOS}
    for name in names:
        if name.casefold() not in known:
            raise InputError(f"--scenarios: {name!r}, expected some of {', '.join(SCENARIOS)}")
    return tuple(known[name.casefold()] for name in names)
