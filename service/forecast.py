"""When a request would be answered if it were admitted now."""

from collections.abc import Sequence

from service.batch_times import BatchTimes

SLACK = 0.1
"""Share of the expected time that is kept in hand; besides, twice the usual deviation of a call.
Under overload every admitted request is one that just fits: without, half of them would be late."""


def seconds_to_answer(
    images: int, *, ahead: int, per_call: int, free_in: Sequence[float], times: BatchTimes
) -> float:
    """Seconds until a request of so many images has its answer, with something in hand.

    `ahead`: images in the queue before it; `per_call`: images that one call takes at most;
    `free_in`: for each instance the seconds until it is free. Instances take calls in turn as they
    come free, which is exact where calls of one size take one time.
    """
    total = ahead + images
    rounds, instance = divmod((total - 1) // per_call, len(free_in))
    wait = sorted(free_in)[instance] + rounds * times.expected(per_call)
    own = times.expected(min(per_call, total))
    return (wait + own) * (1.0 + SLACK) + 2.0 * times.deviation * own
