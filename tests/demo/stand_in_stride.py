"""Acts as `stride` for the demo's tests: `export` and `verify` do nothing, `serve` answers every
picture of the folder of its label rightly. What it is to do otherwise stands in the environment.

STAND_IN_EXPORT, STAND_IN_VERIFY: exit code of that command; STAND_IN_REFUSED: a model that is
always answered with 503.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Service(BaseHTTPRequestHandler):
    """The three addresses that the demo uses."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        model = self.path.rpartition("/")[2]
        manifest = {
            "network": model.partition("-")[0],
            "weights": {"trained": True, "published_top1": None},
            "files": {"model.onnx": {"size": 5_000_000}, "reference.npz": {"size": 9}},
            "variants": [{"file": "model.onnx"}, {"file": "model.onnx"}],
        }
        self._answer(200, {"id": model, "runtime": "stand-in", "manifest": manifest})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        model = parse_qs(urlsplit(self.path).query)["model"][0]
        if model == os.environ.get("STAND_IN_REFUSED"):
            self._answer(503, {"error": "queue full"})
            return
        prediction = {"label": body.decode(), "index": 0, "probability": 1.0}
        self._answer(200, {"model": model, "trained": True, "predictions": [prediction]})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(arguments: list[str]) -> int:
    """`stride COMMAND ...`."""
    if arguments[0] in ("export", "verify"):
        return int(os.environ.get(f"STAND_IN_{arguments[0].upper()}", "0"))
    port = int(arguments[arguments.index("--port") + 1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ThreadingHTTPServer(("127.0.0.1", port), Service) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
