"""One of the supervisor's processes: how it is started, spoken to and seen to end."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from service.frontends.families import Document as Families
from service.frontends.line import Document, Line, hand, hands, pair

log = logging.getLogger("stride.frontends")

LINGERS = 5.0
"""Seconds after the end of its line in which a process must have ended."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
SETTLED = 3.0
"""Seconds of work after which a process that ends is not one that keeps ending."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


def name_of(role: str, index: int) -> str:
    """Of one of several processes with this role."""
    return f"{role}-{index}"


class Backoff:
    """How long to wait before something that keeps ending is started again: not at all after it
    has worked for a while, then twice as long each time."""

    def __init__(self) -> None:
        self._pause = 0.0

    def after(self, worked: float) -> float:
        """Seconds to wait, after so many of work."""
        if worked >= SETTLED:
            self._pause = 0.0
        pause, self._pause = self._pause, min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)
        return pause


class Child:
    """`up`: it has said that it is there; `ready`: and when that it works; `counted`: what it last
    told of its metrics; `memory`: of a front end, which the engine process sees, too."""

    def __init__(self, role: str, index: int = 0, memory: int | None = None) -> None:
        self.role = role
        self.index = index
        self.name = role if memory is None else name_of(role, index)
        self.memory = memory
        self.up = False
        self.failure: Document | None = None
        self.counted: Families = []
        self.ready: float | None = None
        self._process: subprocess.Popen[bytes]
        self._line: Line | None = None
        self._hands: socket.socket

    @property
    def worked(self) -> float:
        """Seconds since it said that it works."""
        return 0.0 if self.ready is None else time.perf_counter() - self.ready

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        """What of its memory is there, shared memory included; 0 once it has ended."""
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_bytes().split()
        except OSError:
            return 0
        return int(fields[1]) * _PAGE

    async def start(
        self,
        first: Document,
        tools: Sequence[int],
        on_said: Callable[["Child", Document], None],
        on_end: Callable[["Child"], None],
    ) -> None:
        """A fresh interpreter, told `first` and handed `tools`."""
        line, theirs = pair()
        self._hands, their_hands = hands()
        with theirs, their_hands:
            arguments = [self.name, str(theirs.fileno()), str(their_hands.fileno())]
            paths = os.pathsep.join(path for path in sys.path if path)
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-P", "-m", "service.frontends.process", *arguments],
                pass_fds=(theirs.fileno(), their_hands.fileno()),
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": paths},
            )
        if tools:
            self.hand(self.index, *tools)
        self._line = await Line.over(
            line, lambda document: on_said(self, document), lambda: on_end(self)
        )
        self._line.say(first)

    def say(self, **document: Any) -> None:
        if self._line is not None:
            self._line.say(document)

    def hand(self, note: int, *files: int) -> None:
        try:
            hand(self._hands, note, files)
        except OSError as error:
            log.error("process=%s takes no files: %s", self.name, error.strerror)

    def cause(self, code: int) -> str:
        """Why it ended, by its own word or its exit code."""
        if self.failure is not None:
            return str(self.failure["failed"])
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        self._process.kill()

    async def ended(self) -> int:
        """Its exit code, negative for a signal's number; to be called after the end of its line."""
        try:
            code = await asyncio.to_thread(self._process.wait, LINGERS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = await asyncio.to_thread(self._process.wait)
        self._hands.close()
        if self.memory is not None:
            os.close(self.memory)
        return code
