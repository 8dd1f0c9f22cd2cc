"""Models that are loaded and switched off while others, and they themselves, are asked."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.core import LocalCore
from service.metrics import Metrics
from service.repository import Repository
from service.seam import Answer, Entry, Refusal
from service.settings import ModelSpec, Settings
from tests.service.live_core import ONE, ask, logits, rewrite, serve, statuses
from tests.tiny import write_tiny

pytestmark = pytest.mark.anyio


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


async def test_unload_and_load_know_a_model_by_its_alias(
    cores: list[LocalCore], artifacts: Path
) -> None:
    specs = (ModelSpec(ONE, alias="cats", instances=1, threads=1, max_batch=1),)
    repository = Repository(Settings(artifacts, artifacts / "no-profiles", specs))
    core = LocalCore(Metrics(CollectorRegistry()), repository)
    cores.append(core)
    await core.start(repository.chosen(), queue_capacity=9)

    assert await core.unload("cats") is None
    assert await core.load("cats") is None

    (model,) = core.models()
    assert model.aliases == ("cats", "one")


async def test_unload_takes_the_model_off_the_gauges_and_keeps_its_counts(
    cores: list[LocalCore], artifacts: Path
) -> None:
    registry = CollectorRegistry()
    repository = Repository(Settings(artifacts, artifacts / "no-profiles"))
    core = LocalCore(Metrics(registry), repository)
    cores.append(core)
    await core.start(repository.chosen(), queue_capacity=9)
    what = {"model": ONE, "runtime": "onnxruntime", "precision": "fp32", "device": "cpu"}
    depth, images = ("stride_queue_depth", {"model": ONE}), ("stride_images_total", {"model": ONE})

    assert await core.load(ONE) is None  # over itself
    assert isinstance(await ask(core), Answer)
    assert registry.get_sample_value("stride_engine_info", what) == 1
    assert registry.get_sample_value(*depth) == 0

    assert await core.unload(ONE) is None
    assert registry.get_sample_value("stride_engine_info", what) is None
    assert registry.get_sample_value(*depth) is None
    assert registry.get_sample_value(*images) == 1

    assert await core.load(ONE) is None
    assert registry.get_sample_value("stride_engine_info", what) == 1


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
