"""A process that has HTTP: the same application as in one process, around a core in another."""

import asyncio
import itertools
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import numpy as np
import uvicorn
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.engine import Pixels
from measuring.errors import MissingError
from service.admin_token import admin_token
from service.admission import Admission
from service.app import create_app, create_front
from service.frontends.accepting import Doorman, Scoreboard
from service.frontends.arena import Arena
from service.frontends.engine_link import EngineLink
from service.frontends.families import document
from service.frontends.line import Document, take, take_all
from service.frontends.process import Upstream
from service.frontends.remote_core import RemoteCore
from service.frontends.shared_memory import attach
from service.frontends.shared_rates import SharedBuckets
from service.frontends.whole_metrics import WholeMetrics
from service.key_file import read_again, read_keys
from service.keyring import Keyring
from service.listening import allow_connections
from service.loop_lag import LoopLag
from service.page.files import ADDRESSES
from service.protocol import bounded
from service.replies import error_reply
from service.server import FLUSH, DrainingServer, configuration
from service.settings import Limits, Settings
from service.tracing import tracing_of
from service.v1 import INFERENCE

GATHERED = 3.0
"""Seconds for the supervisor to gather what all processes count."""
_AS_IT_IS = ADDRESSES | {"/healthz", "/v2/health/live", "/docs", "/openapi.json", *INFERENCE}
"""Addresses whose answers do not hang on what the engine process last counted; all of inference is
such, too."""


class FrontServer(DrainingServer):
    """Takes its connections in turn with the others, off a socket that outlives it, and drains when
    told; signals are the supervisor's."""

    def __init__(
        self,
        config: uvicorn.Config,
        core: RemoteCore,
        admission: Admission,
        limits: Limits,
        *,
        doorman: Callable[[Callable[[], asyncio.Protocol], Callable[[], int]], Doorman],
    ) -> None:
        super().__init__(config, core, admission, limits)
        self._make_doorman = doorman
        self.doorman: Doorman | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        await self.lifespan.startup()

        def make() -> asyncio.Protocol:
            protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return protocol

        self.doorman = self._make_doorman(make, lambda: len(self.server_state.connections))
        # It closes, and is waited for: all that uvicorn asks of a server.
        self.servers = cast("list[asyncio.base_events.Server]", [self.doorman])
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: some connections may have gone."""
        if self.doorman is not None:
            self.doorman.tell()
        return await super().on_tick(counter)


class Fresh:
    """Around the application: what is asked about the service is asked of its other processes
    first, so that every front end gives the answer that any would."""

    def __init__(
        self, app: ASGIApp, core: RemoteCore, gather: Callable[[], Awaitable[None]]
    ) -> None:
        self._app = app
        self._core = core
        self._gather = gather

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path == "/metrics":
                try:
                    await self._gather()
                except MissingError as error:
                    await error_reply(error)(scope, receive, send)
                    return
            elif path not in _AS_IT_IS and not path.endswith("/infer"):
                await self._core.refresh()
        await self._app(scope, receive, send)


class FrontProcess:
    """Does what the supervisor says."""

    def __init__(self, core: RemoteCore, metrics: WholeMetrics, upstream: Upstream) -> None:
        self.server: FrontServer | None = None
        self.reread: Callable[[], None] | None = None
        self._core = core
        self._metrics = metrics
        self._upstream = upstream
        self._numbers = itertools.count(1)
        self._gathering: dict[int, asyncio.Future[Document]] = {}

    def hear(self, said: Document) -> None:
        match said["do"]:
            case "ask":
                told = document(self._metrics.own.collect())
                self._upstream.say(told=said["number"], families=told)
            case "gathered":
                waiting = self._gathering.get(said["number"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(said)
            case "hangup":
                if self.reread is not None:
                    self.reread()
            case "drain" if self.server is not None:
                self.server.drain()
            case "stop" if self.server is not None:
                self.server.stop()

    async def gather(self) -> None:
        """What /metrics tells next is of all processes. Raises MissingError where the supervisor
        does not answer."""
        number = next(self._numbers)
        answer: asyncio.Future[Document] = asyncio.get_running_loop().create_future()
        self._gathering[number] = answer
        self._upstream.say(gather=number)
        try:
            async with asyncio.timeout(GATHERED):
                said = await answer
        except TimeoutError:
            raise MissingError(
                f"the processes' metrics could not be gathered within {GATHERED:g} seconds; "
                "scrape again"
            ) from None
        finally:
            del self._gathering[number]
        self._metrics.take(said["families"])
        self._core.take_counts(said["statistics"], said["pending"])


async def run(upstream: Upstream, hands: socket.socket, start: Document) -> None:
    """Until it has drained."""
    settings = TypeAdapter(Settings).validate_python(start["settings"])
    index: int = start["index"]
    listener, memory, scores, rates = await _tools(hands)
    arena = Arena(attach(memory))
    scoreboard = Scoreboard(attach(scores))
    core, metrics = RemoteCore(arena), WholeMetrics()
    process = FrontProcess(core, metrics, upstream)
    take_all(hands, partial(_take_link, core))

    front = create_front(
        core, settings.limits, settings.decode_threads, exact_decoding=settings.exact_decoding,
        room=partial(room, arena),
    )  # fmt: skip
    admin, keys = admin_token(settings, os.environ), None
    if settings.api_keys is not None:
        buckets = SharedBuckets(rates)
        read = read_keys(settings.api_keys)
        keys = Keyring(read, *filter(None, (admin,)), bucket=buckets.bucket)
        process.reread = partial(read_again, keys, settings.api_keys)
    tracing = tracing_of(settings.tracing, metrics, core)
    app = Fresh(create_app(front, metrics, keys, admin, tracing), core, process.gather)
    protocol = bounded(allow_connections(settings.limits.connections))
    server = process.server = FrontServer(
        configuration(app, protocol), core, front.admission, settings.limits,
        doorman=lambda make, count: Doorman(listener, scoreboard, index, make=make, count=count),
    )  # fmt: skip
    metrics.watch_decoding(front.decoder.forecast)
    metrics.watch_connections(lambda: len(server.server_state.connections))
    upstream.listen(process.hear)
    upstream.say(up=True)
    lag = LoopLag(metrics.loop_lag)
    await server.serve()
    lag.close()
    front.decoder.close()
    if tracing is not None:
        await asyncio.to_thread(tracing.close, min(server.left, FLUSH))


def room(arena: Arena, shape: tuple[int, ...]) -> Pixels:
    """Where the engine process sees it; where that is full, somewhere, for `submit` to say so."""
    array: Pixels | None = arena.array(shape, np.uint8)
    return np.empty(shape, np.uint8) if array is None else array


async def _tools(hands: socket.socket) -> tuple[socket.socket, int, int, int]:
    """What this process shares with the others: the listening socket, the memory for its pixels,
    the scoreboard, and the buckets of keys."""
    taken = await asyncio.to_thread(take, hands)
    if taken is None:
        raise MissingError("the supervisor has gone")
    _, (listener, memory, scores, rates) = taken
    return socket.socket(fileno=listener), memory, scores, rates


async def _take_link(core: RemoteCore, _number: int, files: tuple[int, ...]) -> None:
    """It is to a new engine process."""
    (descriptor,) = files
    link = socket.socket(fileno=descriptor)
    link.setblocking(False)
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_unix_connection(lambda: EngineLink(core), sock=link)
    core.connected(protocol)
