"""What of the service's bounds each front end has, so that all together keep to them."""

from dataclasses import replace
from math import ceil

from measuring.cores import available_cores
from service.settings import Limits, Settings

LEAST_BODIES = 4
"""Bodies of the greatest size that a front end can hold, whatever its share: one that is inflated
takes two of them."""


def share_of(settings: Settings) -> Settings:
    """The settings of one front end. Connections are handed out evenly, so an even share of
    everything does."""
    count, limits = settings.frontends, settings.limits
    threads = settings.decode_threads or available_cores()
    own = replace(
        limits,
        held_bytes=memory_of(limits, count),
        requests=ceil(limits.requests / count),
        connections=ceil(limits.connections / count),
    )
    return replace(settings, limits=own, decode_threads=ceil(threads / count))


def memory_of(limits: Limits, count: int) -> int:
    """Bytes that one of so many front ends may hold of bodies, and as many of pixels."""
    return max(limits.held_bytes // count, LEAST_BODIES * limits.body_bytes)
