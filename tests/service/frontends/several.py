"""What the tests know of a service with several front ends: its processes, from its log, and which
of them answered, from the ids that it gives to requests."""

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.service.client import Client, Reply
from tests.service.process import ServiceProcess
from tests.service.test_metrics_http import samples
from tests.service.test_watch import wait_for

KEY = {"X-API-Key": "the-key-of-these-tests"}
_STARTED = re.compile(r"started process=(\S+) pid=(\d+)")


class Keyed(Client):
    """Shows a key with every request; a service that asks for none does not mind."""

    def request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        return super().request(method, path, body, KEY | headers)


def whole(service: ServiceProcess) -> ServiceProcess:
    """Returns when all of its processes work."""
    service.wait_until_ready()
    for name in pids(service):
        wait_for(partial(is_up, service, name))
    return service


def is_up(service: ServiceProcess, name: str) -> bool:
    up = samples(ask(service, "/metrics").data.decode())
    return up.get(("stride_process_up", frozenset({("process", name)}))) == 1


def front_of(reply: Reply) -> str:
    """The same for all answers of one process."""
    return str(reply.headers["x-request-id"])[:16]


@contextmanager
def one_of_each(service: ServiceProcess, count: int = 2) -> Iterator[dict[str, Client]]:
    """Clients of one connection each, every one to another front end."""
    found: dict[str, Client] = {}
    spare: list[Keyed] = []
    while len(found) < count:
        client = Keyed(service.url, connections=1)
        front = front_of(client.get("/healthz"))
        if front in found:
            spare.append(client)
        else:
            found[front] = client
    try:
        yield found
    finally:
        for each in (*found.values(), *spare):
            each.close()


def pids(service: ServiceProcess) -> dict[str, int]:
    """Of the processes by name: those started last."""
    return started(service.text)


def started(log: str) -> dict[str, int]:
    """The same from what was logged."""
    return {name: int(pid) for name, pid in _STARTED.findall(log)}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def shared_memory(pid: int) -> int:
    """How many pieces of it this process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        count += "memfd:stride" in os.readlink(link)  # noqa: PTH115  `Path.readlink` resolves it
    return count


def mapped(pid: int) -> int:
    """How many front ends' memory this process sees."""
    return Path(f"/proc/{pid}/maps").read_text().count("memfd:stride-pixels")


def ask(service: ServiceProcess, path: str = "/readyz") -> Reply:
    """On a connection of its own."""
    with closing(Client(service.url, connections=1)) as client:
        return client.get(path)
