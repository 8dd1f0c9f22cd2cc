import asyncio
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from service.core import LocalCore
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
