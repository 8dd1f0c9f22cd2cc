"""Models that come, change and go while others, and they themselves, are asked."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from inference.engine import Pixels
from service.core import LocalCore
from service.metrics import Metrics
from service.repository import Repository
from service.seam import Answer, Entry, Refusal
from service.settings import ModelSpec, Settings
from service.warmup import pictures
from tests.tiny import SIZE, write_tiny

pytestmark = pytest.mark.anyio
PICTURE: Pixels = pictures(1, SIZE)
ONE = "one-onnx-fp32"


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    write_tiny(tmp_path, "one")
    return tmp_path


@pytest.fixture
async def cores(anyio_backend: str) -> AsyncIterator[list[LocalCore]]:
    """Drained at the end."""
    made: list[LocalCore] = []
    yield made
    for core in made:
        await core.drain()


async def serve(cores: list[LocalCore], artifacts: Path, *ids: str) -> LocalCore:
    specs = tuple(ModelSpec(name, instances=1, threads=1, max_batch=1) for name in ids)
    repository = Repository(Settings(artifacts, artifacts / "no-profiles", specs))
    core = LocalCore(Metrics(CollectorRegistry()), repository)
    cores.append(core)
    await core.start(repository.chosen(), queue_capacity=repository.queue_capacity)
    return core


async def ask(core: LocalCore, model: str = ONE) -> Answer | Refusal:
    return await core.submit(model, PICTURE, deadline=time.perf_counter() + 60)


async def logits(core: LocalCore, model: str = ONE) -> list[float]:
    answer = await ask(core, model)
    assert isinstance(answer, Answer), answer
    return [float(value) for value in answer.logits[0]]


def rewrite(artifacts: Path, seed: int) -> None:
    """Another network under the same id, put in place as an export does it."""
    shutil.rmtree(artifacts / ONE)
    write_tiny(artifacts, "one", seed=seed)


def statuses(core: LocalCore) -> dict[str, str]:
    return {entry.id: entry.status for entry in core.index()}


async def test_load_switches_to_the_new_weights_and_goes_on_counting(
    cores: list[LocalCore], artifacts: Path
) -> None:
    core = await serve(cores, artifacts, ONE)
    before = await logits(core)
    rewrite(artifacts, seed=7)

    assert await core.load("one") is None

    assert await logits(core) != before
    assert core.statistics()[ONE].success == 2
    assert core.index() == (Entry(ONE, "READY"),)


async def test_load_of_a_damaged_artifact_leaves_the_old_one_serving_and_says_why(
    cores: list[LocalCore], artifacts: Path
) -> None:
    core = await serve(cores, artifacts, ONE)
    before = await logits(core)
    (artifacts / ONE / "model.onnx").write_bytes(b"damaged")

    refusal = await core.load(ONE)

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "unavailable"
    assert "model.onnx has 7 bytes" in refusal.message
    assert await logits(core) == before
    (entry,) = core.index()
    assert entry.status == "READY"
    assert "model.onnx has 7 bytes" in entry.reason


async def test_load_of_an_artifact_with_wrong_answers_leaves_the_old_one_serving(
    cores: list[LocalCore], artifacts: Path
) -> None:
    """Sound as a folder: only opening it and replaying its golden pictures can tell."""
    core = await serve(cores, artifacts, ONE)
    before = await logits(core)
    rewrite(artifacts, seed=7)
    manifest = artifacts / ONE / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"bound": 0.001', '"bound": 1e-12'))

    refusal = await core.load(ONE)

    assert isinstance(refusal, Refusal)
    assert "cannot be loaded" in refusal.message
    assert await logits(core) == before


@pytest.mark.parametrize("name", ["two", "../one-onnx-fp32", "", "x" * 1000])
async def test_load_of_what_is_not_there_is_unknown(
    cores: list[LocalCore], artifacts: Path, name: str
) -> None:
    core = await serve(cores, artifacts, ONE)

    refusal = await core.load(name)

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "unknown"
    assert set(statuses(core)) == {ONE}


async def test_unload_switches_off_and_load_on_again(
    cores: list[LocalCore], artifacts: Path
) -> None:
    core = await serve(cores, artifacts, ONE)

    assert await core.unload("one") is None

    assert core.models() == ()
    assert core.unready() == "no model is loaded"
    assert core.unready_model(ONE) == f"model {ONE!r} is not loaded"
    assert core.index() == (Entry(ONE, "UNAVAILABLE", "unloaded"),)
    refusal = await ask(core)
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "unknown"
    again = await core.unload("one")
    assert isinstance(again, Refusal)
    assert again.kind == "unknown"

    assert await core.load(ONE) is None
    assert isinstance(await ask(core), Answer)
    assert core.unready() is None


async def test_load_and_unload_move_the_plain_names(
    cores: list[LocalCore], artifacts: Path
) -> None:
    """A plain name is an alias while one model alone has it."""
    core = await serve(cores, artifacts)
    assert [model.aliases for model in core.models()] == [("one",)]
    twin = write_tiny(artifacts, "other")
    twin.rename(artifacts / "one-onnx-int8")
    manifest = artifacts / "one-onnx-int8" / "manifest.json"
    text = manifest.read_text().replace("other-onnx-fp32", "one-onnx-int8")
    text = text.replace('"name": "other"', '"name": "one"')
    manifest.write_text(text.replace('"precision": "fp32"', '"precision": "int8"'))

    assert await core.load("one-onnx-int8") is None
    assert [model.aliases for model in core.models()] == [(), ()]
    assert await core.unload("one-onnx-int8") is None
    assert [model.aliases for model in core.models()] == [("one",)]


async def test_load_of_an_id_that_is_an_alias_is_refused(
    cores: list[LocalCore], artifacts: Path
) -> None:
    write_tiny(artifacts, "two", seed=1)
    repository = Repository(
        Settings(artifacts, artifacts, (ModelSpec(ONE, alias="two-onnx-fp32", instances=1),))
    )
    core = LocalCore(Metrics(CollectorRegistry()), repository)
    cores.append(core)
    await core.start(repository.chosen(), queue_capacity=9)

    assert await core.load("two") is not None
    assert isinstance(await ask(core), Answer)
    assert statuses(core)[ONE] == "READY"


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


async def test_load_that_nobody_waits_for_any_more_is_finished(
    cores: list[LocalCore], artifacts: Path
) -> None:
    core = await serve(cores, artifacts, ONE)
    before = await logits(core)
    rewrite(artifacts, seed=7)

    loading = asyncio.create_task(core.load(ONE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert statuses(core)[ONE] == "READY"
    loading.cancel()
    async with asyncio.timeout(30):
        while await logits(core) == before:
            await asyncio.sleep(0.001)


async def test_changes_are_refused_once_the_end_was_announced(
    cores: list[LocalCore], artifacts: Path
) -> None:
    core = await serve(cores, artifacts, ONE)
    core.announce_drain()

    refusal = await core.load(ONE)

    assert isinstance(refusal, Refusal)
    assert refusal.kind == "draining"
    await core.reload()
