"""How long a service takes to answer again when one of its processes is killed."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import urllib3

from benchmarks.serving_processes import Server, family
from benchmarks.serving_ways import bodies, serve_command
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "front ends recovery"
ROLES = ("engine", "frontend-0")
PATIENCE = 60.0
SETTLED = 4.0
"""Seconds between two kills: what keeps ending is not started again at once."""


class Clients:
    """A context in which so many clients ask for a picture again and again, each on a connection of
    its own. `seen`: how often which status came, `closed` for a connection that ended instead."""

    def __init__(self, url: str, picture: bytes, count: int) -> None:
        self.seen: Counter[str] = Counter()
        self._url, self._picture, self._count = f"{url}/v1/classify?model=m", picture, count
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max(1, count))
        self._asking: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._asking = [self._pool.submit(self._ask) for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for each in self._asking:
            each.result()

    def _ask(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=PATIENCE) as pool:
            while not self._over.is_set():
                try:
                    seen = str(pool.request("POST", self._url, body=self._picture).status)
                except urllib3.exceptions.HTTPError:
                    seen = "closed"
                with self._lock:
                    self.seen[seen] += 1


def recovery(artifact: Path, kills: int, *, clients: int) -> Iterator[Measurement]:
    """For each role, seconds from SIGKILL until another process is there in its place and a request
    for a picture on a new connection is answered, while so many `clients` ask without a pause."""
    option = f"m={artifact.name}:instances=1,threads=1,max_batch=1"
    command = serve_command(artifact, option, "--frontends", "2")
    machine, picture = fingerprint(), bodies().jpeg
    with Server(command, ready="/readyz") as server:
        for role in ROLES:
            started = now()
            with Clients(server.url, picture, clients) as asking:
                seconds = [_killed(server, role, picture) for _ in range(kills)]
            settings: dict[str, Scalar] = {
                "role": role, "artifact": artifact.name, "kills": kills, "clients": clients,
                **{f"seen_{what}": count for what, count in sorted(asking.seen.items())},
            }  # fmt: skip
            told = (*(f"{each:.2f}" for each in seconds), dict(asking.seen))
            print(NAME, role, *told)  # noqa: T201
            yield Measurement(NAME, settings, latencies(seconds), machine, started)


def _killed(server: Server, role: str, picture: bytes) -> float:
    before = _process(server, role)
    if before is None:
        raise TimeoutError(f"there is no process {role}")
    time.sleep(SETTLED)
    begun = time.perf_counter()
    os.kill(before, signal.SIGKILL)
    while _process(server, role) in {None, before} or not _whole(server, picture):
        if time.perf_counter() - begun > PATIENCE:
            raise TimeoutError(f"{role} was killed {PATIENCE:g} seconds ago")
        time.sleep(0.01)
    return time.perf_counter() - begun


def _process(server: Server, role: str) -> int | None:
    """Its number, by its command line."""
    for pid in family(server.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if role.encode() in words:
            return pid
    return None


def _whole(server: Server, picture: bytes) -> bool:
    """All processes work, and on a connection of its own a picture is answered."""
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        try:
            metrics = pool.request("GET", f"{server.url}/metrics").data.decode()
            answer = pool.request("POST", f"{server.url}/v1/classify?model=m", body=picture)
        except urllib3.exceptions.HTTPError:
            return False
    working = [line for line in metrics.splitlines() if line.startswith("stride_process_up{")]
    return answer.status == 200 and bool(working) and all(line.endswith(" 1.0") for line in working)
