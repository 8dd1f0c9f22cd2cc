"""The process that has the engines: the core, and a link to each front end."""

import asyncio
import logging
import socket
from dataclasses import replace
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter

from inference.runtimes import RUNTIMES
from service.core import LocalCore
from service.frontends.families import document
from service.frontends.line import Document, take_all
from service.frontends.link import UNEXPECTED, FrontendLink, all_know
from service.frontends.process import Upstream
from service.frontends.shared_memory import attach
from service.frontends.snapshot import (
    State,
    read_models,
    read_statistics,
    state_of,
    write_counts,
    write_state,
    write_statistics,
)
from service.leaving import leave, wait_for_opening
from service.lineup import UNLOADED
from service.loading import Chosen
from service.loop_lag import LoopLag
from service.metrics import Metrics
from service.repository import Repository
from service.seam import ModelInfo, Refusal
from service.settings import Settings
from service.watch import watch

log = logging.getLogger("stride.serve")

LOOK = 0.05
"""Seconds between two looks whether the front ends know the core as it is."""
HEARD = 1.0
"""Seconds to wait for the front ends to hear of a change before it is called done."""


class Hub:
    """The links, and what goes to all of them."""

    def __init__(self, core: LocalCore, upstream: Upstream) -> None:
        self._core = core
        self._upstream = upstream
        self._links: dict[int, FrontendLink] = {}
        self._told = State()
        self._number = 0
        self._settled = False

    async def connect(self, index: int, link: socket.socket, memory: int) -> None:
        """A front end has come, perhaps in the place of one that has gone."""
        link.setblocking(False)
        make = partial(
            FrontendLink, self._core, attach(memory), self.answer, index=index,
            on_lost=self._disconnect,
        )  # fmt: skip
        _, protocol = await asyncio.get_running_loop().create_unix_connection(make, sock=link)
        self._links[index] = protocol
        protocol.tell_state(self._number, write_state(self._told, with_models=True))
        self.look()

    def look(self) -> int:
        """Tell what has changed; the number of the state that then holds."""
        state = state_of(self._core)
        if state == self._told:
            return self._number
        changed = state.models != self._told.models
        self._told, self._number = state, self._number + 1
        told = write_state(state, with_models=changed)
        for link in tuple(self._links.values()):
            link.tell_state(self._number, told)
        if changed and self._settled:
            self._tell_upstream()
        return self._number

    def settle(self) -> None:
        """All is loaded that was to be: another engine process would go on from here."""
        self.look()
        self._settled = True
        self._tell_upstream()

    async def answer(self, what: str, argument: Any) -> Any:
        """What a front end asks; JSON."""
        if what == "counts":
            counts = write_counts(self._core)
            self._upstream.say(statistics=counts["statistics"])  # never lost once somebody saw them
            return counts
        refusal: Refusal | None = None
        try:
            if what == "load":
                refusal = await self._core.load(str(argument))
            elif what == "unload":
                refusal = await self._core.unload(str(argument))
            elif what == "reload":
                await self._core.reload()
        except Exception:
            log.exception("unexpected error in what=%s", what)
            refusal = UNEXPECTED
        await self.spread()
        return {"refusal": refusal and [refusal.kind, refusal.message, refusal.retry_after]}

    async def spread(self) -> None:
        """Returns once every front end knows the core as it is now."""
        number = self.look()
        await all_know(list(self._links.values()), number, HEARD)

    async def keep_looking(self) -> None:
        """Until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def _disconnect(self, link: FrontendLink) -> None:
        log.info("frontend=%d has gone", link.index)
        if self._links.get(link.index) is link:
            del self._links[link.index]

    def _tell_upstream(self) -> None:
        told = write_state(self._told, with_models=True)
        off = [entry.id for entry in self._core.index() if entry.reason == UNLOADED]
        self._upstream.say(models=told["models"], switched_off=off)


class EngineProcess:
    """Does what the supervisor says."""

    def __init__(self, settings: Settings, metrics: Metrics, upstream: Upstream) -> None:
        self.repository = Repository(settings)
        self.core = LocalCore(metrics, self.repository)
        self.hub = Hub(self.core, upstream)
        self.end: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._metrics = metrics
        self._upstream = upstream
        self._changes: set[asyncio.Task[None]] = set()

    def hear(self, said: Document) -> None:
        match said["do"]:
            case "ask":
                self._upstream.say(
                    told=said["number"],
                    families=document(self._metrics.registry.collect()),
                    statistics=write_statistics(self.core.statistics()),
                    pending=self.core.pending(),
                )
            case "hangup":
                task = asyncio.get_running_loop().create_task(self.core.reload())
                self._changes.add(task)
                task.add_done_callback(self._changes.discard)
            case "drain":
                self.core.announce_drain()
                self.hub.look()
            case "end":
                if not self.end.done():
                    self.end.set_result(float(said["within"]))

    async def start(
        self, before: tuple[ModelInfo, ...], switched_off: frozenset[str], capacity: int
    ) -> None:
        """Serve what was served before, in the same shapes, else what the settings say. Raises
        what opening engines raises."""
        chosen = await asyncio.to_thread(self.repository.chosen)
        known = {model.id: model for model in before}
        wanted = [as_before(each, known.get(each.artifact.manifest.id)) for each in chosen]
        wanted = [each for each in wanted if each.artifact.manifest.id not in switched_off]
        await self.core.start(wanted, queue_capacity=capacity)
        for identity in known.keys() - {each.artifact.manifest.id for each in wanted}:
            await self.core.load(identity)
        for identity in switched_off:
            self.core.leave_off(identity)


def as_before(chosen: Chosen, known: ModelInfo | None) -> Chosen:
    """In the shape that was found best when this very artifact was opened first: nothing has to be
    measured again."""
    if known is None or known.manifest != chosen.artifact.manifest or known.runtime not in RUNTIMES:
        return chosen
    shape = (known.instances, known.threads)
    spec = replace(
        chosen.spec, runtime=known.runtime, instances=shape[0], threads=shape[1],
        max_batch=known.max_batch,
    )  # fmt: skip
    return replace(chosen, spec=spec, measured={**chosen.measured, shape: known.seconds_by_batch})


async def run(upstream: Upstream, hands: socket.socket, start: Document) -> None:
    """Until the supervisor says it is the end."""
    settings = TypeAdapter(Settings).validate_python(start["settings"])
    metrics = Metrics(CollectorRegistry(auto_describe=True))
    process = EngineProcess(settings, metrics, upstream)
    process.core.statistics().update(read_statistics(start["statistics"]))
    upstream.listen(process.hear)
    take_all(hands, partial(_take_front_end, process.hub))
    loop = asyncio.get_running_loop()
    lag = LoopLag(metrics.loop_lag)
    regular = [loop.create_task(process.hub.keep_looking())]
    if settings.repository_poll is not None:
        looking = watch(process.core, process.repository, settings.repository_poll)
        regular.append(loop.create_task(looking))
    upstream.say(up=True)
    before = read_models(start["models"])
    off = frozenset(start["switched_off"])
    loading = loop.create_task(process.start(before, off, settings.limits.queue_capacity))
    await _served(process, loading, upstream)
    within = await process.end
    for task in regular:
        task.cancel()
    lag.close()
    await _end(process, loading, within)
    log.info("stopped requests=%d", sum(s.success for s in process.core.statistics().values()))


async def _take_front_end(hub: Hub, index: int, files: tuple[int, ...]) -> None:
    link, memory = files
    await hub.connect(index, socket.socket(fileno=link), memory)


async def _served(
    process: EngineProcess, loading: "asyncio.Task[None]", upstream: Upstream
) -> None:
    """Returns when the models are there, or the end has come before. Raises what opening them
    raises."""
    both: set[asyncio.Future[Any]] = {loading, process.end}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if not loading.done():
        return
    await loading
    process.hub.settle()
    if process.core.unready() is None:
        log.info("ready models=%s", ",".join(model.id for model in process.core.models()))
        upstream.say(ready=True)


async def _end(process: EngineProcess, loading: "asyncio.Task[None]", within: float) -> None:
    process.core.announce_drain()
    await wait_for_opening(loading, within)
    if not await process.core.drain(within):
        leave()
