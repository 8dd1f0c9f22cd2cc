"""Runs the service: loads the models, listens, and on SIGTERM finishes what it admitted.

The end has three phases. Announced: /readyz says no and every answer carries
`Connection: close`, while requests are still served, so that balancers move on. Closed: new
requests get 503, those inside are finished. Once nobody comes any more the socket closes and the
engines end.
"""

import asyncio
import logging
import os
import signal
import socket
from functools import partial
from types import FrameType
from typing import Protocol

import uvicorn
import uvloop
from starlette.types import ASGIApp

from service.admin_token import admin_token
from service.admission import Admission
from service.app import create_app, create_front, create_metrics
from service.core import LocalCore
from service.key_file import read_again, read_keys
from service.keyring import Keyring
from service.keys import Token
from service.leaving import LAST, leave, wait_for_opening
from service.listening import BACKLOG, allow_connections, announce, bind
from service.loading import Chosen
from service.loop_lag import LoopLag
from service.protocol import bounded
from service.repository import Repository
from service.settings import Limits, Settings
from service.tracing import tracing_of
from service.watch import reload_on_hangup, watch

log = logging.getLogger("stride.serve")

QUIET = 0.5
"""Seconds without a request after which nobody is expected any more."""
PATIENCE = 5.0
"""Seconds to wait for that at the most."""
FLUSH = 5.0
"""Seconds that traces may take to be sent at the end, within the grace."""


def serve(settings: Settings) -> None:
    """Blocks until the service has ended. Raises what reading artifacts and the profile, opening
    engines or binding the address raises."""
    admin = admin_token(settings, os.environ)
    keys = None
    if settings.api_keys is not None:
        keys = Keyring(read_keys(settings.api_keys), *filter(None, (admin,)))
    repository = Repository(settings)
    chosen = repository.chosen()
    with (
        bind(settings.host, settings.port) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(settings, repository, chosen, listener, keys, admin))


def configuration(app: ASGIApp, protocol: type[asyncio.Protocol]) -> uvicorn.Config:
    """How uvicorn is run, with this protocol for its connections."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks for the client's address
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


async def _serve(
    settings: Settings,
    repository: Repository,
    chosen: tuple[Chosen, ...],
    listener: socket.socket,
    keys: Keyring | None,
    admin: Token | None,
) -> None:
    limits = settings.limits
    metrics = create_metrics()
    core = LocalCore(metrics, repository)
    front = create_front(
        core, limits, settings.decode_threads, exact_decoding=settings.exact_decoding
    )
    tracing = tracing_of(settings.tracing, metrics, core)
    app = create_app(front, metrics, keys, admin, tracing)
    config = configuration(app, bounded(allow_connections(limits.connections)))
    server = DrainingServer(config, core, front.admission, limits)
    reread = []
    if keys is not None and settings.api_keys is not None:
        reread.append(partial(read_again, keys, settings.api_keys))
    reload_on_hangup(core, *reread)
    loading = asyncio.create_task(_load(server, core, chosen, limits))
    watching = None
    if settings.repository_poll is not None:
        watching = asyncio.create_task(watch(core, repository, settings.repository_poll))
    metrics.watch_decoding(front.decoder.forecast)
    metrics.watch_connections(lambda: len(server.server_state.connections))
    lag = LoopLag(metrics.loop_lag)
    await server.serve(sockets=[listener])
    lag.close()
    flushing = None
    if tracing is not None:  # nothing is traced any more
        flushing = asyncio.create_task(asyncio.to_thread(tracing.close, min(server.left, FLUSH)))
    if watching is not None:
        watching.cancel()
    front.decoder.close()
    core.announce_drain()
    await wait_for_opening(loading, server.left)
    drained = await core.drain(server.left)
    if flushing is not None:
        await flushing
    if not drained:
        leave()
    log.info("stopped requests=%d", sum(s.success for s in core.statistics().values()))


async def _load(
    server: uvicorn.Server, core: LocalCore, chosen: tuple[Chosen, ...], limits: Limits
) -> None:
    try:
        await core.start(chosen, queue_capacity=limits.queue_capacity)
    except BaseException:
        server.should_exit = True
        raise
    if core.unready() is None:
        log.info("ready models=%s", ",".join(model.id for model in core.models()))


class Announcing(Protocol):
    """What a server needs of its core."""

    def announce_drain(self) -> None:
        """Be unready from now on, and go on serving."""


class DrainingServer(uvicorn.Server):
    """uvicorn, except that the first signal drains and only the second one stops at once."""

    def __init__(
        self, config: uvicorn.Config, core: Announcing, admission: Admission, limits: Limits
    ) -> None:
        super().__init__(config)
        self._core = core
        self._admission = admission
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._drain: asyncio.Task[None] | None = None
        self._grace_ends: float | None = None

    @property
    def left(self) -> float:
        """Seconds of the grace for engines to end: all of it where nobody sent a signal, hardly
        any after the second one."""
        if self.force_exit:
            return LAST
        if self._grace_ends is None:
            return max(LAST, self._limits.grace)
        return max(LAST, self._grace_ends - self._loop.time())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            announce(listener)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  uvicorn's
        self._loop.call_soon_threadsafe(self._on_signal, signal.Signals(sig).name)

    def _on_signal(self, name: str) -> None:
        if self._drain is not None:
            log.warning("second signal=%s: stopping at once", name)
            self.stop()
            return
        log.info("signal=%s: draining", name)
        self.drain()

    def drain(self) -> None:
        """Finish what is admitted, and end."""
        self._drain = asyncio.create_task(self._end())

    def stop(self) -> None:
        """End at once."""
        self.should_exit = self.force_exit = True

    async def _end(self) -> None:
        self._core.announce_drain()
        await asyncio.sleep(self._limits.drain_delay)
        self._grace_ends = self._loop.time() + self._limits.grace
        try:
            async with asyncio.timeout(self._limits.grace):
                await self._admission.close()
        except TimeoutError:
            expelled = await self._admission.expel()
            log.warning("after grace=%g seconds refused requests=%d", self._limits.grace, expelled)
        await self._turn_away_the_last()
        self.should_exit = True

    async def _turn_away_the_last(self) -> None:
        """Whoever comes now is told 503. A socket closed under a client in the middle of
        connecting would only reset it, so wait until nobody comes any more, within reason."""
        patience = self._loop.time() + PATIENCE
        while self._admission.quiet < QUIET and self._loop.time() < patience:
            await asyncio.sleep(QUIET / 5)
