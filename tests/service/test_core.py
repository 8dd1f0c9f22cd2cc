import asyncio
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from inference.engine import Logits, Pixels
from service.core import LocalCore
from service.health import make_probe
from service.loading import Loaded
from service.metrics import Metrics
from service.seam import Answer, ModelInfo, Refusal
from tests.service.fakes import POISON, FakeEngine, manifest, picture

pytestmark = pytest.mark.anyio


def core_with(engine: FakeEngine, *, capacity: int = 4) -> LocalCore:
    core = LocalCore(Metrics(CollectorRegistry()))
    info = ModelInfo(
        manifest=manifest(), engine=engine.name, runtime="fake", device="cpu", instances=1,
        threads=1, max_batch=2, queue_capacity=capacity, seconds_by_batch={1: 1e-6}, aliases=(),
    )  # fmt: skip
    core.add(Loaded(info, (engine,)))
    return core


def soon(seconds: float = 60.0) -> float:
    return time.perf_counter() + seconds


async def test_core_answers_with_logits_and_times() -> None:
    core = core_with(FakeEngine())

    answer = await core.submit("tiny-onnx-fp32", picture(3), deadline=soon())

    assert isinstance(answer, Answer)
    assert answer.logits.tolist() == [[3.0, -3.0]]
    totals = core.statistics()["tiny-onnx-fp32"]
    assert (totals.success, totals.images, totals.executions) == (1, 1, 1)
    assert 0 < totals.infer_seconds <= totals.request_seconds
    await core.drain()


async def test_core_unknown_model_is_refused() -> None:
    core = core_with(FakeEngine())

    outcome = await core.submit("other", picture(1), deadline=soon())

    assert outcome == Refusal("unknown", "model 'other' is not loaded")


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(np.zeros((1, 3, 3, 3), np.uint8), id="another-size"),
        pytest.param(np.zeros((1, 2, 2, 3), np.float32), id="another-type"),
        pytest.param(np.zeros((0, 2, 2, 3), np.uint8), id="no-picture"),
        pytest.param(np.zeros((2, 2, 3), np.uint8), id="no-batch"),
        pytest.param(np.zeros((5, 2, 2, 3), np.uint8), id="more-than-ever-fit-into-the-queue"),
    ],
)
async def test_core_pixels_that_do_not_fit_are_refused(pixels: NDArray[Any]) -> None:
    engine = FakeEngine()
    core = core_with(engine)

    outcome = await core.submit("tiny-onnx-fp32", pixels, deadline=soon())

    assert isinstance(outcome, Refusal)
    assert outcome.kind == "invalid"
    assert "takes pixels uint8 (N, 2, 2, 3) with N from 1 to 4, received" in outcome.message
    await core.drain()
    assert engine.calls == []


async def test_core_deadline_already_passed_is_not_queued() -> None:
    engine = FakeEngine()
    core = core_with(engine)

    outcome = await core.submit("tiny-onnx-fp32", picture(1), deadline=soon(-1))

    assert isinstance(outcome, Refusal)
    assert outcome.kind == "expired"
    assert engine.calls == []


async def test_core_deadline_passing_in_the_queue_answers_then_and_frees_the_place() -> None:
    engine = FakeEngine(held=True)
    core = core_with(engine)
    first = asyncio.create_task(core.submit("tiny-onnx-fp32", picture(1), deadline=soon()))
    await engine.running()

    outcome = await core.submit("tiny-onnx-fp32", picture(2), deadline=soon(0.01))

    assert isinstance(outcome, Refusal)
    assert outcome.kind == "expired"
    engine.release()
    assert isinstance(await first, Answer)
    engine.let_go()
    await core.drain()
    assert engine.seen == [1]


async def test_core_cancelled_request_is_withdrawn() -> None:
    engine = FakeEngine(held=True)
    core = core_with(engine)
    first = asyncio.create_task(core.submit("tiny-onnx-fp32", picture(1), deadline=soon()))
    await engine.running()
    second = asyncio.create_task(core.submit("tiny-onnx-fp32", picture(2), deadline=soon()))
    while core.pending()["tiny-onnx-fp32"] < 2:
        await asyncio.sleep(0)

    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    engine.let_go()
    await first
    await core.drain()

    assert engine.seen == [1]
    assert core.statistics()["tiny-onnx-fp32"].failure["CANCELED"] == 1
    assert core.pending() == {"tiny-onnx-fp32": 0}


async def test_core_failure_is_counted_as_the_backends() -> None:
    core = core_with(FakeEngine())

    outcome = await core.submit("tiny-onnx-fp32", picture(POISON), deadline=soon())

    assert isinstance(outcome, Refusal)
    assert outcome.kind == "failed"
    assert core.statistics()["tiny-onnx-fp32"].failure == {"BACKEND": 1}


async def test_core_is_unready_until_started_and_once_draining() -> None:
    core = core_with(FakeEngine())

    assert "loading" in str(core.unready())
    await core.start((), queue_capacity=1)
    assert core.unready() is None
    core.announce_drain()
    assert core.draining()
    assert "draining" in str(core.unready())


