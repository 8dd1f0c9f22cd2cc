"""An engine that does not come back from a call: its model turns unready, others go on, and the end
of the service does not wait for it. Fakes: a real engine does not hang on command."""

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service import instance
from service.batcher import Batcher
from service.fairness import CoreGate
from service.health import make_probe
from service.job import Job
from service.seam import Priority, Refusal
from tests.service.client import png
from tests.service.fakes import FakeEngine, picture
from tests.service.jobs import answer, put
from tests.service.process import ServiceProcess
from tests.service.test_core import core_with, soon
from tests.service.test_health import BreakableEngine, until
from tests.tiny import write_tiny

pytestmark = pytest.mark.anyio
MakeBatcher = Callable[..., Batcher]
PROBE = make_probe(picture(7), 2)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "HANGS_AFTER", 0.02)


@pytest.mark.usefixtures("short")
async def test_model_whose_engine_hangs_is_unready_until_a_picture_it_knows_is_answered(
    make_batcher: MakeBatcher, caplog: pytest.LogCaptureFixture
) -> None:
    engine = FakeEngine(held=True)
    batcher = make_batcher(engine, probe=PROBE, name="tiny")
    job = put(batcher, 1)
    await engine.running()

    await until(lambda: batcher.unready is not None)
    refusal = batcher.submit(Job(picture(2), soon()), Priority.NORMAL)
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "unavailable"
    reason = r"the model is not ready: fake cpu fp32 has not answered for \d+ s"
    assert re.search(reason, refusal.message)
    assert caplog.text.count("hangs instance=tiny-0 reason=fake cpu fp32 has not answered") == 1

    engine.release()
    await engine.running()  # the probe
    assert batcher.unready is not None
    engine.release()
    await until(lambda: batcher.unready is None)
    assert await answer(job) == [1.0]
    engine.let_go()
    assert await answer(put(batcher, 3)) == [3.0]


@pytest.mark.usefixtures("short")
async def test_engine_that_fails_the_probe_after_hanging_is_broken(
    make_batcher: MakeBatcher,
) -> None:
    engine = BreakableEngine(held=True)
    batcher = make_batcher(engine, probe=PROBE)
    put(batcher, 1)
    await engine.running()
    await until(lambda: batcher.unready is not None)

    engine.broken = True
    engine.release()

    await until(lambda: "the device is lost" in str(batcher.unready))
    engine.broken = False
    engine.let_go()
    await until(lambda: batcher.unready is None)


@pytest.mark.usefixtures("short")
async def test_other_instances_serve_while_one_hangs(make_batcher: MakeBatcher) -> None:
    hanging, sound = FakeEngine(held=True), FakeEngine(held=True)
    batcher = make_batcher(hanging, sound, max_batch=1, probe=PROBE)
    for _ in range(2):
        put(batcher, 1)
    await asyncio.gather(hanging.running(), sound.running())
    sound.let_go()
    await asyncio.sleep(0.03)

    assert [await answer(put(batcher, value)) for value in (2, 3, 4)] == [[2.0], [3.0], [4.0]]
    assert batcher.unready is None
    assert len(hanging.calls) == 1


@pytest.mark.usefixtures("short")
async def test_hanging_engine_gives_back_its_turn(make_batcher: MakeBatcher) -> None:
    gate = CoreGate(1)
    hanging = FakeEngine(held=True)
    shares = [gate.join(threads=1, instances=1) for _ in range(2)]
    one = make_batcher(hanging, share=shares[0])
    other = make_batcher(FakeEngine(), share=shares[1])
    put(one, 1)
    await hanging.running()
    waiting = put(other, 2)

    await until(lambda: one.unready is not None)

    assert await answer(waiting) == [2.0]


async def test_drain_given_up_refuses_what_is_left_and_names_who_hangs(
    make_batcher: MakeBatcher, caplog: pytest.LogCaptureFixture
) -> None:
    hanging, sound = FakeEngine(held=True), FakeEngine(held=True)
    batcher = make_batcher(hanging, sound, max_batch=1, name="tiny")
    jobs = [put(batcher, 1), put(batcher, 2)]
    await asyncio.gather(hanging.running(), sound.running())
    sound.let_go()
    await until(lambda: any(job.future.done() for job in jobs))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await batcher.drain()

    outcomes = [await job.future for job in jobs]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert [refusal.kind for refusal in refusals] == ["draining"]
    assert (hanging.closed, sound.closed) == (False, True)
    assert caplog.text.count("left behind instance=tiny-") == 1


async def test_core_ends_in_time_where_an_engine_hangs() -> None:
    engine = FakeEngine(held=True)
    core = core_with(engine)
    asked = asyncio.create_task(core.submit("tiny-onnx-fp32", picture(1), deadline=soon()))
    await engine.running()

    assert not await core.drain(within=0.05)

    outcome = await asked
    engine.let_go()
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "draining"


def test_service_with_a_hanging_engine_ends_after_its_grace(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(
        tmp_path, "--drain-delay", "0", "--grace", "0.2", "--model", "tiny:instances=1",
        program=(sys.executable, "-m", "tests.service.hanging_service"),
    ).wait_until_ready()  # fmt: skip
    assert service.client.post("/v1/classify", png(), X_Request_Timeout="0.2").status == 504

    service.terminate()

    assert service.wait() == 1, service.text
    assert "left behind instance=tiny-onnx-fp32-0" in service.text
    assert "stopped exit_code=1: what hangs was left behind" in service.text
    assert "Traceback" not in service.text
    service.client.close()
