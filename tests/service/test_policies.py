import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import pytest

from service.batch_times import BatchTimes
from service.batcher import Batcher
from service.forecast import SLACK, seconds_to_answer
from service.job import Job
from service.policies import make_policy
from service.seam import Answer, Priority, Refusal
from service.settings import Batching
from tests.service.fakes import FakeEngine, picture
from tests.service.jobs import put

pytestmark = pytest.mark.anyio
MakeBatcher = Callable[..., Batcher]
TIMES = {1: 0.010, 2: 0.012, 4: 0.016, 8: 0.024}
SLO = Batching("slo", slo=0.02)


@dataclass
class Queue:
    """So many images, the first of which came at 0."""

    total: int

    def oldest(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("waiting", "waited", "expected"),
    [
        pytest.param(8, 0.0, 6, id="as-many-as-can-be-in-time"),
        pytest.param(4, 0.005, 3, id="fewer-when-the-oldest-has-waited"),
        pytest.param(4, 0.5, 1, id="one-when-it-is-too-late-already"),
        pytest.param(8, 0.5, 5, id="but-never-so-few-that-many-more-come-too-late"),
    ],
)
def test_slo_takes_what_lets_the_oldest_be_in_time(
    waiting: int, waited: float, expected: int
) -> None:
    """T(b) is 8 ms and 2 ms for each image; the SLO is 20 ms. Five images in 18 ms are the first
    that keep four fifths of the best throughput, eight in 24 ms."""
    policy = make_policy(SLO, 8, BatchTimes(TIMES))

    assert policy.most(Queue(waiting), waited) == expected
    assert policy.hold_until(Queue(waiting)) <= waited
    assert (policy.promise, policy.per_call) == (0.02, 5)


def test_delay_counts_from_the_oldest_and_ends_with_a_full_batch() -> None:
    policy = make_policy(Batching("delay", delay=0.002), 8, BatchTimes(TIMES))

    assert policy.hold_until(Queue(7)) == 0.002
    assert policy.hold_until(Queue(8)) == 0.0
    assert policy.promise == inf


async def test_batcher_delay_waits_for_company_and_not_longer(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine()
    batcher = make_batcher(engine, batching=Batching("delay", delay=0.2), max_batch=3)
    started = time.perf_counter()
    first = put(batcher, 1)
    await asyncio.sleep(0.01)
    assert engine.calls == []
    second = put(batcher, 2)

    await asyncio.gather(first.future, second.future)
    assert time.perf_counter() - started >= 0.2
    assert engine.calls == [2]


async def test_batcher_delay_ends_when_the_batch_is_full(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine()
    batcher = make_batcher(engine, batching=Batching("delay", delay=30.0), max_batch=3)
    jobs = [put(batcher, value) for value in (1, 2, 3)]

    async with asyncio.timeout(10):
        await asyncio.gather(*(job.future for job in jobs))
    assert engine.calls == [3]


async def test_batcher_delay_with_several_instances_holds_one_batch(
    make_batcher: MakeBatcher,
) -> None:
    engines = FakeEngine(), FakeEngine()
    batcher = make_batcher(*engines, batching=Batching("delay", delay=0.1), max_batch=3)
    jobs = [put(batcher, value) for value in (1, 2, 3, 4)]

    await asyncio.gather(*(job.future for job in jobs))
    assert sorted(engines[0].calls + engines[1].calls) == [1, 3]


async def test_batcher_drain_does_not_wait_for_a_delay(make_batcher: MakeBatcher) -> None:
    batcher = make_batcher(FakeEngine(), batching=Batching("delay", delay=30.0))
    job = put(batcher, 1)

    async with asyncio.timeout(10):
        await batcher.drain()

    assert isinstance(job.future.result(), Answer)


async def test_batcher_without_batching_takes_one_request_at_a_time(
    make_batcher: MakeBatcher,
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, batching=Batching("none"), max_batch=4, capacity=16)
    put(batcher, 0)
    await engine.running()
    jobs = [put(batcher, 1, 2), put(batcher, 3), put(batcher, 4, 5, 6, 7, 8)]
    engine.let_go()

    await asyncio.gather(*(job.future for job in jobs))
    assert engine.calls == [1, 2, 1, 4, 1]


async def test_batcher_slo_refuses_at_once_what_cannot_make_it(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, batching=Batching("slo", slo=3.0), max_batch=1, seconds={1: 1.0})
    put(batcher, 0)
    await engine.running()
    put(batcher, 1)  # about two seconds: the running call's, and its own

    refusal = batcher.submit(Job(picture(2), time.perf_counter() + 60), Priority.NORMAL)

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "late"
    assert refusal.retry_after == pytest.approx(0.3, abs=0.2)


async def test_batcher_admits_a_background_request_by_all_that_waits(
    make_batcher: MakeBatcher,
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, max_batch=1, seconds={1: 1.0})
    put(batcher, 0)
    await engine.running()
    for _ in range(4):
        put(batcher, 1, priority=Priority.BACKGROUND)

    deadline = time.perf_counter() + 4.0
    assert batcher.submit(Job(picture(2), deadline), Priority.NORMAL) is None
    refusal = batcher.submit(Job(picture(2), deadline), Priority.BACKGROUND)
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize(
    ("images", "ahead", "per_call", "free_in", "expected"),
    [
        pytest.param(1, 0, 1, [0.0], 0.010, id="idle"),
        pytest.param(1, 0, 1, [0.004], 0.014, id="behind-the-running-call"),
        pytest.param(1, 5, 1, [0.004], 0.064, id="behind-five"),
        pytest.param(1, 5, 1, [0.004, 0.001], 0.034, id="behind-five-at-two-instances"),
        pytest.param(2, 6, 8, [0.0], 0.024, id="in-the-first-batch"),
        pytest.param(1, 8, 8, [0.0], 0.048, id="in-the-second-batch"),
        pytest.param(20, 0, 8, [0.0], 0.072, id="split-in-three"),
    ],
)
def test_seconds_to_answer_is_what_calls_in_turn_take(
    images: int, ahead: int, per_call: int, free_in: list[float], expected: float
) -> None:
    seconds = seconds_to_answer(
        images, ahead=ahead, per_call=per_call, free_in=free_in, times=BatchTimes(TIMES)
    )

    assert seconds == pytest.approx(expected * (1 + SLACK))


def test_batch_times_follow_what_is_measured() -> None:
    times = BatchTimes(TIMES)
    assert times.expected(2) == 0.012
    assert times.expected(16) == pytest.approx(0.040)
    for _ in range(100):
        times.update(2, 0.024)

    assert times.expected(2) == pytest.approx(0.024, rel=0.01)
    assert times.expected(8) == pytest.approx(0.048, rel=0.01)
    assert times.deviation < 0.05


def test_batch_times_hardly_heed_a_single_call_that_was_held_up() -> None:
    times = BatchTimes(TIMES)

    times.update(1, 60.0)

    assert times.expected(1) < 0.02


@pytest.mark.parametrize(
    ("measured", "expected"),
    [pytest.param({}, 1e-6, id="nothing"), pytest.param({4: 0.008}, 0.002, id="one-size")],
)
def test_batch_times_without_a_line(measured: dict[int, float], expected: float) -> None:
    assert BatchTimes(measured).expected(1) == pytest.approx(expected)
