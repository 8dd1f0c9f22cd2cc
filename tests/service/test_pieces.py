"""Requests and answers in the pieces that sockets make of them."""

from collections.abc import Iterator
from itertools import accumulate, pairwise

import pytest

from service import protocol
from tests.service.client import png
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.test_connections import (
    ALIVE,
    CHUNKED,
    NOWHERE,
    ask,
    classify,
    everything,
    statuses,
)
from tests.service.test_overload import wait_for


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    running = LocalService(FakeEngine(), None)
    yield running
    running.stop()


@pytest.mark.parametrize("request_", [ALIVE, NOWHERE + b"0\r\n\r\n"], ids=["found", "not-found"])
def test_head_and_body_of_an_answer_come_in_one_piece(
    service: LocalService, request_: bytes
) -> None:
    with service.connect() as connection:
        for _ in range(50):
            connection.sendall(request_)
            head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
            assert b"content-length: %d" % len(body) in head


def test_head_without_a_body_comes_at_once(service: LocalService) -> None:
    with service.connect() as connection:
        for _ in range(2):
            connection.sendall(ALIVE.replace(b"GET", b"HEAD"))
            answer = connection.recv(1 << 16)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\n")
        assert ask(connection) == 200


def test_head_that_begins_in_one_read_with_a_large_body_is_not_too_long(
    service: LocalService,
) -> None:
    large = classify(bytes(3 * protocol.HEAD_BYTES), b"Connection: keep-alive")
    with service.connect() as connection:
        for _ in range(20):
            connection.sendall(large + ALIVE[:10])
            connection.sendall(ALIVE[10:])
            answer = b""
            while len(statuses(answer)) < 2 or not answer.endswith(b"}"):
                answer += connection.recv(1 << 16)
            assert statuses(answer) == [415, 200]


def test_head_that_stops_behind_a_body_is_too_late(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with service.connect() as connection:
        connection.sendall(classify(png()) + ALIVE[:10])
        assert statuses(everything(connection)) == [200, 408]


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (100_000, 7, 300_000)], ids=str)
def test_body_in_any_pieces_is_whole(service: LocalService, sizes: tuple[int, ...]) -> None:
    body = png() + bytes(sum(sizes))  # what stands behind a picture is not looked at
    head = classify(body)[: -len(body)]
    ends = [len(png()), *accumulate(sizes, initial=len(png()))][1:]
    with service.connect() as connection:
        connection.sendall(head)
        for start, end in pairwise([0, *ends]):
            connection.sendall(body[start:end])
            assert service.client.get("/healthz").status == 200  # it has read that much
        assert ask(connection, b"") == 200


def test_many_short_requests_before_a_piece_of_one_are_no_long_head(service: LocalService) -> None:
    request = ALIVE.replace(b"Host: x", b"Host: x\r\nX-Filler: " + b"f" * 1200)
    count = protocol.PIPELINED - 7
    assert count * len(request) > protocol.HEAD_BYTES
    with service.connect() as connection:
        connection.sendall(request * count + ALIVE[:10])
        assert service.client.get("/healthz").status == 200  # it has read that much
        end = ALIVE.replace(b"Host: x", b"Connection: close\r\nHost: x")[10:]
        connection.sendall(end)
        assert statuses(everything(connection)) == [200] * (count + 1)


def test_end_of_a_body_that_was_answered_before_begins_no_head(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with service.connect() as connection:
        assert ask(connection, NOWHERE) == 404
        connection.sendall(b"0\r\n\r\n")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1000)


def test_client_that_goes_away_behind_another_answer_is_noticed() -> None:
    """While requests wait for the answers before theirs, nothing is read of their connection."""
    engine = FakeEngine(held=True)
    running = LocalService(engine, None)
    try:
        with running.connect() as connection:
            connection.sendall(ALIVE + classify(png()))
            assert engine.entered.acquire(timeout=10)
            assert running.pending() == 1
        wait_for(lambda: running.pending() == 0)
        assert running.core.statistics()["tiny-onnx-fp32"].failure["CANCELED"] == 1
    finally:
        engine.let_go()
        running.stop()


def test_refusal_never_comes_before_an_earlier_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_BYTES", 4096)  # so that what is over comes in one read
    engine = FakeEngine(held=True)
    running = LocalService(engine, None)
    try:
        with running.connect() as connection:
            connection.sendall(classify(png()))
            assert engine.entered.acquire(timeout=10)
            connection.sendall(CHUNKED + b"5;" + b"e" * 3 * protocol.HEAD_BYTES)
            assert everything(connection) == b""
    finally:
        engine.let_go()
        running.stop()
