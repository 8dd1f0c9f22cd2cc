"""A double of Grafana's annotations: the real one is no Python package."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class GrafanaDouble:
    """Takes annotations from whoever has the token, as Grafana 11 does; keeps what it was sent."""

    def __init__(self, token: str) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._answer({"message": "Annotation added", "id": 7})

            def do_PATCH(self) -> None:
                self._answer({"message": "Annotation patched"})

            def _answer(self, body: dict[str, Any]) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                allowed = self.headers["Authorization"] == f"Bearer {token}"
                double.requests.append((self.command, self.path, json.loads(sent)))
                data = json.dumps(body if allowed else {"message": "Unauthorized"}).encode()
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silent."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
