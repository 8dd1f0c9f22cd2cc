"""The generator against a double that answers as told: kept connections, refusals, hang-ups, what
is no answer at all, and its own bounds."""

import math
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from loadtest.answers import WrongAnswerError
from loadtest.generator import Generator, find_address
from loadtest.tally import Tally
from loadtest.traffic import Clients, Crowd
from measuring.errors import MissingError
from tests.loadtest.canned_service import BUSY, HANG_UP, OK, SILENCE, CannedService

Start = Callable[..., CannedService]


@dataclass(frozen=True)
class Asked:
    """Two messages to a canned service, whose right answers say `hi`."""

    address: tuple[str, int]
    timeout: float = 5.0
    messages: Sequence[bytes] = (
        b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\none",
        b"POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\ntwo",
    )

    def check(self, number: int, status: int, headers: Mapping[bytes, bytes], data: bytes) -> None:  # noqa: ARG002
        if status != 200:
            raise WrongAnswerError(f"status {status}", data.decode())
        if data != b"hi":
            raise WrongAnswerError("wrong answer", repr(data))


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[CannedService] = []

    def make(*answers: bytes | list[bytes]) -> CannedService:
        started.append(CannedService(*answers))
        return started[-1]

    yield make
    for server in started:
        server.stop()


def crowd(
    server: CannedService,
    count: int,
    *,
    gap: float = 0.005,
    connections: int = 100,
    timeout: float = 5.0,
) -> Tally:
    """So many, evenly."""
    questions = Asked(("127.0.0.1", server.port), timeout)
    generator = Generator(questions, connections=connections, first=1)
    begin = time.perf_counter()
    tally = Tally(begin, begin + 60.0)
    generator.run(Crowd(iter([gap * n for n in range(count)]), begin), tally)
    assert tally.due == tally.sent + tally.dropped == count
    assert tally.sent == tally.ok + sum(tally.errors.values())
    return tally


def test_share_of_a_core_is_one_where_the_load_ends_as_it_begins_to_count(start: Start) -> None:
    generator = Generator(Asked(("127.0.0.1", start(OK).port)), connections=1, first=1)
    begin = time.perf_counter()
    tally = Tally(begin + 0.1, begin + 60.0)

    generator.run(Crowd(iter([0.1]), begin), tally)

    assert len(tally.cpu) == 1
    assert 0.0 <= tally.cpu[0] <= 1.0


def test_crowd_is_answered_over_connections_that_are_kept(start: Start) -> None:
    server = start(OK)
    tally = crowd(server, 40)
    assert tally.ok == tally.answered == 40
    assert sorted(server.bodies) == [b"one"] * 20 + [b"two"] * 20  # over several connections
    assert server.connections == 1 + tally.opened < 40
    latency, service_time = tally.latency.latencies(), tally.service_time.latencies()
    assert latency is not None
    assert service_time is not None
    assert latency.samples is not None
    assert service_time.samples is not None
    assert (latency.samples >= service_time.samples).all()


def test_refusals_and_hang_ups_are_counted_by_kind(start: Start) -> None:
    tally = crowd(start(OK, BUSY, HANG_UP, OK), 6, gap=0.05)
    assert tally.errors == {"status 503": 1, "reset": 1}
    assert tally.ok == 4
    assert tally.examples["status 503"] == "full"
    assert "before its answer was whole" in tally.examples["reset"]
    assert tally.lost == 1
    assert tally.opened >= 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(OK.replace(b"hi", b"ho"), "wrong answer", id="other-content"),
        pytest.param(b"SSH-2.0-nobody\r\n", "unreadable", id="no-http"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "unreadable", id="length"),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", HANG_UP], "timeout",
                     id="cut-short"),
        pytest.param(SILENCE, "timeout", id="silence"),
    ],
)  # fmt: skip
def test_what_is_no_right_answer_fails(
    start: Start, answer: bytes | list[bytes], kind: str
) -> None:
    tally = crowd(start(answer), 2, timeout=0.2 if kind == "timeout" else 5.0)
    assert tally.errors == {kind: 2}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([bytes([byte]) for byte in OK], id="byte-by-byte"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", OK], id="interim"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
            id="chunked",
        ),
        pytest.param(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), id="closing"),
    ],
)
def test_answers_of_every_form_are_read(start: Start, answer: bytes | list[bytes]) -> None:
    tally = crowd(start(answer), 5)
    assert tally.ok == 5, tally.examples


