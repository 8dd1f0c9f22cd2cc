"""A Prometheus of one's own on the files of `monitoring/prometheus/`, watching one service."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3

from measuring.errors import InputError, MissingError

FILES = Path(__file__).parent / "prometheus"
_ADDRESS = re.compile(r"component=web .*address=(127\.0\.0\.1:[1-9]\d*)")
_READY = "Server is ready to receive web requests"


@dataclass(frozen=True)
class Series:
    """Labels, and (seconds since 1970, value) in order of time; a single one of an instant."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        return self.points[-1][1]


class PrometheusServer:
    """Scrapes `target` ("host:port") every `interval` seconds and works out the rules as often.
    Runs, with data in a folder of its own, while the block does.

    Raises MissingError where there is no Prometheus, and InputError where a query is refused.
    """

    def __init__(self, target: str, *, interval: float) -> None:
        program = shutil.which("prometheus")
        if program is None:
            raise MissingError(
                "there is no prometheus on the PATH; on Debian: scripts/install-test-tools"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="stride-prometheus-")
        folder = Path(self._folder.name)
        configure(folder, target, interval=interval)
        self._process = subprocess.Popen(  # noqa: S603
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                "--enable-feature=exemplar-storage",
            ],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"GOMAXPROCS": "1"},
        )
        self._log: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))
        self.url = self._await()

    def query(self, expression: str) -> list[Series]:
        """The value now."""
        found = self._ask("query", {"query": expression})
        if found["resultType"] == "scalar":
            return [Series({}, _points([found["result"]]))]
        return [Series(each["metric"], _points([each["value"]])) for each in found["result"]]

    def query_range(
        self, expression: str, *, start: float, end: float, step: float
    ) -> list[Series]:
        """Its course, between two moments in seconds since 1970."""
        fields = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        found = self._ask("query_range", fields)
        return [Series(each["metric"], _points(each["values"])) for each in found["result"]]

    def targets(self) -> dict[str, str]:
        """How the last scrape of each target went: "up", "down" or "unknown"."""
        return {each["scrapeUrl"]: each["health"] for each in self._ask("targets")["activeTargets"]}

    def metric_names(self) -> set[str]:
        """All that was scraped or recorded."""
        return set(self._ask("label/__name__/values"))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._reader.join(10)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, what: str, fields: Mapping[str, str] | None = None) -> Any:
        reply = self._pool.request("GET", f"{self.url}/api/v1/{what}", fields=fields)
        answer = reply.json()
        if answer["status"] != "success":
            raise InputError(f"Prometheus refuses {fields}: {answer['error']}")
        return answer["data"]

    def _read(self) -> None:
        assert self._process.stderr is not None  # noqa: S101
        with self._process.stderr as stream:
            for line in stream:
                self._log.append(line)
                if _READY in line:
                    self._ready.set()
        self._ready.set()

    def _await(self) -> str:
        self._ready.wait(60)
        address = next((found[1] for line in self._log if (found := _ADDRESS.search(line))), None)
        if address is None or self._process.poll() is not None:
            self._process.kill()
            raise MissingError(f"prometheus did not start:\n{''.join(self._log[-5:])}")
        return f"http://{address}"


def configure(folder: Path, target: str, *, interval: float) -> None:
    """Write the files of `monitoring/prometheus/` to `folder`, with this target and pace."""
    pace = f"{max(1, round(interval * 1000))}ms"
    for name in ("prometheus.yml", "rules.yml", "alerts.yml"):
        text = (FILES / name).read_text(encoding="utf-8").replace("stride:8000", target)
        text = re.sub(r"(?m)^( *\w*interval|  scrape_timeout): \w+$", rf"\1: {pace}", text)
        (folder / name).write_text(text, encoding="utf-8")


def _points(values: list[tuple[float, str]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(at), float(value)) for at, value in values)


def wait_until(condition: Callable[[], bool], *, seconds: float = 30.0) -> bool:
    """Ask again and again; False where it did not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
