"""Requests whose head is too long, too slow or no HTTP at all."""

import json
import time
from collections.abc import Iterator

import pytest

from service import protocol
from tests.service.client import png
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.test_overload import read_answer


@pytest.fixture
def service() -> Iterator[LocalService]:
    service = LocalService(FakeEngine())
    yield service
    service.stop()


def error(answer: bytes) -> str:
    return str(json.loads(answer[answer.index(b"{") :])["error"])


def test_head_without_end_is_refused(service: LocalService) -> None:
    with service.connect() as connection, pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        for number in range(100_000):
            connection.sendall(b"X-%06d: %s\r\n" % (number, b"x" * 90))


def test_head_over_the_limit_says_so(service: LocalService) -> None:
    connection = service.connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * protocol.HEAD_BYTES)

    answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert error(answer) == "the request line and headers are over 65536 bytes"


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="nothing-sent"),
        pytest.param(b"POST /v1/class", id="half-a-line"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he", id="second-request"),
    ],
)
def test_head_that_does_not_come_ends_the_connection(
    service: LocalService, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    connection = service.connect()
    connection.sendall(beginning)

    with connection, connection.makefile("rb") as stream:
        answer = stream.read()

    assert b"HTTP/1.1 408 " in answer
    assert b"no whole request head within 0.05 seconds" in answer


def test_head_timer_leaves_slow_bodies_and_idle_connections_alone(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    body = png()
    connection = service.connect()
    connection.sendall(
        b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    started = time.monotonic()
    while time.monotonic() - started < 0.2:  # longer than the limit
        assert service.client.get("/healthz").status == 200
    connection.sendall(body)

    assert read_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_no_http_gets_an_error_in_json(service: LocalService) -> None:
    connection = service.connect()
    connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")

    answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert "Expected HTTP/1.1" in error(answer)


def test_upgrade_is_served_as_the_plain_request(
    service: LocalService, caplog: pytest.LogCaptureFixture
) -> None:
    connection = service.connect()
    connection.sendall(
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )

    assert read_answer(connection).startswith(b"HTTP/1.1 200 ")
    assert "websocket" not in caplog.text.lower()
