import asyncio
import re
import time
from collections.abc import Callable

import numpy as np
import pytest

from inference.engine import Logits, Pixels
from service.batcher import Batcher
from service.job import Batch, Job
from service.seam import Answer, Priority, Refusal
from tests.service.fakes import POISON, FakeEngine, picture
from tests.service.jobs import answer, put

pytestmark = pytest.mark.anyio
MakeBatcher = Callable[..., Batcher]


async def test_batcher_idle_serves_a_single_request_at_once(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine()
    batcher = make_batcher(engine)

    assert await answer(put(batcher, 7)) == [7]
    assert engine.calls == [1]


async def test_batcher_busy_takes_everything_that_queued_meanwhile(
    make_batcher: MakeBatcher,
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine)
    first = put(batcher, 0)
    await engine.running()
    waiting = [put(batcher, value) for value in (1, 2, 3, 4, 5)]
    engine.release(3)

    assert [await answer(job) for job in (first, *waiting)] == [[0], [1], [2], [3], [4], [5]]
    assert engine.calls == [1, 4, 1]  # at most max_batch, then what is left, without waiting


async def test_batcher_with_two_instances_keeps_both_busy(make_batcher: MakeBatcher) -> None:
    engines = FakeEngine(held=True), FakeEngine(held=True)
    batcher = make_batcher(*engines, max_batch=1)
    jobs = [put(batcher, value) for value in (1, 2)]
    for engine in engines:
        await engine.running()
    for engine in engines:
        engine.release()

    assert [await answer(job) for job in jobs] == [[1], [2]]
    assert [engine.calls for engine in engines] == [[1], [1]]


async def test_batcher_splits_and_merges_requests_of_several_images(
    make_batcher: MakeBatcher,
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, capacity=16)
    put(batcher, 0)
    await engine.running()
    jobs = [put(batcher, 1, 2, 3), put(batcher, 4, 5, 6, 7, 8, 9), put(batcher, 10)]
    engine.release(4)

    assert [await answer(job) for job in jobs] == [[1, 2, 3], [4, 5, 6, 7, 8, 9], [10]]
    assert engine.calls == [1, 4, 4, 2]


async def test_batcher_serves_the_lower_lane_last(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, max_batch=1)
    put(batcher, 0)
    await engine.running()
    background = put(batcher, 1, priority=Priority.BACKGROUND)
    normal = put(batcher, 2)
    engine.release(3)

    await asyncio.gather(background.future, normal.future)
    assert engine.seen == [0, 2, 1]


async def test_batcher_full_refuses_and_says_how_long_the_queue_is(
    make_batcher: MakeBatcher,
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, capacity=3)
    put(batcher, 0)
    await engine.running()
    put(batcher, 1, 2)

    refusal = batcher.submit(Job(picture(3, 4), time.perf_counter() + 60), Priority.NORMAL)

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "full"
    assert "2 of 3 images wait and this request brings 2" in refusal.message
    assert refusal.retry_after is not None
    assert batcher.depth == 2


async def test_batcher_full_of_background_work_admits_a_normal_request(
    make_batcher: MakeBatcher,
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, capacity=2)
    put(batcher, 0)
    await engine.running()
    put(batcher, 1, 2, priority=Priority.BACKGROUND)

    refusal = batcher.submit(Job(picture(3), time.perf_counter() + 60), Priority.BACKGROUND)
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "full"
    put(batcher, 4, 5)
    more = batcher.submit(Job(picture(6), time.perf_counter() + 60), Priority.NORMAL)
    assert isinstance(more, Refusal)
    assert "2 of 2 images wait" in more.message


async def test_batcher_withdrawn_job_never_reaches_the_engine(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, capacity=2)
    put(batcher, 0)
    await engine.running()
    abandoned, kept = put(batcher, 1), put(batcher, 2)

    batcher.withdraw(abandoned)
    batcher.withdraw(abandoned)  # a second time changes nothing
    assert batcher.depth == 1
    replacement = put(batcher, 3)
    engine.release(2)

    await asyncio.gather(kept.future, replacement.future)
    assert engine.seen == [0, 2, 3]


async def test_batcher_poisoned_request_fails_alone(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine)
    put(batcher, 0)
    await engine.running()
    neighbour, poisoned, other = put(batcher, 1), put(batcher, POISON), put(batcher, 2, 3)
    engine.let_go()

    assert await answer(neighbour) == [1]
    assert await answer(other) == [2, 3]
    outcome = await poisoned.future
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "failed"
    assert "poisoned picture" in outcome.message
    assert await answer(put(batcher, 9)) == [9]  # and the instance goes on


async def test_batcher_engine_that_answers_too_few_rows_fails_the_request(
    make_batcher: MakeBatcher,
) -> None:
    class ForgetfulEngine(FakeEngine):
        def infer(self, pixels: Pixels) -> Logits:
            return super().infer(pixels)[:-1]

    batcher = make_batcher(ForgetfulEngine())

    outcome = await put(batcher, 1).future

    assert isinstance(outcome, Refusal)
    assert "it answered shape (0, 2), expected (1, 2)" in outcome.message


async def test_batcher_reports_each_batch_with_its_times(
    make_batcher: MakeBatcher, batches: list[Batch]
) -> None:
    batcher = make_batcher(FakeEngine())

    outcome = await put(batcher, 1, 2, 3).future

    assert isinstance(outcome, Answer)
    assert [batch.images for batch in batches] == [3]
    assert batches[0].taken <= batches[0].started <= batches[0].finished
    assert outcome.queue >= 0
    assert outcome.inference == pytest.approx(batches[0].seconds)


async def test_batcher_drain_finishes_what_was_admitted(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, max_batch=1)
    jobs = [put(batcher, value) for value in (1, 2, 3)]
    await engine.running()
    draining = asyncio.create_task(batcher.drain())
    await asyncio.sleep(0)

    late = batcher.submit(Job(picture(4), time.perf_counter() + 60), Priority.NORMAL)
    engine.release(3)
    await draining

    assert isinstance(late, Refusal)
    assert late.kind == "draining"
    assert [await answer(job) for job in jobs] == [[1], [2], [3]]
    assert engine.closed
    assert batcher.pending == 0


async def test_batcher_pictures_that_do_not_fit_together_fail_alone(
    make_batcher: MakeBatcher,
) -> None:
    """Gathering a batch may fail too; the instance must survive it."""
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine)
    put(batcher, 0)
    await engine.running()
    small = put(batcher, 1)
    large = Job(np.full((1, 3, 3, 3), 2, np.uint8), time.perf_counter() + 60)
    assert batcher.submit(large, Priority.NORMAL) is None
    engine.let_go()

    assert await answer(small) == [1]
    assert await answer(large) == [2]
    assert await answer(put(batcher, 3)) == [3]


