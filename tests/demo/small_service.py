"""A service small enough to know every answer of, behind a real HTTP server."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

Answering = Callable[[str, bytes], tuple[int, dict[str, Any]]]


@contextmanager
def served(answering: Answering) -> Iterator[str]:
    """A service on a free port: (model, body) -> (status, JSON); gives its URL."""
    app = FastAPI()

    @app.post("/v1/classify")
    async def classify(model: str, request: Request) -> JSONResponse:
        status, body = answering(model, await request.body())
        return JSONResponse(body, status)

    # Listening before the server runs: requests wait in the backlog, nobody has to poll.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
