"""The repository changes under a core that serves it."""

import asyncio
import shutil
from pathlib import Path

import pytest

from service.core import LocalCore
from service.repository import Repository
from service.seam import Answer, Refusal
from service.settings import Settings
from service.watch import watch
from tests.service.live_core import ONE, ask, logits, rewrite, serve, statuses
from tests.tiny import write_tiny

pytestmark = pytest.mark.anyio


async def test_reload_takes_up_what_changed_came_and_vanished(
    cores: list[LocalCore], artifacts: Path
) -> None:
    write_tiny(artifacts, "gone", seed=1)
    write_tiny(artifacts, "same", seed=2)
    core = await serve(cores, artifacts)
    before = await logits(core)
    infos = {model.id: model for model in core.models()}
    rewrite(artifacts, seed=7)
    write_tiny(artifacts, "new", seed=3)
    shutil.rmtree(artifacts / "gone-onnx-fp32")
    (write_tiny(artifacts, "broken", seed=4) / "model.onnx").write_bytes(b"")

    await core.reload()

    assert await logits(core) != before
    assert statuses(core) == {
        "broken-onnx-fp32": "UNAVAILABLE",
        "gone-onnx-fp32": "UNAVAILABLE",
        "new-onnx-fp32": "READY",
        ONE: "READY",
        "same-onnx-fp32": "READY",
    }
    reasons = {entry.id: entry.reason for entry in core.index()}
    assert "has 0 bytes" in reasons["broken-onnx-fp32"]
    assert "vanished" in reasons["gone-onnx-fp32"]
    same = next(model for model in core.models() if model.id == "same-onnx-fp32")
    assert same is infos["same-onnx-fp32"]  # left alone


async def test_reload_with_named_models_adds_nothing_else(
    cores: list[LocalCore], artifacts: Path
) -> None:
    core = await serve(cores, artifacts, "one")
    write_tiny(artifacts, "new", seed=3)

    await core.reload()

    assert statuses(core) == {"new-onnx-fp32": "UNAVAILABLE", ONE: "READY"}
    assert core.models()[0].instances == 1  # as `--model` said


async def test_reload_leaves_what_was_unloaded_on_demand(
    cores: list[LocalCore], artifacts: Path
) -> None:
    core = await serve(cores, artifacts)
    await core.unload(ONE)

    await core.reload()

    assert statuses(core) == {ONE: "UNAVAILABLE"}


async def test_reload_of_a_repository_that_is_gone_leaves_all_as_it_was(
    cores: list[LocalCore], artifacts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    core = await serve(cores, artifacts)
    artifacts.rename(artifacts.with_name("moved"))

    await core.reload()

    assert isinstance(await ask(core), Answer)
    assert "the repository cannot be read again" in caplog.text


async def test_reload_under_load_fails_no_request(cores: list[LocalCore], artifacts: Path) -> None:
    core = await serve(cores, artifacts, ONE)
    over = False
    outcomes: list[Answer | Refusal] = []

    async def client() -> None:
        while not over:
            outcomes.append(await ask(core))

    clients = [asyncio.create_task(client()) for _ in range(8)]
    seen = set()
    for seed in range(1, 5):
        rewrite(artifacts, seed)
        await core.reload()
        seen.add(tuple(await logits(core)))
    over = True
    await asyncio.gather(*clients)

    assert len(seen) == 4
    assert len(outcomes) > 8
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert core.statistics()[ONE].success == len(outcomes) + 4
    assert core.pending() == {ONE: 0}


async def test_watch_goes_on_after_a_look_that_failed(
    cores: list[LocalCore], artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = await serve(cores, artifacts)
    repository = Repository(Settings(artifacts))
    look, looks = repository.signature, 0

    def failing_once() -> tuple[tuple[str, str, int, int, int], ...]:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise OSError("the disk does not answer")
        return look()

    monkeypatch.setattr(repository, "signature", failing_once)
    watching = asyncio.create_task(watch(core, repository, 0.001))
    async with asyncio.timeout(30):
        while looks < 3:
            await asyncio.sleep(0.001)
        write_tiny(artifacts, "two", seed=1)
        while statuses(core).get("two-onnx-fp32") != "READY":
            await asyncio.sleep(0.001)
    watching.cancel()
