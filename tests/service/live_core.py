"""A core over a repository of real artifacts, and what tests do with both."""

import shutil
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from inference.engine import Pixels
from service.core import LocalCore
from service.metrics import Metrics
from service.repository import Repository
from service.seam import Answer, Refusal
from service.settings import ModelSpec, Settings
from service.warmup import pictures
from tests.tiny import SIZE, write_tiny

PICTURE: Pixels = pictures(1, SIZE)
ONE = "one-onnx-fp32"


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
