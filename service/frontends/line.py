"""Between the supervisor and each of its processes: JSON both ways on a line, and open files over
another.

A line that ends tells that the process at its other end has."""

import array
import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson

from service.frontends import frames
from service.frontends.frames import FrameError, FrameProtocol, Kind

log = logging.getLogger("stride.frontends")

Document = dict[str, Any]
_NOTE_BYTES = 64
_MOST_FILES = 4


class Line(FrameProtocol):
    """`on_said` is called with every document, `on_end` once."""

    def __init__(self, on_said: Callable[[Document], None], on_end: Callable[[], None]) -> None:
        super().__init__()
        self._on_said = on_said
        self._on_end = on_end

    @classmethod
    async def over(
        cls,
        connection: socket.socket,
        on_said: Callable[[Document], None],
        on_end: Callable[[], None],
    ) -> "Line":
        connection.setblocking(False)
        _, line = await asyncio.get_running_loop().create_unix_connection(
            lambda: cls(on_said, on_end), sock=connection
        )
        return line

    def say(self, document: Document) -> None:
        self.send(frames.say(document))

    def heard(self, kind: Kind, body: bytes) -> None:
        if kind != Kind.SAY:
            raise FrameError(f"{kind.name} on a line to the supervisor")
        self._on_said(orjson.loads(body))

    def lost(self, error: Exception | None) -> None:  # noqa: ARG002  an end is an end
        self._on_end()


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a stream, for a line or a link."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def hands() -> tuple[socket.socket, socket.socket]:
    """Two ends over which files are handed, each lot with a note of its own."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def hand(hands: socket.socket, note: int, files: Sequence[int]) -> None:
    """The receiver's are copies; ours stay open. Raises OSError where nobody takes them."""
    control = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
    hands.sendmsg([b"%d" % note], [control], socket.MSG_DONTWAIT)


def take(hands: socket.socket) -> tuple[int, tuple[int, ...]] | None:
    """The next note and its files, which nothing that is started inherits; None at the end. Waits
    where the socket does."""
    note, files, _, _ = socket.recv_fds(hands, _NOTE_BYTES, _MOST_FILES, socket.MSG_CMSG_CLOEXEC)
    return (int(note), tuple(files)) if note else None


def take_all(
    hands: socket.socket, taken: Callable[[int, tuple[int, ...]], Coroutine[Any, Any, None]]
) -> None:
    """From now on `taken` is run, on the event loop, with every note and its files."""
    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()

    def on_hand() -> None:
        lot = take(hands)
        if lot is None:
            loop.remove_reader(hands.fileno())
            return
        task = loop.create_task(taken(*lot))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    hands.setblocking(False)
    loop.add_reader(hands.fileno(), on_hand)
