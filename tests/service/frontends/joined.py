"""A core with fake engines, and front ends' views of it over real sockets and real shared memory,
all on one event loop: engines can be held, links cut."""

import asyncio
import os
import socket
import time
from typing import Any

from prometheus_client import CollectorRegistry

from service.core import LocalCore
from service.frontends.arena import Arena
from service.frontends.engine_link import EngineLink
from service.frontends.engine_process import Hub
from service.frontends.process import Upstream
from service.frontends.remote_core import RemoteCore
from service.frontends.shared_memory import attach, create
from service.loading import Loaded
from service.metrics import Metrics
from service.seam import ModelInfo
from tests.service.fakes import FakeEngine, manifest

TINY = "tiny-onnx-fp32"


class Told(Upstream):
    """In the place of the line to a supervisor: keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[dict[str, Any]] = []

    def say(self, **document: Any) -> None:
        self.documents.append(document)


class Joined:
    """`core` with one model, `fronts` that are connected to it by `join`."""

    def __init__(self, engine: FakeEngine, *, max_batch: int = 2, capacity: int = 4) -> None:
        self.engine = engine
        self.core = LocalCore(Metrics(CollectorRegistry()))
        info = ModelInfo(
            manifest=manifest(), engine=engine.name, runtime="fake", device="cpu", instances=1,
            threads=1, max_batch=max_batch, queue_capacity=capacity, seconds_by_batch={1: 1e-6},
            aliases=(),
        )  # fmt: skip
        self.core.add(Loaded(info, (engine,)))
        self.upstream = Told()
        self.hub = Hub(self.core, self.upstream)
        self.links: list[EngineLink] = []
        self.arenas: list[Arena] = []
        self.core_started = False

    async def join(self, *, size: int = 1 << 18) -> RemoteCore:
        """One more front end, which knows the core when this returns."""
        if not self.core_started:
            await self.core.start((), queue_capacity=4)
            self.core_started = True
        memory = create("test", size)
        arena = Arena(attach(os.dup(memory)))
        front = RemoteCore(arena)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: EngineLink(front), sock=ours)
        front.connected(link)
        self.links.append(link)
        self.arenas.append(arena)
        await self.hub.connect(len(self.links) - 1, theirs, memory)
        await self.hub.spread()
        return front

    async def end(self) -> None:
        self.engine.let_go()
        for link in self.links:
            link.hang_up()
        await self.core.drain()


def soon(seconds: float = 60.0) -> float:
    return time.perf_counter() + seconds
