"""Does the service keep its memory? Mixed requests, right and wrong, against a real process.

    python -m benchmarks.soak [--requests 50000] [--record results/published/soak.json]

Its resident memory is read every so many answers. After a warm-up it must stay within 5 %, and so
must its open files and threads; every answer must be a right one.
"""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median

import click

from benchmarks.soak_requests import KINDS, Caller, Service, make_bodies
from exporters.export import export
from exporters.source import Source
from inference.artifact import read_artifact
from measuring.errors import CheckError
from measuring.machine import fingerprint
from models import load

NETWORK = "shufflenet_v2_x0_5"
BODY_LIMIT = 1 << 20
FLAT = 0.05
WARM_UP = 0.2
"""The share of the requests that memory is not judged by: pools, caches and arenas fill."""
READINGS = 200
_LISTENING = re.compile(r"listening url=(\S+)")


@dataclass(frozen=True)
class Reading:
    """Of the service's process, after so many answers."""

    answers: int
    seconds: float
    resident: int
    files: int
    threads: int


@dataclass
class Soak:
    """What was asked, what came of it, and what the process took meanwhile."""

    requests: int
    clients: int
    seconds: float = 0.0
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    def growth(self, what: str) -> float:
        """From the first fifth after the warm-up to the last fifth, by their medians."""
        after = self.readings[int(WARM_UP * len(self.readings)) :]
        fifth = max(1, len(after) // 5)
        first, last = (
            median(getattr(reading, what) for reading in part)
            for part in (after[:fifth], after[-fifth:])
        )
        return float(last / first - 1)


def read_process(pid: int, answers: int, started: float) -> Reading:
    """As Linux shows it."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Reading(
        answers=answers,
        seconds=round(time.perf_counter() - started, 3),
        resident=int(status["VmRSS"].split()[0]) << 10,
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(status["Threads"]),
    )


@contextmanager
def running(repository: Path) -> Iterator[tuple[int, str]]:
    """The process and the address of a service of this repository; it must end with 0."""
    stride = Path(sys.executable).with_name("stride")
    options = ["--port", "0", "--drain-delay", "0", "--max-body-bytes", str(BODY_LIMIT)]
    process = subprocess.Popen(  # noqa: S603
        [stride, "serve", "--repository", repository, "--profiles", repository, *options],
        stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    log: list[str] = []
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_follow, args=(process, log, lines), daemon=True).start()
    try:
        url = _wait(lines, _LISTENING)
        _wait(lines, re.compile(r"(ready) models="))
        yield process.pid, url
        process.send_signal(signal.SIGTERM)
        if (code := process.wait(60)) != 0 or "Traceback" in "".join(log):
            raise CheckError(f"the service ended with {code}:\n{''.join(log[-20:])}")
    finally:
        process.kill()
        process.wait()


def _follow(process: "subprocess.Popen[str]", log: list[str], lines: "queue.Queue[str]") -> None:
    assert process.stderr is not None  # noqa: S101  it was asked for
    with process.stderr as stream:
        for line in stream:
            log.append(line)
            lines.put(line)


def _wait(lines: "queue.Queue[str]", pattern: re.Pattern[str]) -> str:
    while True:
        if found := pattern.search(lines.get(timeout=120)):
            return found.group(1)


def soak(repository: Path, *, requests: int, clients: int, seed: int = 1) -> Soak:
    """`requests` to the one artifact of a repository, from so many clients at once."""
    (artifact,) = map(read_artifact, sorted(repository.iterdir()))
    done = Soak(requests, clients, statuses={name: Counter() for name in KINDS})
    size = artifact.manifest.input.size
    bodies = make_bodies(size, seed)
    numbers, lock = count(1), threading.Lock()
    every = max(1, requests // READINGS)
    with running(repository) as (pid, url):
        service = Service(url, artifact.manifest.id, size, BODY_LIMIT)
        started = time.perf_counter()

        def ask(number: int) -> None:
            names, shares = list(KINDS), [kind.share for kind in KINDS.values()]
            with closing(Caller(service, bodies, seed + number)) as caller:
                while (own := next(numbers)) <= requests:
                    (name,) = caller.random.choices(names, shares)
                    status = _send(caller, name)
                    with lock:
                        done.statuses[name][status] += 1
                        if status not in KINDS[name].right:
                            done.wrong.append(f"{name}: {status}")
                        if own % every == 0:
                            done.readings.append(read_process(pid, own, started))

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(ask, range(clients)))
        done.seconds = time.perf_counter() - started
    return done


def _send(caller: Caller, name: str) -> int:
    """The status; -1 where the connection broke without an answer."""
    try:
        return KINDS[name].send(caller)
    except Exception:  # noqa: BLE001  whatever it was, it is counted as a wrong answer
        return -1


def record(done: Soak) -> dict[str, object]:
    """What is kept of a run."""
    return {
        "name": "soak",
        "date": datetime.now(UTC).date().isoformat(),
        "network": NETWORK,
        "requests": done.requests,
        "clients": done.clients,
        "seconds": round(done.seconds, 1),
        "statuses": {
            name: {str(status): n for status, n in sorted(counts.items())}
            for name, counts in done.statuses.items()
        },
        "wrong": dict(Counter(done.wrong)),
        "growth": {what: round(done.growth(what), 5) for what in ("resident", "files", "threads")},
        "warm_up": WARM_UP,
        "limit": FLAT,
        "readings": [asdict(reading) for reading in done.readings],
        "machine": asdict(fingerprint()),
    }


def check(done: Soak) -> None:
    """Raises CheckError for wrong answers, and for growth beyond the limit."""
    problems = [f"{n} wrong answers to {what}" for what, n in Counter(done.wrong).items()]
    problems += [
        f"{what} grew by {growth:.1%}, expected at most {FLAT:.0%}"
        for what in ("resident", "files", "threads")
        if (growth := done.growth(what)) > FLAT
    ]
    if problems:
        raise CheckError("; ".join(problems))


@click.command()
@click.option("--requests", type=click.IntRange(1000), default=50_000, show_default=True)
@click.option("--clients", type=click.IntRange(1, 256), default=12, show_default=True)
@click.option(
    "--record", "path", type=click.Path(path_type=Path), default=Path("results/soak.json"),
    show_default=True,
)  # fmt: skip
def main(requests: int, clients: int, path: Path) -> None:
    """Ask a real service for a while, and see whether its memory stays flat."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        export(
            Source(load(NETWORK, "untrained"), NETWORK), artifact_name=NETWORK, format="onnx",
            precision="fp32", repository=repository,
        )  # fmt: skip
        done = soak(repository, requests=requests, clients=clients)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record(done), indent=1) + "\n", encoding="utf-8")
    grown = ", ".join(f"{what} {done.growth(what):+.1%}" for what in ("resident", "files"))
    click.echo(f"{requests} requests in {done.seconds:.0f} s; {grown}; kept in {path}")
    check(done)


if __name__ == "__main__":
    main()
