"""A double: speaks enough of /v2 to be driven, answers rightly at first, and then in every wrong
way there is, in turn. A real service cannot be made to on command."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Self

import numpy as np

HONEST = 8
"""Right answers before the first wrong one: as many as a client asks to know what is right."""
SIZE, CLASSES = 4, 8
WAYS = ("right", "status", "nan", "shape", "other", "closed")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        if not self.path.startswith("/v2/models/liar"):
            self._send(404, b'{"error":"not here"}')
            return
        metadata = {
            "name": "liar", "versions": ["1"], "platform": "none",
            "inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [-1, SIZE, SIZE, 3]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, CLASSES]}],
        }  # fmt: skip
        self._send(200, json.dumps(metadata).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        pixels = np.frombuffer(body[int(self.headers["inference-header-content-length"]) :], "u1")
        logits = (pixels.astype("<f4").reshape(-1, CLASSES).sum(axis=0) % 97)[None]
        asked = next(self.server.asked)
        way = "right" if asked < HONEST else WAYS[asked % len(WAYS)]
        if way == "closed":
            self.close_connection = True
        elif way == "status":
            self._send(503, b'{"error":"no room for 1 image"}')
        else:
            logits = {"nan": logits * np.nan, "other": logits[:, ::-1]}.get(way, logits)
            self._answer(logits[:, :-1] if way == "shape" else logits)

    def _answer(self, logits: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> None:
        output = {"name": "logits", "datatype": "FP32", "shape": list(logits.shape)}
        head = json.dumps({"model_name": "liar", "outputs": [output]}).encode()
        self._send(200, head + logits.astype("<f4").tobytes(), str(len(head)))

    def _send(self, status: int, data: bytes, header_length: str = "0") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Inference-Header-Content-Length", header_length)
        self.send_header("Server-Timing", "inference;dur=1.25, total;dur=2.5")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Not among the tests' output."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    disable_nagle_algorithm = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = count()
        self.connections = 0

    def get_request(self) -> tuple[socket.socket, Any]:
        self.connections += 1
        return super().get_request()


class LyingService:
    """A context: it has ended after it."""

    def __enter__(self) -> Self:
        self._server = _Server()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self._thread.start()
        return self

    @property
    def connections(self) -> int:
        """That were opened so far."""
        return self._server.connections

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
