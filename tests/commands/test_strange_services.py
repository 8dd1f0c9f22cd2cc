"""`stride classify --url` meets a server that is no stride service, or an ailing one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import cli

GOOD: dict[str, Any] = {
    "model": "tiny-onnx-fp32",
    "trained": True,
    "predictions": [{"label": "cat", "index": 3, "probability": 0.75}],
    "timings": {"inference": 0.002},
}


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """A server on a free port with one answer for everything; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def classify(url: str, folder: Path, *arguments: str) -> int:
    picture = folder / "picture.png"
    picture.write_bytes(b"bytes")
    return cli.run(["classify", str(picture), "--url", url, *arguments])


def test_answer_of_a_service_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(json.dumps(GOOD).encode()) as url:
        assert classify(url, tmp_path) == 0

    shown = capsys.readouterr().out
    assert "75.00%" in shown
    assert "2.00" in shown


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(b"{}", 200, "HTTP 200, model: Field required", id="empty-object"),
        pytest.param(b"[]", 200, "HTTP 200, the body: ", id="list"),
        pytest.param(b"null", 200, "HTTP 200, the body: ", id="null"),
        pytest.param(b"", 200, "HTTP 200, the body: ", id="nothing"),
        pytest.param(b"<!doctype html>", 200, "began with '<!doctype html>'", id="html"),
        pytest.param(b"\xff\xfe", 200, "HTTP 200, the body: ", id="bytes"),
        pytest.param(
            json.dumps(GOOD | {"timings": {}}).encode(), 200, "no prediction or no timing",
            id="no-timings",
        ),
        pytest.param(
            json.dumps(GOOD | {"predictions": []}).encode(), 200, "no prediction or no timing",
            id="no-predictions",
        ),
        pytest.param(
            json.dumps(GOOD | {"predictions": [{"label": "cat", "index": 1}]}).encode(), 200,
            "predictions.0.probability: Field required", id="no-probability",
        ),
        pytest.param(b"<h1>Bad Gateway</h1>", 502, "HTTP 502, the body: ", id="gateway"),
        pytest.param(b"[]", 404, "HTTP 404, the body: ", id="list-as-error"),
        pytest.param(b'{"detail": "no"}', 404, "HTTP 404, error: Field required", id="other-error"),
    ],
)  # fmt: skip
def test_answer_of_another_form_ends_in_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes, status: int, reason: str
) -> None:
    with answering(body, status) as url:
        assert classify(url, tmp_path) == 3

    shown = capsys.readouterr()
    assert f"{url} answered, but not as a stride service does: " in shown.err
    assert reason in shown.err
    assert "correct --url" in shown.err
    assert shown.out == ""


def test_refusal_of_a_service_stands_in_the_place_of_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(b'{"error": "queue full"}', 503) as url:
        assert classify(url, tmp_path, "--json") == 2

    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image["error"] == "HTTP 503: queue full"
