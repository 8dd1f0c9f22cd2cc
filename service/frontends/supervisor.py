"""The first process of a service with several front ends: it starts the others, hands them what
they share, watches them, and starts again whichever ends. It has no models and serves nobody."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import TypeAdapter

from measuring.errors import InputError, StrideError
from service.admin_token import admin_token
from service.frontends.accepting import AWAY, Scoreboard
from service.frontends.census import Census
from service.frontends.child import Backoff, Child, name_of
from service.frontends.line import Document, pair
from service.frontends.process import ENGINE, FRONTEND
from service.frontends.shared_memory import attach, create
from service.frontends.shared_rates import SIZE
from service.frontends.shares import memory_of, share_of
from service.key_file import read_keys
from service.leaving import LAST
from service.listening import announce, bind
from service.logs import configured
from service.settings import Settings

log = logging.getLogger("stride.serve")

HEARTBEAT = 5.0
"""Seconds between two collections of what the processes have counted: that much a process that is
killed takes with it at the most."""
SLACK = 5.0
"""Seconds beyond its own bounds in which a process that was told to end must have ended."""


class EndedError(StrideError):
    """A process of the service could not be started."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def serve(settings: Settings) -> None:
    """`service.server.serve` with `settings.frontends` front ends. Raises what the engine process
    met when it read artifacts and opened engines, besides."""
    if not hasattr(os, "memfd_create"):
        raise InputError("--frontends needs Linux, whose shared memory it uses; leave it out")
    admin_token(settings, os.environ)
    if settings.api_keys is not None:
        read_keys(settings.api_keys)
    with bind(settings.host, settings.port) as listener:
        code = asyncio.run(_run(settings, listener))
    if code:
        raise SystemExit(code)


async def _run(settings: Settings, listener: socket.socket) -> int:
    supervisor = Supervisor(settings, listener)
    return await supervisor.run()


