"""One listening socket, several processes: each takes a connection when it has the fewest."""

import asyncio
import logging
import mmap
import socket
import struct
from collections.abc import Callable

log = logging.getLogger("stride.serve")

GIVE_WAY = 0.002
"""Seconds that one with more connections leaves a newcomer to the others."""
PAUSE = 0.1
"""Seconds without accepting where the system has no file left for a connection."""
_COUNT = struct.Struct("<q")
AWAY = -1


class Scoreboard:
    """How many connections each front end has, in memory that all of them see; AWAY for one that
    takes none."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    @staticmethod
    def size(count: int) -> int:
        return count * _COUNT.size

    def __len__(self) -> int:
        return len(self._memory) // _COUNT.size

    def write(self, index: int, connections: int) -> None:
        _COUNT.pack_into(self._memory, index * _COUNT.size, connections)

    def read(self, index: int) -> int:
        (connections,) = _COUNT.unpack_from(self._memory, index * _COUNT.size)
        return int(connections)

    def fewest_of_others(self, index: int) -> int | None:
        """None where no other takes any."""
        others = (self.read(other) for other in range(len(self)) if other != index)
        return min((count for count in others if count != AWAY), default=None)


class Doorman:
    """Takes connections off `listener`, one at a time and in turn with the other processes, and
    gives each to a protocol of `make`. Whoever accepts as many as are there, as event loops do,
    would have nearly all of them; left to the kernel, by a hash, some have twice what others have.

    A `listener` that outlives the process keeps what nobody has accepted yet.
    """

    def __init__(
        self,
        listener: socket.socket,
        scoreboard: Scoreboard,
        index: int,
        *,
        make: Callable[[], asyncio.Protocol],
        count: Callable[[], int],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._scoreboard = scoreboard
        self._index = index
        self._make = make
        self._count = count
        self._timer: asyncio.TimerHandle | None = None
        self._arriving: set[asyncio.Task[None]] = set()
        self._closed = False
        listener.setblocking(False)
        self.tell()
        self._listen()

    def tell(self) -> None:
        """How many there are now."""
        if not self._closed:
            self._scoreboard.write(self._index, self._count() + len(self._arriving))

    def close(self) -> None:
        """Take no more; the socket stays open for the others. uvicorn calls it."""
        if not self._closed:
            self._stop_listening()
            self._closed = True
            self._scoreboard.write(self._index, AWAY)

    async def wait_closed(self) -> None:
        """uvicorn calls it."""

    def _listen(self) -> None:
        self._timer = None
        if not self._closed:
            self._loop.add_reader(self._listener.fileno(), self._on_arrival)

    def _stop_listening(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_arrival(self) -> None:
        self.tell()
        fewest = self._scoreboard.fewest_of_others(self._index)
        if fewest is not None and self._scoreboard.read(self._index) > fewest:
            self._stop_listening()
            self._timer = self._loop.call_later(GIVE_WAY, self._after_giving_way)
            return
        self._accept()

    def _after_giving_way(self) -> None:
        """Whoever is still there is taken: the others are busy."""
        self._timer = None
        if not self._closed:
            self._accept()
        if self._timer is None:
            self._listen()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another was faster, or it went
        except OSError as error:
            log.error("no connection can be accepted: %s", error.strerror)
            self._stop_listening()
            self._timer = self._loop.call_later(PAUSE, self._listen)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._admit(connection))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)
        self.tell()

    async def _admit(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:
            connection.close()
