"""What a process of the service is started as:
`python -m service.frontends.process ROLE LINE HANDS`, the last two being open files. It ends with
the supervisor, however that ends."""

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from measuring.errors import StrideError
from service.frontends.line import Document, Line
from service.logs import configure

log = logging.getLogger("stride.frontends")

ENGINE, FRONTEND = "engine", "frontend"
FLUSHED = 0.05
"""Seconds after which the last word is certainly with the system, which delivers it."""
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """The system kills this process when the thread that started it is gone."""
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def leave_signals_to_the_supervisor() -> None:
    """A terminal or a service manager sends them to every process at once; each will be told."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)


class Upstream:
    """The line to the supervisor as its processes see it."""

    def __init__(self) -> None:
        self._on_said: Callable[[Document], None] | None = None
        self._early: list[Document] = []
        self._start: asyncio.Future[Document] = asyncio.get_running_loop().create_future()
        self._line: Line | None = None

    async def open(self, connection: socket.socket) -> Document:
        """What this process is started with."""
        self._line = await Line.over(connection, self._said, self._end)
        return await self._start

    def listen(self, on_said: Callable[[Document], None]) -> None:
        """Whatever it says after the start comes here, also what it has said already."""
        self._on_said = on_said
        while self._early:
            on_said(self._early.pop(0))

    def say(self, **document: Any) -> None:
        if self._line is not None:
            self._line.say(document)

    def _said(self, document: Document) -> None:
        if not self._start.done():
            self._start.set_result(document)
        elif self._on_said is None:
            self._early.append(document)
        else:
            self._on_said(document)

    def _end(self) -> None:
        """Nobody is left to work for, or to be told; engines may hang, so not by the usual way."""
        os._exit(1)


def main() -> None:
    role, line, hands = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    die_with_parent()
    leave_signals_to_the_supervisor()
    for descriptor in (line, hands):
        os.set_inheritable(descriptor, False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(role, socket.socket(fileno=line), socket.socket(fileno=hands)))


async def _run(role: str, line: socket.socket, hands: socket.socket) -> None:
    upstream = Upstream()
    start = await upstream.open(line)
    configure(access=start["access"], form=start["form"])
    work: Callable[[Upstream, socket.socket, Document], Awaitable[None]]
    if role == ENGINE:
        from service.frontends.engine_process import run as work
    else:
        from service.frontends.frontend_process import run as work
    try:
        await work(upstream, hands, start)
    except StrideError as error:
        upstream.say(failed=str(error), exit_code=error.exit_code)
        await asyncio.sleep(FLUSHED)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