class Supervisor:
    """`over` has the exit code once everything has ended."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._scores = create("connections", Scoreboard.size(settings.frontends))
        self._rates = create("rates", SIZE)
        self._scoreboard = Scoreboard(attach(os.dup(self._scores)))
        self._backoff: dict[str, Backoff] = defaultdict(Backoff)
        self._engine: Child | None = None
        self._fronts: dict[int, Child] = {}
        fronts = (name_of(FRONTEND, index) for index in range(settings.frontends))
        self._census = Census((ENGINE, *fronts))
        self._over: asyncio.Future[int] = self._loop.create_future()
        self._failure: StrideError | None = None
        self._ending = False
        self._stopping = False
        self._ready = False
        self._listening = False
        self._engine_code = 0
        self._gone = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """The exit code. Raises what kept the service from starting."""
        for index in range(self._settings.frontends):
            self._scoreboard.write(index, AWAY)
        for each in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(each, self._on_signal, each.name)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        await self._start_engine()
        for index in range(self._settings.frontends):
            if not self._ending:
                await self._start_front(index)
        self._do(self._beat())
        code = await self._over
        for task in tuple(self._tasks):
            task.cancel()
        if self._failure is not None:
            raise self._failure
        return code

    async def _start_engine(self) -> None:
        engine = self._engine = Child(ENGINE)
        first = _first(self._settings) | self._census.handed_on()
        try:
            await engine.start(first, (), self._on_said, self._on_end)
        except OSError:
            self._engine = None
            raise
        log.info("started process=%s pid=%d", engine.name, engine.pid)

    async def _start_front(self, index: int) -> None:
        size = memory_of(self._settings.limits, self._settings.frontends)
        memory = create(f"pixels-{index}", size)
        front = self._fronts[index] = Child(FRONTEND, index, memory)
        tools = (self._listener.fileno(), memory, self._scores, self._rates)
        first = _first(share_of(self._settings)) | {"index": index}
        try:
            await front.start(first, tools, self._on_said, self._on_end)
        except OSError:
            del self._fronts[index]
            os.close(memory)
            raise
        log.info("started process=%s pid=%d", front.name, front.pid)

    def _connect(self, front: Child) -> None:
        """A link of its own between this front end and the engine process, once both are up."""
        engine = self._engine
        if engine is None or not (engine.up and front.up) or front.memory is None:
            return
        ours, theirs = pair()
        with ours, theirs:
            engine.hand(front.index, ours.fileno(), front.memory)
            front.hand(front.index, theirs.fileno())

    def _on_said(self, child: Child, said: Document) -> None:
        if "up" in said:
            child.up = True
            if child.role == FRONTEND:
                child.ready = time.perf_counter()
            for front in (child,) if child.role == FRONTEND else tuple(self._fronts.values()):
                self._connect(front)
            if child.role == FRONTEND and not self._listening:
                self._listening = True
                announce(self._listener)
        elif "ready" in said:
            child.ready = time.perf_counter()
            self._ready = True
        elif "failed" in said:
            child.failure = said
        elif "gather" in said:
            self._do(self._gather(child, said["gather"]))
        else:
            self._census.hear(child, said)

    def _on_end(self, child: Child) -> None:
        self._do(self._after(child))

    async def _after(self, child: Child) -> None:
        """A process has ended: go on without it, or start another in its place."""
        if child.role == FRONTEND:
            self._scoreboard.write(child.index, AWAY)
        was_up, child.up = child.up, False
        self._census.ended(child)
        code = await child.ended()
        if child is self._engine:
            self._engine, self._engine_code = None, code
        else:
            self._fronts.pop(child.index, None)
        self._gone.set()
        if self._ending:
            return
        if not (self._ready if child.role == ENGINE else was_up or self._listening):
            await self._give_up(child, code)
            return
        self._census.restarts[child.role] += 1
        pause = self._backoff[child.name].after(child.worked)
        log.error(
            "ended process=%s pid=%d code=%d: %s; another is started in %g s",
            child.name, child.pid, code, child.cause(code), pause,
        )  # fmt: skip
        await self._start_again(child, pause)

    async def _start_again(self, child: Child, pause: float) -> None:
        await asyncio.sleep(pause)
        while not self._ending:
            try:
                if child.role == ENGINE:
                    await self._start_engine()
                else:
                    await self._start_front(child.index)
            except OSError as error:  # no memory, no files, no room for another process
                pause = self._backoff[child.name].after(0.0)
                log.error("process=%s cannot be started: %s", child.name, error)
                await asyncio.sleep(pause)
            else:
                return

    async def _give_up(self, child: Child, code: int) -> None:
        """It never worked, and would not work if it were tried again: end all."""
        if child.failure is not None:
            self._failure = EndedError(child.failure["failed"], child.failure["exit_code"])
        else:
            text = f"the process {child.name} ended before it was ready: {child.cause(code)}"
            self._failure = EndedError(text, 1)
        self._ending = True
        for each in self._children():
            each.kill()
        while self._children():
            self._gone.clear()
            await self._gone.wait()
        if not self._over.done():
            self._over.set_result(1)

    async def _gather(self, front: Child, number: int) -> None:
        """What all processes have counted until now, for one that was asked for it."""
        await self._census.take(self._children())
        front.say(do="gathered", number=number, **self._census.whole(self._children()))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self._census.take(self._children())

    def _on_hangup(self) -> None:
        log.info("signal=SIGHUP: looking through the repository")
        for child in self._children():
            child.say(do="hangup")

    def _on_signal(self, name: str) -> None:
        if not self._ending:
            log.info("signal=%s: draining", name)
            self._ending = True
            self._do(self._end())
            return
        log.warning("second signal=%s: stopping at once", name)
        self._stopping = True
        for front in self._fronts.values():
            front.say(do="stop")
        if self._engine is not None:
            self._engine.say(do="end", within=LAST)

    async def _end(self) -> None:
        """The front ends finish what they have admitted, and then the engine process ends."""
        limits = self._settings.limits
        for child in self._children():
            child.say(do="drain")
        begun = self._loop.time()
        longest = limits.drain_delay + limits.grace
        await self._wait_for(lambda: not self._fronts, longest + 2 * SLACK)
        left = max(LAST, begun + longest - self._loop.time())
        if self._engine is not None:
            within = LAST if self._stopping else left
            self._engine.say(do="end", within=within)
            await self._wait_for(lambda: self._engine is None, within + SLACK)
        if not self._over.done():
            self._over.set_result(1 if self._engine_code else 0)

    async def _wait_for(self, gone: Callable[[], bool], seconds: float) -> None:
        """Whoever is still there then is killed."""
        try:
            async with asyncio.timeout(seconds):
                while not gone():
                    self._gone.clear()
                    await self._gone.wait()
        except TimeoutError:
            for child in self._children() if not self._fronts else self._fronts.values():
                log.error("killed process=%s: it did not end", child.name)
                child.kill()
            while not gone():
                self._gone.clear()
                await self._gone.wait()

    def _children(self) -> tuple[Child, ...]:
        engine = () if self._engine is None else (self._engine,)
        return (*engine, *self._fronts.values())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _first(settings: Settings) -> Document:
    """What a process is told first."""
    access, form = configured()
    told = TypeAdapter(Settings).dump_python(settings, mode="json")
    return {"do": "start", "settings": told, "access": access, "form": form}
