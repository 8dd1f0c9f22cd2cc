"""Connections that are used otherwise than meant: what each one may cost has a bound."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from service import patience, protocol
from tests.service.client import png
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.test_overload import wait_for

MakeService = Callable[..., LocalService]
CHUNKED = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
NOWHERE = CHUNKED.replace(b"/v1/classify", b"/nowhere")
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def make_service() -> Iterator[MakeService]:
    services: list[LocalService] = []

    def make(**limits: Any) -> LocalService:
        services.append(LocalService(FakeEngine(), None, **limits))
        return services[-1]

    yield make
    for service in services:
        service.stop()


@pytest.fixture
def service(make_service: MakeService) -> LocalService:
    return make_service()


def classify(body: bytes, *headers: bytes) -> bytes:
    lines = (b"POST /v1/classify HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join([*lines, b"", body])


def ask(connection: socket.socket, request: bytes = ALIVE) -> int:
    """The status of the whole answer to this request."""
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
        answer += connection.recv(1 << 16)
    return statuses(answer)[0]


def everything(connection: socket.socket) -> bytes:
    """What comes until the service closes the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(1 << 16):
            received += data
    return received


def statuses(received: bytes) -> list[int]:
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def send_until_broken(connection: socket.socket, data: bytes) -> None:
    with suppress(ConnectionResetError, BrokenPipeError):
        while True:
            connection.sendall(data)


