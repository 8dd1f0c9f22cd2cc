"""Whether a measurement deserves trust, and what speaks against it."""

from dataclasses import dataclass

from measuring.percentiles import CLAIMS, least_count

SPREAD = 0.15
"""Of the blocks' middle half, as a share of their median."""
OTHERS = 0.05
"""Of the cores, taken by other processes or by the hypervisor."""
DRIFT = 0.05
"""Of the same arithmetic, from the first third of a run to the last, either way."""
# NVML's bits for a clock held back by power, heat or the mains; the others are asked for.
_THROTTLED = {
    0x04: "its power limit",
    0x08: "the hardware",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "the mains",
}


@dataclass(frozen=True)
class Conditions:
    """Under which something was timed; None for what could not be read.

    `spread`: interquartile range of the blocks over their median; `percentile`: the highest that
    is claimed, of `count` samples; `throttle_reasons`: all of NVML's bits that were seen.
    """

    spread: float
    count: int
    percentile: str
    others: float | None = None
    stolen: float | None = None
    calibration_drift: float | None = None
    throttle_reasons: int = 0


def objections(conditions: Conditions) -> tuple[str, ...]:
    """Why the numbers should not be trusted; none: VALID."""
    found = []
    if conditions.spread > SPREAD:
        found.append(
            f"noise: the middle half of the blocks spans {conditions.spread:.0%} of their median, "
            f"over {SPREAD:.0%}"
        )
    drift = conditions.calibration_drift
    if drift is not None and abs(drift) > DRIFT:
        longer = "longer" if drift > 0 else "less"
        found.append(
            f"throttling: the same arithmetic took {abs(drift):.0%} {longer} at the end than at "
            f"the start, over {DRIFT:.0%}"
        )
    found += [
        f"throttling: the GPU's clock was held back by {cause}"
        for bit, cause in _THROTTLED.items()
        if conditions.throttle_reasons & bit
    ]
    for who, share in (
        ("other processes", conditions.others),
        ("the hypervisor", conditions.stolen),
    ):
        if share is not None and share > OTHERS:
            found.append(f"other load: {who} took {share:.0%} of the cores, over {OTHERS:.0%}")
    needed = least_count(CLAIMS[conditions.percentile])
    if conditions.count < needed:
        found.append(
            f"too few samples: {conditions.percentile} needs {needed:,}, got {conditions.count:,}"
        )
    return tuple(found)
