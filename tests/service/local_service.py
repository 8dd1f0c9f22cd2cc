"""The front and core in this process, on a real uvicorn and a real port, with a fake engine that
can be held: overload, deadlines and disconnects on command."""

import asyncio
import socket
import threading
from dataclasses import replace

import uvicorn

from inference.manifest import Manifest
from service.app import create_app, create_front, create_metrics
from service.core import LocalCore
from service.decoding import Decoder
from service.health import make_probe
from service.listening import bind
from service.loading import Loaded
from service.protocol import bounded
from service.seam import ModelInfo
from service.settings import Limits
from tests.service.client import Client
from tests.service.fakes import FakeEngine, manifest, picture


class LocalService:
    """Serves one model, `tiny-onnx-fp32`, until `stop`; a second one, `other-onnx-fp32`, where
    there is an engine for it. Engines that fail are asked for a picture that is 7 all over."""

    def __init__(
        self,
        engine: FakeEngine,
        other: FakeEngine | None = None,
        *,
        capacity: int = 4,
        decoder: Decoder | None = None,
        **limits: float,
    ) -> None:
        self.engine = engine
        self.core: LocalCore
        self._other = other
        self._capacity = capacity
        self._decoder = decoder
        self._limits = replace(Limits(), **limits)  # type: ignore[arg-type]
        self._listener = bind("127.0.0.1", 0)
        self._server: uvicorn.Server
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        self._started.wait(30)
        host, port = self._listener.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        self.client = Client(f"http://{host}:{port}")

    def connect(self) -> socket.socket:
        """A raw connection, to misbehave on."""
        return socket.create_connection(self.address, timeout=30)

    def connections(self) -> tuple[asyncio.Transport, ...]:
        """Those that are open now, but for those of `client`."""
        return tuple(each.transport for each in self._server.server_state.connections)

    def pending(self) -> int:
        return self.core.pending()["tiny-onnx-fp32"]

    def stop(self) -> None:
        self.engine.let_go()
        self._server.should_exit = True
        self.client.close()
        self._thread.join(30)
        self._listener.close()

    async def _main(self) -> None:
        metrics = create_metrics()
        self.core = LocalCore(metrics)
        self.core.add(self._loaded(self.engine, manifest()))
        if self._other is not None:
            named = replace(manifest(), id="other-onnx-fp32", name="other")
            self.core.add(self._loaded(self._other, named))
        await self.core.start((), queue_capacity=self._capacity)
        front = create_front(self.core, self._limits, 2)
        if self._decoder is not None:
            front.decoder.close()
            front = replace(front, decoder=self._decoder)
        config = uvicorn.Config(
            create_app(front, metrics),
            lifespan="off",
            log_config=None,
            http=bounded(self._limits.connections),
        )
        self._server = uvicorn.Server(config)
        self._started.set()
        await self._server.serve(sockets=[self._listener])
        front.decoder.close()
        await self.core.drain()

    def _loaded(self, engine: FakeEngine, described: Manifest) -> Loaded:
        info = ModelInfo(
            manifest=described, engine=engine.name, runtime="fake", device="cpu",
            instances=1, threads=1, max_batch=1, queue_capacity=self._capacity,
            seconds_by_batch={1: 1e-6}, aliases=(),
        )  # fmt: skip
        return Loaded(info, (engine,), probe=make_probe(picture(7), 2))
