"""The seam across processes is the seam within one: the same answers, refusals, cancellations."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from service.frontends.remote_core import RemoteCore
from service.seam import Answer, Priority, Refusal
from tests.service.fakes import POISON, FakeEngine, picture
from tests.service.frontends.joined import TINY, Joined, soon

pytestmark = pytest.mark.anyio

Make = Callable[..., Joined]


async def until_pending(joined: Joined, count: int) -> None:
    while joined.core.pending()[TINY] != count:
        await asyncio.sleep(0)


async def test_answer_is_that_of_the_core_with_its_times(joined: Make) -> None:
    service = joined(FakeEngine())
    front = await service.join()

    answers = [
        await core.submit(TINY, picture(3, 9, 4), deadline=soon()) for core in (service.core, front)
    ]

    here, there = answers
    assert isinstance(here, Answer)
    assert isinstance(there, Answer)
    assert there.logits.tolist() == here.logits.tolist() == [[3, -3], [9, -9], [4, -4]]
    assert there.queue >= 0
    assert there.inference > 0
    assert there.batch == here.batch
    assert front.models() == service.core.models()
    assert front.unready() is None


async def test_pixels_that_lie_in_the_shared_memory_are_not_copied(joined: Make) -> None:
    service = joined(FakeEngine())
    front = await service.join()
    arena = service.arenas[0]
    place = arena.array((1, 2, 2, 3), np.uint8)
    assert place is not None
    place[...] = picture(5)
    full = arena.array((arena.free - 4096,), np.uint8)  # room for the logits alone

    answer = await front.submit(TINY, place[0][None], deadline=soon())

    assert isinstance(answer, Answer)
    assert answer.logits.tolist() == [[5, -5]]
    refusal = await front.submit(TINY, picture(1), deadline=soon())
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "full"
    assert "fill the memory set aside" in refusal.message
    del full, place, answer
    await asyncio.sleep(0)  # the step that brought the answer has ended
    assert arena.free == arena.size


async def test_pixels_that_never_fit_are_refused_for_good(joined: Make) -> None:
    service = joined(FakeEngine())
    front = await service.join(size=4096)

    refusal = await front.submit(TINY, np.zeros((400, 2, 2, 3), np.uint8), deadline=soon())

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "invalid"
    assert "send fewer images at once" in refusal.message


async def test_one_batch_has_pictures_of_several_front_ends(joined: Make) -> None:
    service = joined(FakeEngine(held=True), max_batch=4)
    one, other = await service.join(), await service.join()
    first = asyncio.create_task(one.submit(TINY, picture(1), deadline=soon()))
    await service.engine.running()
    rest = [
        asyncio.create_task(front.submit(TINY, picture(value), deadline=soon()))
        for front, value in ((one, 2), (other, 3), (other, 4))
    ]
    await until_pending(service, 4)

    service.engine.let_go()
    answers = await asyncio.gather(first, *rest)

    assert [a.logits[0, 0] for a in answers if isinstance(a, Answer)] == [1, 2, 3, 4]
    assert service.engine.calls == [1, 3]


@pytest.mark.parametrize(
    ("value", "model", "seconds", "kind"),
    [
        pytest.param(POISON, TINY, 60, "failed", id="the-engine-raises"),
        pytest.param(1, "other", 60, "unknown", id="no-such-model"),
        pytest.param(1, TINY, -1, "expired", id="too-late"),
    ],
)
async def test_refusal_is_that_of_the_core(
    joined: Make, value: int, model: str, seconds: float, kind: str
) -> None:
    service = joined(FakeEngine())
    front = await service.join()

    outcomes = [
        await core.submit(model, picture(value), deadline=soon(seconds))
        for core in (service.core, front)
    ]

    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[1], Refusal)
    assert outcomes[1].kind == kind


async def test_full_queue_refuses_with_retry_after_and_keeps_the_background_behind(
    joined: Make,
) -> None:
    service = joined(FakeEngine(held=True), max_batch=1)
    front = await service.join()
    asked = [asyncio.create_task(front.submit(TINY, picture(1), deadline=soon()))]
    await service.engine.running()
    for priority in (Priority.BACKGROUND, Priority.NORMAL):
        asked += [
            asyncio.create_task(
                front.submit(TINY, picture(2 + priority), deadline=soon(), priority=priority)
            )
            for _ in range(4)
        ]
        await until_pending(service, len(asked))

    refusal = await front.submit(TINY, picture(9), deadline=soon())
    service.engine.let_go()
    await asyncio.gather(*asked)

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "full"
    assert refusal.retry_after is not None
    assert service.engine.seen == [1, *[2] * 4, *[3] * 4]


async def test_cancelled_request_never_reaches_the_engine_and_its_memory_is_free_again(
    joined: Make,
) -> None:
    service = joined(FakeEngine(held=True))
    front = await service.join()
    first = asyncio.create_task(front.submit(TINY, picture(1), deadline=soon()))
    await service.engine.running()
    second = asyncio.create_task(front.submit(TINY, picture(2), deadline=soon()))
    await until_pending(service, 2)

    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await until_pending(service, 1)
    service.engine.let_go()
    await first
    del first
    await asyncio.sleep(0)

    assert service.engine.seen == [1]
    assert service.core.statistics()[TINY].failure["CANCELED"] == 1
    assert service.arenas[0].free == service.arenas[0].size


async def test_deadline_that_passes_in_the_queue_is_told_then(joined: Make) -> None:
    service = joined(FakeEngine(held=True))
    front = await service.join()
    first = asyncio.create_task(front.submit(TINY, picture(1), deadline=soon()))
    await service.engine.running()

    outcome = await front.submit(TINY, picture(2), deadline=soon(0.02))

    assert isinstance(outcome, Refusal)
    assert outcome.kind == "expired"
    service.engine.let_go()
    await first


async def test_requests_of_a_front_end_that_goes_are_dropped_and_others_stay(joined: Make) -> None:
    service = joined(FakeEngine(held=True), max_batch=1)
    one, other = await service.join(), await service.join()
    running = asyncio.create_task(other.submit(TINY, picture(1), deadline=soon()))
    await service.engine.running()
    lost = asyncio.create_task(one.submit(TINY, picture(2), deadline=soon()))
    kept = asyncio.create_task(other.submit(TINY, picture(3), deadline=soon()))
    await until_pending(service, 3)

    service.links[0].hang_up()
    await until_pending(service, 2)
    service.engine.let_go()

    refusal = await lost
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "unavailable"
    assert refusal.retry_after
    assert isinstance(await running, Answer)
    assert isinstance(await kept, Answer)
    assert service.engine.seen == [1, 3]


async def test_without_an_engine_process_everything_is_refused_at_once(joined: Make) -> None:
    service = joined(FakeEngine())
    front = await service.join()
    service.links[0].hang_up()
    while front.unready() is None:
        await asyncio.sleep(0)

    refusal = await front.submit(TINY, picture(1), deadline=soon())

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "unavailable"
    assert "being started again" in refusal.message
    assert "being started again" in str(front.unready())
    assert front.models() == ()
    assert (await front.load(TINY)) == Refusal("draining", str(front.unready()), 2.0)
    await front.refresh()  # waits for nobody


async def test_change_is_done_when_every_front_end_knows_it(joined: Make) -> None:
    service = joined(FakeEngine())
    one, other = await service.join(), await service.join()

    assert await one.unload("tiny") is None

    assert one.models() == other.models() == ()
    assert other.unready_model(TINY) == f"model {TINY!r} is not loaded"
    refusal = await other.submit(TINY, picture(1), deadline=soon())
    assert refusal == Refusal("unknown", f"model {TINY!r} is not loaded")
    assert await other.unload("tiny") == Refusal("unknown", "model 'tiny' is not loaded")


async def test_counts_are_those_of_the_moment_they_are_asked_for(joined: Make) -> None:
    service = joined(FakeEngine())
    one, other = await service.join(), await service.join()

    await one.submit(TINY, picture(1, 2), deadline=soon())
    assert other.statistics() == {}
    await other.refresh()

    assert other.statistics() == service.core.statistics()
    assert other.statistics()[TINY].images == 2
    assert other.pending() == {TINY: 0}
    assert other.index() == service.core.index()
    # what somebody has seen is with the supervisor before
    assert service.upstream.documents[-1]["statistics"][TINY]["images"] == 2


async def test_drain_is_known_to_all(joined: Make) -> None:
    service = joined(FakeEngine())
    front = await service.join()

    service.core.announce_drain()
    await service.hub.spread()

    assert front.draining()
    assert "draining" in str(front.unready())
    assert isinstance(await front.submit(TINY, picture(1), deadline=soon()), Answer)


async def test_every_request_ends_under_random_load_from_several_front_ends(joined: Make) -> None:
    service = joined(FakeEngine(), capacity=64)
    fronts = [await service.join(size=1 << 21) for _ in range(3)]

    async def ask(front: RemoteCore, number: int) -> Answer | Refusal | None:
        values = (*range(1, 1 + number % 5), POISON if number % 7 == 0 else 9)
        late = number % 11 == 0
        task = asyncio.create_task(
            front.submit(TINY, picture(*values), deadline=soon(0.0005 if late else 60))
        )
        if number % 13 == 0:
            await asyncio.sleep(0)
            task.cancel()
        try:
            outcome = await task
        except asyncio.CancelledError:
            return None
        if isinstance(outcome, Answer):
            assert outcome.logits[:, 0].tolist() == list(values)
        return outcome

    outcomes = await asyncio.gather(
        *(ask(front, number) for number in range(120) for front in fronts)
    )

    kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, Refusal)}
    assert len(outcomes) == 360
    assert kinds <= {"full", "late", "failed", "expired"}
    assert any(isinstance(outcome, Answer) for outcome in outcomes)
    await until_pending(service, 0)
    del outcomes
    for front in fronts:
        await front.refresh()  # behind the last word on every request
    assert [arena.free for arena in service.arenas] == [1 << 21] * 3
