"""The least that a service in Python with threads for its engines can be; a bound, no server.

    python -m benchmarks.bare_service ARTIFACT [--runtime RUNTIME] [--instances 2]

An event loop puts the bytes of a body together and hands them to one queue; a thread for each
engine takes them out, decodes and infers, and gives the logits back to the loop, which writes them.
It reads of a request what it cannot do without (the length of its body), answers nothing but 200
and knows neither addresses, errors, deadlines, bounds nor metrics. What a service adds beyond this
it adds for what this lacks; what this adds, none that is built so can save.
"""

import asyncio
import socket
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import cast

import click
import uvloop

from benchmarks.serving_limit import Prepare, preparations
from inference.artifact import read_artifact
from inference.engine import Engine
from inference.open_engine import open_engine
from service.give_way import give_way

_END = b"\r\n\r\n"
_LENGTH = b"\ncontent-length:"
_JPEG = b"\xff\xd8\xff"
_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

Work = SimpleQueue[tuple["Connection", bytes]]


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--runtime", default="onnxruntime", show_default=True)
@click.option("--instances", type=click.IntRange(1), default=2, show_default=True)
def main(artifact: Path, runtime: str, instances: int) -> None:
    """Serve ARTIFACT on a free port of this machine; every POST is one picture."""
    uvloop.run(_serve(artifact, runtime, instances))


async def _serve(artifact: Path, runtime: str, instances: int) -> None:
    loop, work = asyncio.get_running_loop(), Work()
    described = read_artifact(artifact)
    kinds = preparations(described.manifest.input)
    engines = [open_engine(described, runtime=runtime, threads=1) for _ in range(instances)]
    for engine in engines:
        arguments = (engine, kinds, work, loop)
        threading.Thread(target=_answer, args=arguments, daemon=True).start()
    server = await loop.create_server(lambda: Connection(work), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sys.stderr.write(f"listening url=http://127.0.0.1:{port}\n")
    sys.stderr.flush()
    await server.serve_forever()


class Connection(asyncio.Protocol):
    """Requests one after the other, each with a Content-Length; one without is answered empty."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._parts: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        end: socket.socket = transport.get_extra_info("socket")
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            end = data.index(_END) + len(_END)
            head = data[:end].lower()
            at = head.find(_LENGTH)
            if at < 0:
                self._transport.write(_EMPTY)
                return
            at += len(_LENGTH)
            self._missing = int(head[at : head.index(b"\r", at)])
            data = data[end:]
        if data:
            self._parts.append(data)
            self._missing -= len(data)
        if not self._missing:
            body, self._parts = b"".join(self._parts), []
            self._work.put((self, body))

    def answer(self, logits: bytes) -> None:
        """On the loop."""
        if not self._transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(logits)
            self._transport.write(head + logits)


def _answer(
    engine: Engine, kinds: dict[str, Prepare], work: Work, loop: asyncio.AbstractEventLoop
) -> None:
    give_way()
    while True:
        connection, body = work.get()
        prepare = kinds["jpeg" if body.startswith(_JPEG) else "tensor"]
        logits = engine.infer(prepare(body)[None])
        loop.call_soon_threadsafe(connection.answer, logits.tobytes())


if __name__ == "__main__":
    main()