def test_body_that_goes_on_after_its_answer_ends_the_connection(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REST_SECONDS", 0.1)
    with service.connect() as connection:
        assert ask(connection, NOWHERE) == 404
        send_until_broken(connection, b"5\r\nendle\r\n")


def test_body_that_stops_after_its_answer_ends_the_connection(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REST_SECONDS", 0.1)
    with service.connect() as connection:
        connection.sendall(NOWHERE + b"5\r\n")
        assert statuses(everything(connection)) == [404]


def test_connection_whose_body_ends_after_its_answer_is_used_again(service: LocalService) -> None:
    with service.connect() as connection:
        assert ask(connection, NOWHERE) == 404
        assert ask(connection, b"5\r\nhello\r\n0\r\n\r\n" + ALIVE) == 200


def test_body_that_drips_ends_with_the_deadline(service: LocalService) -> None:
    with service.connect() as connection:
        connection.sendall(CHUNKED.replace(b"Host: x", b"Host: x\r\nX-Request-Timeout: 0.2"))
        connection.settimeout(0.002)
        answer = b""
        while not answer.endswith(b"}"):
            if not answer:
                connection.sendall(b"1\r\nx\r\n")
            with suppress(TimeoutError):
                answer += connection.recv(1000)
    assert statuses(answer) == [504]
    assert b"before the whole body had come" in answer


def test_line_ends_between_requests_do_not_keep_a_connection_open(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with service.connect() as connection:
        assert ask(connection) == 200
        connection.sendall(b"\r\n")
        assert 408 in statuses(everything(connection))


@pytest.mark.parametrize(
    "filler",
    [
        pytest.param(b"5;" + b"e" * 1000, id="chunk-extension"),
        pytest.param(b"0\r\n" + b"X-Trailer: " + b"t" * 1000, id="trailer"),
    ],
)
def test_what_surrounds_a_body_is_bounded(service: LocalService, filler: bytes) -> None:
    with service.connect() as connection:
        connection.sendall(CHUNKED + filler)
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(1000):
                connection.sendall(b"y" * 1000)
        with suppress(ConnectionResetError):
            assert statuses(everything(connection)) in ([431], [])
    wait_for(lambda: not service.connections())


def test_trailers_are_no_headers(service: LocalService) -> None:
    body = png()
    with service.connect() as connection:
        head = CHUNKED.replace(b"Host", b"Connection: close\r\nHost")
        connection.sendall(
            head + b"%x\r\n%b\r\n0\r\nX-Request-Id: trailer\r\n\r\n" % (len(body), body)
        )
        answer = everything(connection)
    assert statuses(answer) == [200]
    assert b"trailer" not in answer


def test_pipelined_requests_are_answered_in_order(service: LocalService) -> None:
    numbers = range(40)
    with service.connect() as connection:
        last = classify(png(), b"Connection: close", b"X-Request-Id: last")
        connection.sendall(
            b"".join(classify(png(), b"X-Request-Id: n%d." % n) for n in numbers) + last
        )
        received = everything(connection)
    assert statuses(received) == [200] * 41
    places = [received.index(b"x-request-id: n%d." % n) for n in numbers]
    assert places == sorted(places)


def test_pipelining_without_end_ends_the_connection(service: LocalService) -> None:
    with service.connect() as connection:
        with suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(ALIVE * 200_000)
        everything(connection)
    wait_for(lambda: not service.connections())
    assert service.client.get("/healthz").status == 200


def test_client_that_reads_no_answers_is_broken_off(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "UNREAD_SECONDS", 0.1)
    with service.connect() as connection:
        request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(100_000):
                connection.sendall(request)
        wait_for(lambda: not service.connections())


def test_one_connection_too_many_is_told_so(make_service: MakeService) -> None:
    service = make_service(connections=2)
    held = [service.connect() for _ in range(2)]
    for connection in held:
        assert ask(connection) == 200

    with service.connect() as refused:
        answer = everything(refused)

    assert statuses(answer) == [503]
    assert json.loads(answer[answer.index(b"{") :]) == {
        "error": "2 connections are open, which is the limit"
    }
    assert ask(held[0]) == 200
    held[0].close()
    wait_for(lambda: len(service.connections()) == 1)
    assert service.client.get("/healthz").status == 200
    held[1].close()


UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")


@pytest.mark.parametrize("pieces", [1, 3], ids=["at-once", "in-pieces"])
def test_upgrade_with_a_body_is_served_as_the_plain_request(
    service: LocalService, pieces: int
) -> None:
    """Java's HTTP client asks so with its first request, whatever it sends."""
    request = classify(png(), *UPGRADE)
    size = -(-len(request) // pieces)
    with service.connect() as connection:
        for start in range(0, len(request), size):
            connection.sendall(request[start : start + size])
            assert service.client.get("/healthz").status == 200  # it has read that much
        connection.sendall(classify(png(), b"Connection: close"))
        assert statuses(everything(connection)) == [200, 200]


def test_many_upgrades_at_once_are_answered_in_order(service: LocalService) -> None:
    requests = [classify(png(), *UPGRADE) for _ in range(20)]
    with service.connect() as connection:
        connection.sendall(b"".join(requests) + classify(png(), b"Connection: close"))
        assert statuses(everything(connection)) == [200] * 21


def test_last_request_is_answered_though_more_follows_it(service: LocalService) -> None:
    """Also where the parser is a new one, after an upgrade."""
    last = classify(png(), b"Connection: close") + ALIVE
    for before in (classify(png()), classify(png(), *UPGRADE)):
        with service.connect() as connection:
            connection.sendall(before + last)
            assert statuses(everything(connection)) == [200, 200]


def test_connect_is_refused(service: LocalService) -> None:
    with service.connect() as connection:
        connection.sendall(b"CONNECT /v1/classify HTTP/1.1\r\nHost: x\r\n\r\n" + ALIVE)
        assert statuses(everything(connection)) == [405]


def test_expected_continue_is_given_for_a_body_that_is_wanted(service: LocalService) -> None:
    head, _, body = classify(png(), b"Expect: 100-continue").partition(b"\r\n\r\n")
    with service.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body + ALIVE.replace(b"Host", b"Connection: close\r\nHost"))
        assert statuses(everything(connection)) == [200, 200]


def test_expected_continue_is_refused_before_a_body_that_is_too_large(
    make_service: MakeService,
) -> None:
    service = make_service(body_bytes=100)
    with service.connect() as connection:
        connection.sendall(
            classify(b"", b"Expect: 100-continue").replace(b"Length: 0", b"Length: 101")
        )
        assert statuses(everything(connection)) == [413]


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(
            CHUNKED.replace(b"Host", b"Content-Length: 3\r\nHost") + b"0\r\n\r\n", id="two-lengths"
        ),
        pytest.param(classify(b"abc", b"Content-Length: 4"), id="length-twice"),
        pytest.param(classify(b"").replace(b": 0", b": -3"), id="negative-length"),
        pytest.param(classify(b"").replace(b": 0", b": " + b"9" * 30), id="enormous-length"),
        pytest.param(CHUNKED + b"f" * 20 + b"\r\n", id="enormous-chunk"),
        pytest.param(CHUNKED.replace(b": chunked", b": xchunked"), id="unknown-transfer"),
        pytest.param(CHUNKED.replace(b"Host: x", b"Host : x"), id="space-before-colon"),
        pytest.param(b"GET /healthz HTTP/9.9\r\n\r\n", id="other-version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2"),
        pytest.param(b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", id="broken-url"),
    ],
)
def test_ambiguous_framing_is_refused_and_ends_the_connection(
    service: LocalService, request_bytes: bytes
) -> None:
    with service.connect() as connection:
        connection.sendall(request_bytes)
        answer = everything(connection)
    assert statuses(answer) == [400]
    assert "Expected HTTP/1.1" in json.loads(answer[answer.index(b"{") :])["error"]
