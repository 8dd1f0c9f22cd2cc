from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.batcher import Batcher, QueueRules
from service.core import LocalCore
from service.fairness import Share
from service.job import Batch
from tests.service.fakes import FakeEngine
from tests.tiny import write_tiny

MakeBatcher = Callable[..., Batcher]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def batches() -> list[Batch]:
    """What the batchers of this test reported, in order."""
    return []


@pytest.fixture
async def make_batcher(anyio_backend: str, batches: list[Batch]) -> AsyncIterator[MakeBatcher]:
    """Batchers with small bounds, drained at the end; engines still held then are let go."""
    made: list[tuple[Batcher, tuple[FakeEngine, ...]]] = []

    def make(*engines: FakeEngine, share: Share | None = None, **named: Any) -> Batcher:
        rules = replace(QueueRules(max_batch=4, capacity=8, classes=2), **named)
        batcher = Batcher(engines, rules, batches.append, share)
        made.append((batcher, engines))
        return batcher

    yield make
    for batcher, engines in made:
        for engine in engines:
            engine.let_go()
        await batcher.drain()


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A repository with `one-onnx-fp32`."""
    write_tiny(tmp_path, "one")
    return tmp_path


@pytest.fixture
async def cores(anyio_backend: str) -> AsyncIterator[list[LocalCore]]:
    """Those that a test puts here are drained at its end."""
    made: list[LocalCore] = []
    yield made
    for core in made:
        await core.drain()