async def test_core_every_admitted_request_ends_under_random_load() -> None:
    engine = FakeEngine()
    core = core_with(engine, capacity=64)

    outcomes = await asyncio.gather(
        *(
            core.submit(
                "tiny-onnx-fp32",
                picture(*range(1, 1 + number % 5), POISON if number % 7 == 0 else 9),
                deadline=soon(0.0005 if number % 11 == 0 else 60),
            )
            for number in range(300)
        )
    )

    kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, Refusal)}
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    assert len(outcomes) == 300
    assert kinds <= {"full", "late", "failed", "expired"}
    assert answers
    assert all(answer.logits[-1, 0] == 9 for answer in answers)
    assert core.pending() == {"tiny-onnx-fp32": 0}
    await core.drain()


async def test_core_counts_batches_by_size_and_failures_with_their_time() -> None:
    core = core_with(FakeEngine())
    before = int(time.time() * 1e3)

    values = ((1,), (1, 2), (POISON,))
    outcomes = [
        await core.submit("tiny-onnx-fp32", picture(*value), deadline=soon()) for value in values
    ]

    totals = core.statistics()["tiny-onnx-fp32"]
    assert (totals.success, totals.failures, totals.images) == (2, 1, 3)
    assert {size: batch.executions for size, batch in totals.batches.items()} == {1: 2, 2: 1}
    assert all(batch.infer_seconds > 0 for batch in totals.batches.values())
    # the time of the batch that failed is no time of a request that succeeded
    answered = sum(outcome.inference for outcome in outcomes if isinstance(outcome, Answer))
    assert totals.infer_seconds == pytest.approx(answered)
    assert totals.failure_seconds > 0
    assert before <= totals.last_inference <= int(time.time() * 1e3)
    await core.drain()


async def test_core_counts_the_single_calls_after_a_failed_batch_and_images_answered() -> None:
    engine = FakeEngine(held=True)
    core = core_with(engine)

    def ask(value: int) -> "asyncio.Task[Answer | Refusal]":
        return asyncio.create_task(core.submit("tiny-onnx-fp32", picture(value), deadline=soon()))

    first = ask(1)
    await engine.running()
    both = [ask(2), ask(POISON)]
    await asyncio.sleep(0)  # both are queued while the engine is held
    engine.let_go()
    await asyncio.gather(first, *both)

    totals = core.statistics()["tiny-onnx-fp32"]
    assert engine.calls == [1, 2, 1, 1]
    assert (totals.success, totals.failures) == (2, 1)
    assert (totals.images, totals.executions) == (2, 4)
    assert {size: batch.executions for size, batch in totals.batches.items()} == {1: 3, 2: 1}
    await core.drain()


async def test_core_is_ready_while_one_of_its_models_serves() -> None:
    class BrokenEngine(FakeEngine):
        def infer(self, pixels: Pixels) -> Logits:  # noqa: ARG002
            raise RuntimeError("the device is lost")

    core = core_with(FakeEngine())
    await core.start((), queue_capacity=1)
    info = replace(core.models()[0], manifest=replace(manifest(), id="broken", name="broken"))
    core.add(Loaded(info, (BrokenEngine(),), probe=make_probe(picture(7), 2)))

    while core.unready_model("broken") is None:
        await core.submit("broken", picture(1), deadline=soon())

    refusal = await core.submit("broken", picture(1), deadline=soon())
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "unavailable"
    assert core.unready() is None
    assert isinstance(await core.submit("tiny-onnx-fp32", picture(1), deadline=soon()), Answer)
    states = {entry.id: (entry.status, entry.reason) for entry in core.index()}
    assert states["tiny-onnx-fp32"] == ("READY", "")
    assert states["broken"][0] == "UNAVAILABLE"
    assert "the device is lost" in states["broken"][1]
    await core.unload("tiny-onnx-fp32")
    assert "the device is lost" in str(core.unready())
    await core.drain()


async def test_core_under_twice_its_load_wastes_hardly_a_call() -> None:
    """Who is admitted is answered in time, who is not hears it at once; the engine works for nobody
    in vain."""

    class SlowEngine(FakeEngine):
        def infer(self, pixels: Pixels) -> Logits:
            time.sleep(0.005)
            return super().infer(pixels)

    engine = SlowEngine()
    core = core_with(engine, capacity=256)
    outcomes: list[Answer | Refusal] = []
    late = 0

    async def ask() -> None:
        nonlocal late
        deadline = soon(0.15)
        outcomes.append(await core.submit("tiny-onnx-fp32", picture(1), deadline=deadline))
        late += isinstance(outcomes[-1], Answer) and time.perf_counter() > deadline + 0.05

    asked: list[asyncio.Task[None]] = []
    while len(asked) < 800:
        asked += [asyncio.create_task(ask()) for _ in range(8)]
        await asyncio.sleep(0.01)  # two calls of two images each
    await asyncio.gather(*asked)
    answers = sum(isinstance(outcome, Answer) for outcome in outcomes)
    kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, Refusal)}

    assert late == 0
    assert kinds <= {"late", "expired"}
    assert "late" in kinds
    assert answers >= 0.8 * sum(engine.calls)
    await core.drain()


async def test_core_times_of_a_request_that_is_cut_add_up_to_no_more_than_its_own() -> None:
    core = core_with(FakeEngine())

    for values in (picture(1), picture(1, 2, 3, 4)):
        await core.submit("tiny-onnx-fp32", values, deadline=soon())

    totals = core.statistics()["tiny-onnx-fp32"]
    parts = (
        totals.queue_seconds, totals.input_seconds, totals.infer_seconds, totals.output_seconds,
    )  # fmt: skip
    assert totals.executions > totals.success == 2
    assert all(seconds > 0 for seconds in parts)
    assert sum(parts) == pytest.approx(totals.request_seconds)
    await core.drain()
