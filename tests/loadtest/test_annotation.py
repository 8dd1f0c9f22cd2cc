"""Load tests marked in Grafana, against a double of its annotations API."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from loadtest.annotation import Annotation, Grafana
from measuring.errors import InputError

GOOD = "glsa_good"


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


@pytest.fixture
def double() -> Iterator[GrafanaDouble]:
    started = GrafanaDouble(GOOD)
    yield started
    started.stop()


def marked(grafana: Grafana) -> list[str]:
    """The warnings of one load test of ten seconds."""
    warnings: list[str] = []
    annotation = Annotation(grafana, warnings.append)
    annotation.begin("stride loadtest gate: running", ["small"], seconds=1_800_000_000.0)
    annotation.end("stride loadtest gate: passed", seconds=1_800_000_010.5)
    return warnings


def test_region_from_start_to_end_with_the_tag(double: GrafanaDouble) -> None:
    assert marked(Grafana(double.url, GOOD)) == []

    assert double.requests == [
        (
            "POST",
            "/api/annotations",
            {
                "time": 1_800_000_000_000,
                "tags": ["stride-loadtest", "small"],
                "text": "stride loadtest gate: running",
            },
        ),
        (
            "PATCH",
            "/api/annotations/7",
            {"timeEnd": 1_800_000_010_500, "text": "stride loadtest gate: passed"},
        ),
    ]


def test_refusal_is_a_warning(double: GrafanaDouble) -> None:
    (warning,) = marked(Grafana(double.url, "glsa_bad"))

    assert "HTTP 401" in warning
    assert "STRIDE_GRAFANA_TOKEN" in warning
    assert "glsa_bad" not in warning
    assert len(double.requests) == 1


def test_grafana_that_is_not_there_is_a_warning() -> None:
    with socket.socket() as taken:  # and not listened on
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (warning,) = marked(Grafana(url, ""))

    assert f"Grafana at {url} was not told of this load test" in warning


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://localhost", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected one such as http://localhost:3000"):
        Grafana(url, "")


def test_token_of_other_characters_is_refused() -> None:
    with pytest.raises(InputError, match="STRIDE_GRAFANA_TOKEN"):
        Grafana("http://localhost:3000", "tökèn")
