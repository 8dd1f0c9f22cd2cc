"""The generator against a server that answers as told: kept connections, refusals, hang-ups."""

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.open_loop import send
from benchmarks.serving_load import Post
from measuring.errors import MissingError

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Canned:
    """A server that gives the answers of a list in turn, the last one for ever; an empty one hangs
    up. Records the bodies."""

    def __init__(self, *answers: bytes) -> None:
        self.bodies: list[bytes] = []
        self.connections = 0
        self._answers = list(answers)
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.url = f"http://127.0.0.1:{started.result(10)}"

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"POST /there?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
                self.bodies.append(await reader.readexactly(5))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                writer.write(answer)
                if not answer or b"close" in answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@pytest.fixture
def servers() -> Iterator[list[Canned]]:
    started: list[Canned] = []
    yield started
    for server in started:
        server.stop()


def post(server: Canned) -> Post:
    return Post(server.url, "/there?x=1", b"12345", {"X-Test": "1"})


def test_send_answers_each_request_from_when_it_was_due(servers: list[Canned]) -> None:
    servers.append(server := Canned(OK))
    found = send(post(server), np.linspace(0.0, 0.2, 40))
    assert found.ok.all()
    assert (found.lag >= 0).all()
    assert (found.latency >= found.lag).all()
    assert server.bodies == [b"12345"] * 40
    assert server.connections < 40


def test_send_goes_on_after_refusals_and_hang_ups(servers: list[Canned]) -> None:
    servers.append(server := Canned(OK, BUSY, b"", OK))
    found = send(post(server), np.linspace(0.0, 0.25, 6))
    assert sorted(found.status.tolist()) == [0, 200, 200, 200, 200, 503]
    assert np.isnan(found.answered[found.status == 0]).all()


def test_send_where_nobody_listens_says_so(servers: list[Canned]) -> None:
    servers.append(server := Canned(OK))
    server.stop()
    servers.clear()
    with pytest.raises(MissingError, match=r"nobody listens at 127\.0\.0\.1"):
        send(post(server), [0.0])
