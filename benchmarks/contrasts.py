"""Callables timed against one another, each with its time as a multiple of some others'."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from measuring.activity import Shares, activity, shares, total
from measuring.bootstrap import Interval, interval, paired_ratio
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.record import Measurement, Scalar, now
from measuring.timing import Schedule, Timed, interleave
from measuring.validity import Conditions, objections

Call = Callable[[], object]


def contrast(
    name: str,
    calls: Mapping[str, Call],
    settings: Mapping[str, Mapping[str, Scalar]],
    against: Sequence[str],
    machine: Machine,
    schedule: Schedule,
    *,
    synchronise: Call | None = None,
) -> list[Measurement]:
    """A record for each call, with `settings[way]` and, for each of `against` that is there, how
    many times as long it takes as that one, with the 95 % interval over paired blocks."""
    started, clock, before = now(), time.perf_counter(), activity([os.getpid()])
    timed = interleave(calls, schedule, synchronise=synchronise)
    seconds, after = time.perf_counter() - clock, activity([os.getpid()])
    load = shares(total([(before, after)]), seconds=seconds, cores=machine.cores) if (
        before and after
    ) else None  # fmt: skip
    return [
        Measurement(
            name,
            {
                **settings[way],
                "way": way,
                "blocks": schedule.blocks,
                **_figures(way, timed, against),
            },
            latencies(samples.samples, blocks=samples.blocks),
            machine,
            started,
            _reasons(samples, load),
        )
        for way, samples in timed.items()
    ]


def _figures(way: str, timed: Mapping[str, Timed], against: Sequence[str]) -> dict[str, Scalar]:
    """The median with its interval, and the ratios."""
    middle = interval(timed[way])
    figures: dict[str, Scalar] = {
        "seconds": middle.estimate, "seconds low": middle.low, "seconds high": middle.high
    }  # fmt: skip
    for base in against:
        if base in timed and base != way:
            ratio = paired_ratio(timed[way], timed[base])
            figures |= {
                f"time of {base}": ratio.estimate,
                f"time of {base} low": ratio.low,
                f"time of {base} high": ratio.high,
            }
    return figures


def _reasons(samples: Timed, load: Shares | None) -> tuple[str, ...]:
    """What speaks against the numbers."""
    blocks = [np.median(samples.samples[samples.blocks == b]) for b in np.unique(samples.blocks)]
    quarter, middle, three_quarters = np.quantile(blocks, [0.25, 0.5, 0.75])
    return objections(
        Conditions(
            spread=float((three_quarters - quarter) / middle),
            count=len(samples.samples),
            percentile="p50",
            others=load.others if load else None,
            stolen=load.stolen if load else None,
        )
    )


def seconds_of(measured: Measurement) -> Interval:
    """The median call and its 95 % interval."""
    settings = measured.settings
    low, high = (float(str(settings[f"seconds {end}"])) for end in ("low", "high"))
    return Interval(float(str(settings["seconds"])), low, high, 0.95)


def time_ratio(measured: Measurement, base: str) -> Interval | None:
    """How many times as long as `base` it takes; None where the two were not timed together."""
    settings = measured.settings
    if f"time of {base}" not in settings:
        return None
    low, high = (float(str(settings[f"time of {base} {end}"])) for end in ("low", "high"))
    return Interval(float(str(settings[f"time of {base}"])), low, high, 0.95)
