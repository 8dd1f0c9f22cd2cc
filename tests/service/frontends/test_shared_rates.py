"""Rates that hold for several processes, beside the bucket of one."""

import os
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from service.frontends import shared_rates
from service.frontends.shared_memory import create
from service.frontends.shared_rates import SIZE, SharedBuckets
from service.rate import Bucket, Rate

RATE = Rate(2.0, 5)
TAKER = """
import sys
from service.frontends.shared_rates import SharedBuckets
from service.rate import Rate
bucket = SharedBuckets(int(sys.argv[1])).bucket("key", Rate(1e-6, 300))
print(sum(bucket.take() == 0.0 for _ in range(400)))
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


def test_two_processes_buckets_are_one(clock: list[float]) -> None:
    """Whichever is asked, the answer is that of one bucket for all."""
    descriptor = create("rates", SIZE)
    both = [SharedBuckets(os.dup(descriptor)).bucket("key", RATE) for _ in range(2)]
    alone, draw = Bucket(RATE), random.Random(0)

    for _ in range(200):
        clock[0] += draw.expovariate(3.0)
        assert draw.choice(both).take() == pytest.approx(alone.take())


def test_keys_and_rates_have_buckets_of_their_own(clock: list[float]) -> None:
    buckets = SharedBuckets(create("rates", SIZE))
    made = [buckets.bucket(name, rate) for name in ("a", "b") for rate in (RATE, Rate(2.0, 1))]

    taken = [sum(bucket.take() == 0.0 for _ in range(9)) for bucket in made]

    assert taken == [5, 1, 5, 1]
    again = buckets.bucket("a", RATE)
    assert again.take() == pytest.approx(0.5)


def test_table_that_is_full_goes_on(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_rates, "PLACES", 4)
    buckets = SharedBuckets(create("rates", SIZE))
    take: Callable[[int], float] = lambda n: buckets.bucket(str(n), RATE).take()  # noqa: E731

    assert [take(number) for number in range(10)] == [0.0] * 10


def test_processes_at_once_take_no_more_than_there_is() -> None:
    descriptor = create("rates", SIZE)
    command = [sys.executable, "-c", TAKER, str(descriptor)]
    takers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=(descriptor,))
        for _ in range(2)
    ]

    taken = [int(taker.communicate(timeout=60)[0]) for taker in takers]

    assert sum(taken) == 300
