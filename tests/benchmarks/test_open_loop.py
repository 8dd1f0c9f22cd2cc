"""Requests at given moments, against a server that answers as told: what becomes of each."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from benchmarks.open_loop import send
from benchmarks.serving_load import Post
from measuring.errors import InputError, MissingError
from tests.loadtest.canned_service import BUSY, HANG_UP, OK, CannedService


@pytest.fixture
def start() -> Iterator[Callable[..., CannedService]]:
    started: list[CannedService] = []

    def make(*answers: bytes) -> CannedService:
        started.append(CannedService(*answers))
        return started[-1]

    yield make
    for server in started:
        server.stop()


def post(server: CannedService) -> Post:
    return Post(server.url, "/there?x=1", b"12345", {"X-Test": "1"})


def test_send_answers_each_request_from_when_it_was_due(
    start: Callable[..., CannedService],
) -> None:
    server = start(OK)
    found = send(post(server), np.linspace(0.0, 0.2, 40))
    assert found.ok.all()
    assert (found.lag >= 0).all()
    assert (found.latency >= found.lag).all()
    assert server.bodies == [b"12345"] * 40
    assert all(head.startswith(b"POST /there?x=1 HTTP/1.1\r\nHost: 127") for head in server.heads)
    assert server.connections < 40


def test_send_goes_on_after_refusals_and_hang_ups(start: Callable[..., CannedService]) -> None:
    found = send(post(start(OK, BUSY, HANG_UP, OK)), np.linspace(0.0, 0.25, 6))
    assert sorted(found.status.tolist()) == [0, 200, 200, 200, 200, 503]
    assert np.isnan(found.answered[found.status == 0]).all()


def test_send_where_nobody_listens_says_so() -> None:
    server = CannedService(OK)
    server.stop()
    with pytest.raises(MissingError, match=r"nobody listens at 127\.0\.0\.1"):
        send(post(server), [0.0])


def test_moments_that_do_not_rise_are_refused(start: Callable[..., CannedService]) -> None:
    with pytest.raises(InputError, match="expected each to be later"):
        send(post(start(OK)), [0.0, 0.1, 0.1])
