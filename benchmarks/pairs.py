"""Ways of running the same network, timed against one of them in interleaved blocks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from inference.engine import Logits, Pixels
from measuring.bootstrap import Ratio, paired_ratio
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.pictures import varied_pictures
from measuring.record import Measurement, Scalar, now
from measuring.timing import Schedule, interleave

Infer = Callable[[Pixels], Logits]
Call = Callable[[], object]

FULL = Schedule(runs=40, seconds=2.0, warmup=2, blocks=20)
QUICK = Schedule(runs=5, seconds=0.25, warmup=1, blocks=5)


@dataclass(frozen=True)
class Contest:
    """`base`: the way that the others are compared with; `settings`: what all have in common."""

    name: str
    base: str
    size: int
    batch: int
    settings: Mapping[str, Scalar]


def compete(
    contest: Contest, ways: Mapping[str, Infer], machine: Machine, schedule: Schedule
) -> list[Measurement]:
    """A measurement for each way, seconds of one call of `contest.batch` pictures, with its speed
    as a multiple of the base's and that ratio's 95 % interval, by blocks."""
    pixels = varied_pictures(contest.batch, contest.size, seed=0)
    calls = {way: partial(infer, pixels) for way, infer in ways.items()}
    return compare(contest, calls, machine, schedule)


def compare(
    contest: Contest, calls: Mapping[str, Call], machine: Machine, schedule: Schedule
) -> list[Measurement]:
    """As `compete`, for calls of any kind that answer to nobody."""
    started = now()
    timed = interleave(calls, schedule)
    found = []
    for way, samples in timed.items():
        ratio = paired_ratio(timed[contest.base], samples)
        settings = {**contest.settings, "way": way, "base": contest.base, "batch": contest.batch}
        measured = latencies(samples.samples, blocks=samples.blocks)
        found.append(
            Measurement(
                contest.name, settings | _speed(ratio, schedule), measured, machine, started
            )
        )
    return found


def _speed(ratio: Ratio, schedule: Schedule) -> dict[str, Scalar]:
    return {
        "speed": ratio.estimate,
        "speed_low": ratio.low,
        "speed_high": ratio.high,
        "pairs": schedule.blocks,
    }
