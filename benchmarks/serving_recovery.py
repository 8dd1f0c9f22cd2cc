"""How a service came through an overload: what it delivered, refused, and when it was well."""

from dataclasses import dataclass

import numpy as np

from benchmarks.open_loop import Arrivals
from measuring.record import Scalar

GRAIN = 0.01
"""Seconds before a deadline from which on a 503 means that it has passed: /v2 has one status, as
Triton does, for that and for a refusal."""
SETTLE = 2.0
"""Seconds of the overload that goodput leaves out at its beginning: the queue fills."""


@dataclass(frozen=True)
class Overload:
    """From `start` to `end`, seconds since the first request; `capacity` in requests per second;
    `deadline`: seconds that a request allows."""

    start: float
    end: float
    capacity: float
    deadline: float


def judge(arrivals: Arrivals, overload: Overload) -> dict[str, Scalar]:
    """`goodput`: good answers per second as a share of the capacity. `refused`, `expired`,
    `unanswered`: how many, of those due during the overload. `refusal_p50` and `p99`: seconds from
    sending to a refusal. `late`: good answers that came later after sending than the deadline;
    `most`: the slowest of all. `recovery`: seconds after the end until all was well for good."""
    due, status = arrivals.due, arrivals.status
    during = (due >= overload.start) & (due < overload.end)
    first = overload.start + SETTLE
    answered = arrivals.ok & (arrivals.answered >= first) & (arrivals.answered < overload.end)
    taken = arrivals.answered - arrivals.sent
    at_deadline = taken >= overload.deadline - GRAIN
    expired = during & ((status == 504) | ((status == 503) & at_deadline))
    refused = during & (status == 503) & ~at_deadline
    refusals = taken[refused] if refused.any() else np.zeros(1)
    return {
        "goodput": float(answered.sum() / (overload.end - first) / overload.capacity),
        "refused": int(refused.sum()),
        "expired": int(expired.sum()),
        "unanswered": int((during & (status == 0)).sum()),
        "refusal_p50": float(np.percentile(refusals, 50)),
        "refusal_p99": float(np.percentile(refusals, 99)),
        "late": int((arrivals.ok & (taken > overload.deadline)).sum()),
        "most": float(taken[arrivals.ok].max()),
        "recovery": _recovery(arrivals, overload),
    }


def _recovery(arrivals: Arrivals, overload: Overload) -> float:
    """Until the last request that was refused, or took more than twice the 99th percentile of
    those before the overload."""
    before = (arrivals.due < overload.start) & arrivals.ok
    usual = 2.0 * float(np.percentile(arrivals.latency[before], 99))
    after = arrivals.due >= overload.end
    slow = after & ~(arrivals.ok & (arrivals.latency <= usual))
    return float((arrivals.due[slow] - overload.end).max()) if slow.any() else 0.0
