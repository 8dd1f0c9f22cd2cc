"""A request that no engine can answer takes no model down; an engine that answers nothing any more
does, until it answers again."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from inference.engine import Logits, Pixels
from service import health
from service.batcher import Batcher
from service.health import Health, make_probe
from service.job import Job
from service.seam import Answer, Priority, Refusal
from tests.service.fakes import POISON, FakeEngine, picture
from tests.service.jobs import put

pytestmark = pytest.mark.anyio
MakeBatcher = Callable[..., Batcher]
PROBE = make_probe(picture(7), 2)


class BreakableEngine(FakeEngine):
    """A fake that fails on everything while `broken`."""

    broken = False

    def infer(self, pixels: Pixels) -> Logits:
        if self.broken:
            self.calls.append(len(pixels))
            raise RuntimeError("the device is lost")
        return super().infer(pixels)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(health, "LONGEST_PAUSE", 0.02)


async def outcome(job: Job) -> Answer | Refusal:
    async with asyncio.timeout(30):
        return await job.future


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


async def test_poison_without_end_leaves_the_model_ready(make_batcher: MakeBatcher) -> None:
    engine = FakeEngine()
    batcher = make_batcher(engine, probe=PROBE)

    for _ in range(10):
        assert isinstance(await outcome(put(batcher, POISON)), Refusal)

    assert batcher.unready is None
    assert isinstance(await outcome(put(batcher, 1)), Answer)
    assert engine.seen.count(7) == 3  # the picture it knows, after every third failure


async def test_engine_that_fails_on_everything_turns_the_model_unready_and_recovers(
    make_batcher: MakeBatcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "stride.health")
    engine = BreakableEngine()
    batcher = make_batcher(engine, probe=PROBE, name="tiny")
    engine.broken = True

    kinds = []
    while batcher.unready is None:
        refusal = await outcome(put(batcher, 1))
        assert isinstance(refusal, Refusal)
        kinds.append(refusal.kind)

    assert kinds == ["failed"] * health.PATIENCE
    assert batcher.unready == ("fake cpu fp32 fails on a picture that it knows: the device is lost")
    refused = batcher.submit(Job(picture(1), 1e9), Priority.NORMAL)
    assert isinstance(refused, Refusal)
    assert refused.kind == "unavailable"
    assert refused.retry_after
    engine.broken = False
    await until(lambda: batcher.unready is None)
    assert isinstance(await outcome(put(batcher, 1)), Answer)
    assert "broken instance=tiny-0 reason=fake cpu fp32 fails on a picture" in caplog.text
    assert caplog.text.count("broken instance") == 1
    assert "answers again instance=tiny-0" in caplog.text


async def test_requests_that_wait_for_a_broken_engine_are_turned_away(
    make_batcher: MakeBatcher,
) -> None:
    engine = BreakableEngine(held=True)
    batcher = make_batcher(engine, max_batch=1, probe=PROBE)
    running = put(batcher, 0)
    await engine.running()
    waiting = [put(batcher, 1) for _ in range(6)]
    engine.broken = True
    engine.let_go()

    kinds = [
        refusal.kind
        for refusal in [await outcome(job) for job in waiting]
        if isinstance(refusal, Refusal)
    ]

    assert isinstance(await outcome(running), Answer)
    assert kinds == ["failed"] * 3 + ["unavailable"] * 3
    assert (batcher.depth, batcher.pending) == (0, 0)


async def test_model_with_one_sound_instance_serves_on(make_batcher: MakeBatcher) -> None:
    broken, sound = BreakableEngine(), FakeEngine()
    batcher = make_batcher(broken, sound, max_batch=1, probe=PROBE)
    broken.broken = True

    answers = 0
    while answers < 20 or len(broken.calls) < 4:
        answers += isinstance(await outcome(put(batcher, 1)), Answer)

    assert batcher.unready is None


async def test_drain_does_not_wait_for_a_broken_engine(make_batcher: MakeBatcher) -> None:
    engine = BreakableEngine()
    batcher = make_batcher(engine, probe=PROBE)
    engine.broken = True
    while batcher.unready is None:
        await outcome(put(batcher, 1))

    async with asyncio.timeout(10):
        await batcher.drain()

    assert engine.closed


def test_pauses_grow_and_are_bounded() -> None:
    engine = BreakableEngine()
    engine.broken = True
    own = Health(PROBE)
    pauses = []
    for _ in range(4):
        own.ask(engine)
        pauses.append(own.pause)

    assert pauses == [0.01, 0.02, 0.02, 0.02]


def test_probe_refuses_an_answer_that_is_no_number() -> None:
    class NanEngine(FakeEngine):
        def infer(self, pixels: Pixels) -> Logits:
            return np.full((len(pixels), 2), np.nan, np.float32)

    own = Health(PROBE)
    own.ask(NanEngine())

    assert "expected finite (1, 2)" in str(own.reason)
