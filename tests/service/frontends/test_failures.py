"""Processes of a service that are killed under load: who is hit, who is not, and what is left."""

import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from tests.service.client import Client, png
from tests.service.frontends.several import (
    alive,
    ask,
    front_of,
    is_up,
    mapped,
    pids,
    shared_memory,
    started,
    whole,
)
from tests.service.process import STRIDE, ServiceProcess
from tests.service.test_drain import hammer
from tests.service.test_metrics_http import samples
from tests.service.test_watch import wait_for
from tests.service.v2.wire import ID
from tests.tiny import write_tiny

CLIENTS = 8
TURNS = 10
"""Answers for every client, at least, between one event and the next."""


class Load:
    """Clients that go on asking on one connection each, and open another when it is closed.
    `seen`: what came of each request, by the front end whose connection it went over."""

    def __init__(self, service: ServiceProcess) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self._service = service
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients: list[Future[None]] = [
            self._pool.submit(self._ask, number) for number in range(CLIENTS)
        ]

    def count(self, outcome: str) -> int:
        with self._lock:
            return sum(count for (_, what), count in self.seen.items() if what == outcome)

    def go_on(self, outcome: str = "200") -> None:
        """Returns after some more answers of this kind."""
        enough = self.count(outcome) + TURNS * CLIENTS
        wait_for(lambda: self.count(outcome) >= enough)

    def end(self) -> None:
        self._over.set()
        for client in self._clients:
            client.result()
        self._pool.shutdown()

    def _ask(self, number: int) -> None:
        front, client = "none yet", Client(self._service.url, connections=1)
        while not self._over.is_set():
            try:
                reply = client.post("/v1/classify", png(number))
            except urllib3.exceptions.HTTPError:
                outcome = "closed"
                client.close()
                client = Client(self._service.url, connections=1)
            else:
                front, outcome = front_of(reply), str(reply.status)
                if reply.status == 503:
                    assert reply.headers["retry-after"]
                elif reply.status != 200:
                    outcome += f" {reply.error}"
            with self._lock:
                self.seen[front, outcome] += 1
        client.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Ended by the last test that uses it."""
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    service = whole(
        ServiceProcess(
            repository,
            "--frontends",
            "2",
            "--drain-delay",
            "0.2",
            "--model",
            "tiny:instances=1,threads=1,max_batch=4",
        )
    )
    yield service
    if service.process.poll() is None:
        service.stop()
    assert "Traceback" not in service.text
    assert not any(map(alive, pids(service).values()))


def counters(service: ServiceProcess) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All series that must never go back."""
    reply = ask(service, "/metrics")
    assert reply.status == 200, reply.data
    growing = ("_total", "_count", "_sum", "_bucket")
    return {
        key: value
        for key, value in samples(reply.data.decode()).items()
        if key[0].endswith(growing) and key[0] != "nv_inference_pending_request_count"
    }


def killed(service: ServiceProcess, name: str, sign: int = signal.SIGKILL) -> None:
    """Returns when another process is there in its place."""
    before = pids(service)[name]
    os.kill(before, sign)
    wait_for(lambda: pids(service)[name] != before)


def half_sent(service: ServiceProcess) -> dict[str, HTTPConnection]:
    """A request under way at each front end, which waits for the rest of its body."""
    found: dict[str, HTTPConnection] = {}
    url, body = urlsplit(service.url), png()
    while len(found) < 2:
        connection = HTTPConnection(str(url.hostname), url.port, timeout=30)
        connection.request("GET", "/healthz")
        reply = connection.getresponse()
        front = str(reply.headers["x-request-id"])[:16]
        reply.read()
        if front in found:
            connection.close()
            continue
        connection.putrequest("POST", "/v1/classify")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[: len(body) // 2])
        found[front] = connection
    return found


def outcome_of_the_rest(connection: HTTPConnection) -> str:
    body = png()
    try:
        connection.send(body[len(body) // 2 :])
        return str(connection.getresponse().status)
    except (OSError, HTTPException):
        return "closed"
    finally:
        connection.close()


def restarts(service: ServiceProcess, role: str) -> float:
    return counters(service)["stride_process_restarts_total", frozenset({("process", role)})]


def test_processes_that_are_killed_under_load_are_replaced_and_others_answer(
    service: ServiceProcess,
) -> None:
    memory = shared_memory(service.process.pid)
    seen = [counters(service)]
    load = Load(service)
    load.go_on()
    seen.append(counters(service))

    # a front end: its connections are closed, those of the other one notice nothing
    halves = half_sent(service)
    killed(service, "frontend-0")
    ends = {front: outcome_of_the_rest(half) for front, half in halves.items()}
    wait_for(partial(is_up, service, "frontend-0"))
    load.go_on()
    seen.append(counters(service))
    with load._lock:
        first = Counter(load.seen)
    assert restarts(service, "frontend") == 1

    # the engine process: requests get 503 until there is another one, connections stay
    killed(service, "engine")
    wait_for(lambda: load.count("503") > 0)
    seen.append(counters(service))
    wait_for(lambda: ask(service).status == 200)
    load.go_on()
    seen.append(counters(service))
    assert restarts(service, "engine") == 1
    load.end()

    # Clients between two requests connect anew: who was in one for certain is told apart.
    assert sorted(ends.values()) == ["200", "closed"]
    hit = {front for front, what in (*first, *ends.items()) if what == "closed"}
    assert len(hit) == 1
    assert {what for _, what in first} - {"closed"} == {"200"}
    assert load.count("closed") <= CLIENTS
    assert {what for _, what in load.seen} - {"closed"} == {"200", "503"}
    for earlier, later in pairwise(seen):
        assert [key for key in earlier if later.get(key, -1.0) < earlier[key]] == []
    ok = ("stride_requests_total", frozenset({("model", ID), ("outcome", "ok")}))
    assert 0 < seen[-1][ok] <= load.count("200")
    assert shared_memory(service.process.pid) == memory
    assert mapped(pids(service)["engine"]) == 2
    fronts = [pid for name, pid in pids(service).items() if name.startswith("frontend")]
    assert [mapped(pid) for pid in fronts] == [1, 1]  # also of the one that outlived the engine
    assert "killed by SIGKILL; another is started" in service.text


def test_drain_over_all_processes_loses_no_request(service: ServiceProcess) -> None:
    """Service managers and terminals send their signals to all processes at once."""
    answered = threading.Semaphore(0)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(hammer, service, answered, "v1") for _ in range(CLIENTS)]
        for _ in range(TURNS * CLIENTS):
            answered.acquire()
        for pid in (service.process.pid, *pids(service).values()):
            os.kill(pid, signal.SIGTERM)
        seen = sum((future.result() for future in clients), Counter[str]())

    assert service.wait() == 0, service.text
    assert "another is started" not in service.text.partition("draining")[2]
    assert set(seen) <= {"200", "503", "refused"}, seen
    assert seen["200"] >= TURNS * CLIENTS
    assert service.text.count("signal=SIGTERM: draining") == 1


def test_service_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    directory = write_tiny(tmp_path)
    (directory / "model.onnx").write_bytes(b"damaged")
    arguments = ["--repository", str(tmp_path), "--port", "0", "--frontends", "2", "--model", ID]

    done = subprocess.run(
        [STRIDE, "serve", *arguments], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 2
    assert "model.onnx has 7 bytes" in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(alive(pid) for pid in started(done.stderr).values())
