"""A double of a service, which says what it was told to: a real one cannot be made to hang up, to
stall or to lie on command."""

import socket
import threading
from collections.abc import Iterable
from typing import BinaryIO

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfull"
SILENCE = b"."
"""Instead of an answer: none, and the connection stays."""
HANG_UP = b""


class CannedService:
    """Gives these answers in turn, the last one for ever; one in parts is sent part by part.
    Records the requests, head and body, and counts connections."""

    def __init__(self, *answers: bytes | Iterable[bytes]) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended
                continue
        for thread in self._threads[1:]:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            try:
                while self._answer(connection, reader):
                    pass
            except OSError:
                return

    def _answer(self, connection: socket.socket, reader: BinaryIO) -> bool:
        """Whether the connection stays."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (line := reader.readline()):
                return False
            head += line
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        body = reader.read(length)
        with self._lock:
            self.heads.append(head)
            self.bodies.append(body)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer == SILENCE:
            return True
        for part in [answer] if isinstance(answer, bytes) else answer:
            connection.sendall(part)
        return answer != HANG_UP and not (isinstance(answer, bytes) and b": close" in answer)