async def test_batcher_expired_job_is_dropped_before_the_engine(
    make_batcher: MakeBatcher,
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine)
    put(batcher, 0)
    await engine.running()
    expired = Job(picture(1), time.perf_counter() + 0.01)
    assert batcher.submit(expired, Priority.NORMAL) is None
    cancelled = put(batcher, 2)
    cancelled.future.cancel()  # by a client that went away, and not withdrawn yet
    last = put(batcher, 3)

    assert await expired.future == Refusal(
        "expired", "the deadline passed before the engine answered"
    )
    assert batcher.depth == 2
    engine.let_go()

    assert await answer(last) == [3]
    assert engine.seen == [0, 3]
    assert batcher.depth == 0


async def test_batcher_gives_no_answer_after_the_deadline(make_batcher: MakeBatcher) -> None:
    """Even where the loop was too busy for its timers and the answer comes first."""
    engine = FakeEngine(held=True)
    job = put(make_batcher(engine), 1, seconds=0.02)
    await engine.running()
    engine.let_go()
    while time.perf_counter() < job.deadline:
        pass

    outcome = await job.future

    assert isinstance(outcome, Refusal)
    assert outcome.kind == "expired"


async def test_batcher_tries_the_only_request_whatever_it_expects(
    make_batcher: MakeBatcher,
) -> None:
    batcher = make_batcher(FakeEngine(), seconds={1: 60.0}, max_batch=1)

    assert await answer(put(batcher, 1, seconds=1.0)) == [1]


async def test_batcher_deadline_out_of_reach_is_refused_at_once(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, max_batch=1, seconds={1: 2.0})
    put(batcher, 0)
    await engine.running()
    for value in (1, 2, 3):
        put(batcher, value)

    refusal = batcher.submit(Job(picture(4), time.perf_counter() + 1.0), Priority.NORMAL)
    patient = batcher.submit(Job(picture(5), time.perf_counter() + 60.0), Priority.NORMAL)

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "late"
    # one call runs, three wait, and this one: 5 x 2 seconds, and a tenth in hand
    assert re.search(r"3 images wait, the answer would take about 1[01]\.\d+ ", refusal.message)
    assert refusal.retry_after == pytest.approx(10.0, abs=0.5)
    assert patient is None


async def test_batcher_request_wakes_as_many_instances_as_it_feeds(
    make_batcher: MakeBatcher,
) -> None:
    engines = FakeEngine(held=True), FakeEngine(held=True)
    batcher = make_batcher(*engines, max_batch=1)
    job = put(batcher, 1, 2)
    for engine in engines:
        await engine.running()
        engine.release()

    assert await answer(job) == [1, 2]
