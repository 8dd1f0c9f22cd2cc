"""When figures say more about the generator than about the service, and why."""

from loadtest.load import Closed, Load
from loadtest.tally import Tally
from measuring.latencies import Latencies

BUSY = 0.8
"""Of a core, that one process of the generator may use: it is one thread, and near a whole core
requests wait in it."""
LAG = 1e-3
LAG_SHARE = 0.1
"""Seconds that requests may be sent late, and the share of the latency that they may be late
beyond that, at the median and at the 99th percentile."""
UNSENT = "were not sent, since all"
"""In the objection to a load of which some was dropped."""


def objections(load: Load, tally: Tally) -> tuple[str, ...]:
    """Why the generator, not the service, was the limit; none: VALID."""
    found = [
        f"generator: its process {number} used {share:.0%} of a core, over {BUSY:.0%}; give it "
        "more processes or another machine"
        for number, share in enumerate(tally.cpu, 1)
        if share > BUSY
    ]
    if isinstance(load.traffic, Closed):
        return tuple(found)
    if tally.dropped:
        found.append(
            f"generator: {tally.dropped:,} of {tally.due:,} requests {UNSENT} "
            f"{load.traffic.max_connections:,} connections waited for answers: the service does "
            "not keep up with this rate, or it needs more connections"
        )
    lag, latency = tally.lag.latencies(), tally.latency.latencies()
    if lag is not None:
        found += [
            _late(rank, lag, latency) for rank in (50.0, 99.0) if _is_late(rank, lag, latency)
        ]
    return tuple(found)


def _is_late(rank: float, lag: Latencies, latency: Latencies | None) -> bool:
    late = lag.percentile(rank)
    return late > LAG and (latency is None or late > LAG_SHARE * latency.percentile(rank))


def _late(rank: float, lag: Latencies, latency: Latencies | None) -> str:
    told = f"generator: requests were sent {lag.percentile(rank) * 1e3:.3g} ms late at p{rank:g}"
    if latency is not None:
        told += f", over {LAG_SHARE:.0%} of the latency of {latency.percentile(rank) * 1e3:.3g} ms"
    return f"{told}; give it cores of its own, more processes or another machine"
