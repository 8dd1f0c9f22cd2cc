"""How long a service takes to answer again when one of its processes is killed."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

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


def recovery(artifact: Path, kills: int) -> Iterator[Measurement]:
    """For each role, seconds from SIGKILL until another process is there in its place and a request
    for a picture is answered, nothing else running."""
    option = f"m={artifact.name}:instances=1,threads=1,max_batch=1"
    command = serve_command(artifact, option, "--frontends", "2")
    machine, picture = fingerprint(), bodies().jpeg
    with Server(command, ready="/readyz") as server:
        for role in ROLES:
            started = now()
            seconds = [_killed(server, role, picture) for _ in range(kills)]
            settings: dict[str, Scalar] = {"role": role, "artifact": artifact.name, "kills": kills}
            print(NAME, role, *(f"{each:.2f}" for each in seconds))  # noqa: T201
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
