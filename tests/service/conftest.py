from collections.abc import AsyncIterator, Callable

import pytest

from service.batcher import Batcher, QueueRules
from service.job import Batch
from tests.service.fakes import FakeEngine

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

    def make(*engines: FakeEngine, max_batch: int = 4, capacity: int = 8) -> Batcher:
        rules = QueueRules(max_batch=max_batch, capacity=capacity, classes=2)
        batcher = Batcher(engines, rules, batches.append)
        made.append((batcher, engines))
        return batcher

    yield make
    for batcher, engines in made:
        for engine in engines:
            engine.let_go()
        await batcher.drain()
