"""What waiting must look like: a queue with k servers, simulated, and the cases with a closed form.

M/G/k: arrivals at random (Poisson), service times from any distribution, first come first served:
the best that a service could do with engines of these times. What it takes beyond is its own.

Formulas: Erlang's C for M/M/k, Pollaczek-Khinchine for the mean of M/G/1; Kleinrock, Queueing
Systems, volume 1, 1975, chapters 3 and 5.
"""

import heapq
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]


def response_times(arrivals: Seconds, services: Seconds, *, servers: int) -> Seconds:
    """From each arrival (N,), rising, to the end of its service (N,): in the order of arrival, by
    whichever of `servers` is free first."""
    free = [0.0] * servers
    answered = np.empty(len(arrivals))
    pairs = zip(arrivals.tolist(), services.tolist(), strict=True)
    for index, (arrival, service) in enumerate(pairs):
        end = max(arrival, free[0]) + service
        heapq.heapreplace(free, end)
        answered[index] = end - arrival
    return answered


def simulated(
    arrivals: Seconds, measured: Seconds, *, servers: int, repetitions: int, seed: int
) -> Seconds:
    """Response times over `repetitions` of the same arrivals, (repetitions * N,): each with service
    times drawn anew from those that were `measured`."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return np.concatenate(
        [
            response_times(arrivals, rng.choice(measured, len(arrivals)), servers=servers)
            for _ in range(repetitions)
        ]
    )


def poisson_arrivals(rate: float, seconds: float, seed: int) -> Seconds:
    """Moments in [0, seconds), `rate` of them per second on average, as independent clients make
    them."""
    rng = np.random.Generator(np.random.PCG64(seed))
    count = rng.poisson(rate * seconds)
    return np.sort(rng.random(count)) * seconds


def mm_k_waiting(load: float, servers: int) -> float:
    """The share of requests that wait in M/M/k: Erlang's C. `load`: arrival rate times mean service
    time, below `servers`."""
    blocked = load**servers / math.factorial(servers) * servers / (servers - load)
    return blocked / (sum(load**n / math.factorial(n) for n in range(servers)) + blocked)


def mm_k_mean(rate: float, service: float, servers: int) -> float:
    """Seconds from arrival to answer in M/M/k, on average."""
    waiting = mm_k_waiting(rate * service, servers)
    return service + waiting / (servers / service - rate)


def mm_1_percentile(rate: float, service: float, rank: float) -> float:
    """The percentile of the response time in M/M/1, which is exponential."""
    return -math.log(1.0 - rank / 100.0) / (1.0 / service - rate)


def mg_1_mean(rate: float, services: Sequence[float] | Seconds) -> float:
    """Seconds from arrival to answer in M/G/1, on average: Pollaczek-Khinchine. With equal service
    times it is M/D/1."""
    times = np.asarray(services, np.float64)
    load = rate * float(times.mean())
    return float(times.mean() + rate * (times**2).mean() / (2.0 * (1.0 - load)))