def test_what_finds_no_free_connection_is_dropped_not_held_back(start: Start) -> None:
    server = start(SILENCE)
    tally = crowd(server, 20, gap=0.001, connections=3, timeout=0.3)
    assert (tally.sent, tally.dropped) == (3, 17)
    assert tally.errors == {"timeout": 3}
    assert server.connections == 3
    assert [moment.sent for moment in tally.timeline.values()] == [3]


def test_stages_are_taken_from_server_timing(start: Start) -> None:
    timing = b"\r\nServer-Timing: queue;dur=1.5, inference;dur=2\r\nserver-timing: total;dur=4"
    tally = crowd(start(OK.replace(b"\r\n\r\n", timing + b"\r\n\r\n")), 3)
    means = {
        name: found.summary["mean"]
        for name, recorder in tally.stages.items()
        if (found := recorder.latencies())
    }
    assert means == pytest.approx({"queue": 0.0015, "inference": 0.002, "total": 0.004})


def test_clients_ask_again_when_they_are_answered(start: Start) -> None:
    server = start(OK)
    generator = Generator(Asked(("127.0.0.1", server.port)), connections=3, first=3)
    begin = time.perf_counter()
    tally = Tally(begin + 0.05, begin + 0.2)
    generator.run(Clients(3, begin, begin + 0.2), tally)
    assert server.connections == 3
    assert len(server.bodies) > tally.sent == tally.ok > 3
    assert tally.dropped == tally.opened == 0


def test_clients_do_not_storm_a_service_that_refuses(start: Start) -> None:
    server = start(BUSY)
    generator = Generator(Asked(("127.0.0.1", server.port)), connections=2, first=2)
    begin = time.perf_counter()
    tally = Tally(begin, begin + 0.26)
    generator.run(Clients(2, begin, begin + 0.26), tally)
    assert 2 <= tally.errors["status 503"] <= 12  # with a pause of 0.05 s after each


def test_nobody_listening_is_said_before_the_load() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MissingError, match=f"nobody listens at 127.0.0.1:{port}"):
        Generator(Asked(("127.0.0.1", port)), connections=1, first=1)


def test_service_that_goes_away_ends_in_refusals() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    generator = Generator(Asked(listener.getsockname()), connections=9, first=1)
    listener.close()
    begin = time.perf_counter() + 0.1
    tally = Tally(begin, begin + 60.0)
    generator.run(Crowd(iter([0.0, 0.01, 0.02]), begin), tally)
    assert tally.errors == {"refused": 3}


def test_requests_for_which_no_socket_is_left_are_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(SILENCE)
    generator = Generator(Asked(("127.0.0.1", server.port), timeout=0.3), connections=9, first=1)

    def exhausted(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("loadtest.generator.Connection", exhausted)
    begin = time.perf_counter()
    tally = Tally(begin, begin + 60.0)
    generator.run(Crowd(iter([0.0, 0.01, 0.02]), begin), tally)
    assert tally.errors == {"timeout": 1, "refused": 2}
    assert tally.examples["refused"] == "no connection: Too many open files"


def test_name_with_several_addresses_leads_to_the_one_that_listens(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(OK)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = listener.getsockname()[1]
    found = [
        socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)[0]
        for port in (deaf, server.port)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert find_address("localhost", 80)[1] == ("127.0.0.1", server.port)


def test_name_that_leads_nowhere_is_said() -> None:
    with pytest.raises(MissingError, match=r"'nowhere\.invalid' cannot be found"):
        Generator(Asked(("nowhere.invalid", 80)), connections=1, first=1)


def test_crowd_is_over_after_its_last_moment() -> None:
    crowd = Crowd(iter([0.5]), 10.0)
    assert (crowd.next_due(), crowd.over(99.0)) == (10.5, False)
    assert crowd.take().moment == 10.5
    assert (crowd.next_due(), crowd.over(0.0)) == (math.inf, True)
