"""Servers as processes of their own, and the processor time that they take."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self, cast

import urllib3

from measuring.errors import MissingError

PATIENCE = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_URL = re.compile(rb"(?:listening url=|running on )(http://\S+)")


class Server:
    """A command that serves HTTP and says where on its standard error; `url` once it is ready.

    A context: the process has ended after it. `cores`: those it is kept to; `patience`: seconds
    until it has to be ready. Raises MissingError with the end of its log where it is not.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        ready: str,
        cores: tuple[int, ...] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the server
        self._process = subprocess.Popen(  # noqa: S603  (words of our own, no shell)
            [*pinned(cores), *command], stdout=self._log, stderr=self._log
        )
        try:
            self.url = self._wait(ready, patience)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu(self) -> float:
        """Processor seconds, user and system, of the process and of those it started."""
        return sum(map(cpu_seconds, family(self.pid)))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self, ready: str, patience: float) -> str:
        until = time.monotonic() + patience
        pool = urllib3.PoolManager(retries=False, timeout=5.0)
        while time.monotonic() < until and self._process.poll() is None:
            found = _URL.search(self._written())
            url = found.group(1).decode().rstrip() if found else None
            try:
                if url and pool.request("GET", url + ready).status == 200:
                    return url
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.05)
        raise MissingError(
            f"the server did not become ready: {' '.join(self._process.args)}\n"  # type: ignore[arg-type]
            f"{self._written().decode(errors='replace')[-2000:]}"
        )

    def _written(self) -> bytes:
        return os.pread(self._log.fileno(), 1 << 20, 0)


class Worker:
    """A module of ours in a process of its own, which answers a line of JSON with another."""

    def __init__(self, module: str, *arguments: str, cores: tuple[int, ...] | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (words of our own, no shell)
            [*pinned(cores), sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._to = cast("IO[str]", self._process.stdin)
        self._from = cast("IO[str]", self._process.stdout)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Raises MissingError where the process has ended; its standard error says why."""
        self._to.write(json.dumps(question) + "\n")
        self._to.flush()
        line = self._from.readline()
        if not line:
            raise MissingError("a process of the benchmark has ended, see its message above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def pinned(cores: tuple[int, ...] | None) -> tuple[str, ...]:
    """The beginning of a command that is to stay on these cores."""
    return ("taskset", "-c", ",".join(map(str, cores))) if cores else ()


def family(pid: int) -> list[int]:
    """The process and all it has started, directly or not."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, from /proc/PID/stat (proc(5), fields 14 and 15)."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_seconds() -> float:
    """User and system time of everything on this machine since it started, from /proc/stat."""
    user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    return (int(user) + int(nice) + int(system)) / _TICKS


def stride() -> str:
    """The command of this environment."""
    return str(Path(sys.executable).with_name("stride"))
