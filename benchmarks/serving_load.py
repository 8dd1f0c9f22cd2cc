"""Closed-loop load with wrk: so many connections, each with one request under way at a time.

wrk takes little processor time per request, so that it may share a small machine with what it
measures; how much it took is part of the result.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError, MissingError

SCRIPT = Path(__file__).with_name("serving_post.lua")


@dataclass(frozen=True)
class Post:
    """One request: where to, what with. `path` includes the query."""

    url: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Load:
    """`requests` answered in `seconds`, with the latency of each; `cpu`: seconds of processor time
    that the generator took; `failures`: answers that were no success, or none at all.

    wrk adds what it thinks it has omitted: for a latency of more than twice the usual one, those of
    the requests that would have been sent meanwhile. So there may be more latencies than requests,
    and the high ones weigh more.
    """

    requests: int
    seconds: float
    latencies: NDArray[np.float64]
    cpu: float
    failures: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def drive(
    post: Post, *, connections: int, seconds: float, cores: tuple[int, ...] | None = None
) -> Load:
    """Post for whole `seconds` from one thread, on these `cores` where some are given.

    Raises MissingError where wrk is not installed and InputError where it fails.
    """
    if shutil.which("wrk") is None:
        raise MissingError("wrk is not installed; it is in Debian's package wrk")
    with tempfile.TemporaryDirectory() as folder:
        body, result = Path(folder, "body"), Path(folder, "result")
        body.write_bytes(post.body)
        command = [
            *(("taskset", "-c", ",".join(map(str, cores))) if cores else ()),
            *("wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "10s"),
            *("-s", str(SCRIPT), post.url + post.path, "--", str(body)),
            *(part for header in post.headers.items() for part in header),
        ]
        cpu = _run(command, result)
        return read_result(result.read_text(), cpu)


def _run(command: list[str], result: Path) -> float:
    """Processor seconds of the command."""
    environment = os.environ | {"SERVING_RESULT": str(result)}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  (words of our own, no shell)
            command, stdout=output, stderr=output, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise InputError(f"wrk failed: {output.read().decode(errors='replace')[:500]}")
    return usage.ru_utime + usage.ru_stime


def read_result(text: str, cpu: float) -> Load:
    """What serving_post.lua wrote."""
    lines = [line.split() for line in text.splitlines()]
    facts = {name: int(float(value)) for name, value in lines[:4]}
    values, counts = np.array(lines[4:], np.float64).reshape(-1, 2).T
    return Load(
        requests=facts["requests"],
        seconds=facts["duration"] / 1e6,
        latencies=np.repeat(values / 1e6, counts.astype(np.int64)),
        cpu=cpu,
        failures=facts["refused"] + facts["broken"],
    )
