"""Whether others used the machine that a service was driven on: their share of it is in no figure
of the service's own, and in all of its latencies."""

import resource
import time
from dataclasses import dataclass

from loadtest.target import Target
from measuring.activity import Activity, activity
from measuring.cores import affinity, cpu_quota

OTHERS = 0.1
"""Of the cores: a point where others took more is not compared with a baseline."""
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True)
class Glance:
    """At one moment: what all took, and processor seconds of this process and of its ended ones."""

    activity: Activity | None
    own: float
    at: float


def glance() -> Glance:
    """Now."""
    mine = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(it.ru_utime + it.ru_stime for it in mine)
    return Glance(activity(()), own, time.perf_counter())


def others(before: Glance, after: Glance, target: Target, service: float | None) -> float | None:
    """Share of the cores that neither this process nor the service took, what the hypervisor took
    for other machines included; `service`: processor seconds it took. None where the kernel does
    not say, where the service is elsewhere or does not tell, and where a quota holds us, since
    others may then be on cores that we do not get."""
    if before.activity is None or after.activity is None or service is None:
        return None
    if not target.address[0].startswith(_LOOPBACK) or cpu_quota() is not None:
        return None
    busy = after.activity.busy - before.activity.busy
    stolen = after.activity.stolen - before.activity.stolen
    foreign = max(0.0, busy - (after.own - before.own) - service) + stolen
    return foreign / ((after.at - before.at) * len(affinity()))
