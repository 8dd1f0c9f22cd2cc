"""An engine process goes on where the one before it ended."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.frontends.engine_process import EngineProcess, as_before
from service.frontends.snapshot import read_models
from service.metrics import Metrics
from service.seam import Answer
from service.settings import ModelSpec, Settings
from tests.service.frontends.joined import Told, soon
from tests.service.live_core import PICTURE, rewrite
from tests.tiny import write_tiny

pytestmark = pytest.mark.anyio

Make = Callable[[], tuple[EngineProcess, Told]]
ONE, TWO, THREE = (f"{name}-onnx-fp32" for name in ("one", "two", "three"))


@pytest.fixture
async def made(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes engine processes without a process; all are ended at the end."""
    for seed, name in enumerate(("one", "two", "three")):
        write_tiny(tmp_path, name, seed=seed)
    specs = tuple(ModelSpec(name) for name in (ONE, TWO))
    settings = Settings(tmp_path, tmp_path / "no-profiles", specs)
    processes: list[EngineProcess] = []

    def make() -> tuple[EngineProcess, Told]:
        upstream = Told()
        processes.append(EngineProcess(settings, Metrics(CollectorRegistry()), upstream))
        return processes[-1], upstream

    yield make
    for process in processes:
        await process.core.drain()


async def test_next_engine_process_serves_what_was_served_and_measures_nothing_again(
    made: Make, caplog: pytest.LogCaptureFixture
) -> None:
    first, upstream = made()
    await first.start((), frozenset(), 256)
    first.hub.settle()
    assert await first.hub.answer("load", "three") == {"refusal": None}
    assert await first.hub.answer("unload", "two") == {"refusal": None}
    (refused,) = (await first.hub.answer("load", "four")).values()
    assert refused[0] == "unknown"
    told = json.loads(json.dumps(upstream.documents[-1]))
    assert told["switched_off"] == [TWO]
    caplog.clear()

    next_, _ = made()
    await next_.start(read_models(told["models"]), frozenset(told["switched_off"]), 256)

    shapes = [
        {info.id: (info.instances, info.threads, info.max_batch) for info in process.core.models()}
        for process in (first, next_)
    ]
    assert shapes[0].keys() == shapes[1].keys() == {ONE, THREE}
    assert shapes[0][ONE] == shapes[1][ONE]
    assert f"shape model={ONE}" not in caplog.text
    await next_.core.reload()  # leaves alone what was switched off
    assert {entry.id: entry.reason for entry in next_.core.index()}[TWO] == "unloaded"
    answers = [
        await process.core.submit(ONE, PICTURE, deadline=soon()) for process in (first, next_)
    ]
    logits = [answer.logits.tolist() for answer in answers if isinstance(answer, Answer)]
    assert logits[0] == logits[1]


async def test_artifact_that_has_changed_meanwhile_is_measured_anew(
    made: Make, tmp_path: Path
) -> None:
    first, _ = made()
    await first.start((), frozenset({TWO}), 256)
    known = first.core.models()[0]
    chosen = next(each for each in first.repository.chosen() if each.spec.id == ONE)
    assert as_before(chosen, known).spec.instances == known.instances

    rewrite(tmp_path, seed=7)

    changed = next(each for each in first.repository.chosen() if each.spec.id == ONE)
    assert as_before(changed, known) == changed
