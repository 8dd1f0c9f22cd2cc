from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.service.fakes import FakeEngine
from tests.service.frontends.joined import Joined


@pytest.fixture
async def joined(anyio_backend: str) -> AsyncIterator[Callable[..., Joined]]:
    """Cores with front ends, ended at the end of the test."""
    made: list[Joined] = []

    def make(engine: FakeEngine, **named: Any) -> Joined:
        made.append(Joined(engine, **named))
        return made[-1]

    yield make
    for each in made:
        await each.end()
