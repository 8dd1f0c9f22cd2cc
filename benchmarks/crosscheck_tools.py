"""Five load generators at one point: ours, wrk, hey, NVIDIA's perf_analyzer and locust."""

import csv
import io
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from benchmarks.serving_load import Post, drive
from benchmarks.serving_processes import pinned
from loadtest.bodies import parted
from loadtest.load import Closed, Load, Open
from loadtest.prepared import Prepared
from loadtest.run import run_load
from measuring.errors import MissingError, StrideError

ROOT = Path(__file__).parent.parent
PERF_ANALYZER = ROOT / ".perf-analyzer"
Mode = Literal["closed", "constant", "poisson"]
STRIDE, WRK, HEY, NVIDIA, LOCUST = "stride", "wrk", "hey", "perf_analyzer", "locust"
WARM_UP = 0.3
_WINDOWS = 3


@dataclass(frozen=True)
class Point:
    """`model`: alias; `mode`: one request after the other, or at a rate with one of two kinds of
    arrivals."""

    model: str
    body: Literal["pixels", "jpeg"]
    batch: int
    mode: Mode

    @property
    def name(self) -> str:
        """As it is asked for."""
        return f"{self.model}/{self.body}/{self.batch}/{self.mode}"


@dataclass(frozen=True)
class Visit:
    """One tool at one point. `prepared`: the one body that all send; `expected`: requests per
    second that are about to be made; `folder`: for files of the tool; `seed`: of our arrivals."""

    point: Point
    prepared: Prepared
    expected: float
    seconds: int
    core: int
    folder: Path
    seed: int = 0

    @property
    def url(self) -> str:
        return self.prepared.target.url


@dataclass(frozen=True)
class Reading:
    """What a tool says. `p50` and `p99`: seconds from sending; `due_p50`: from when it was due;
    `served_p50`: of what the service says it took in all. None: the tool does not say."""

    command: str
    requests: int
    throughput: float
    p50: float
    p99: float
    failures: int
    due_p50: float | None = None
    served_p50: float | None = None


def stride(visit: Visit) -> Reading:
    """Ours, closed and open."""
    mode = visit.point.mode
    traffic = Closed(1) if mode == "closed" else Open(visit.expected, mode)
    load = Load(
        traffic, seconds=visit.seconds, warm_up=WARM_UP, seed=visit.seed, cores=(visit.core,)
    )
    outcome = run_load(visit.prepared.target, load, prepared=visit.prepared)
    if outcome.latency is None or outcome.service_time is None:
        raise StrideError(f"no right answer from {visit.url}: {dict(outcome.examples)}")
    return Reading(
        command=f"loadtest.run.run_load(target, {load.traffic})",
        requests=outcome.ok,
        throughput=outcome.requests_per_second,
        p50=outcome.service_time.percentile(50.0),
        p99=outcome.service_time.percentile(99.0),
        failures=outcome.failed + outcome.dropped,
        due_p50=outcome.latency.percentile(50.0),
        served_p50=outcome.stages["total"].percentile(50.0),
    )


def wrk(visit: Visit) -> Reading:
    """Closed alone."""
    post = _post(visit.prepared)
    load = drive(post, connections=1, seconds=visit.seconds, cores=(visit.core,))
    p50, p99 = (float(sorted(load.latencies)[int(len(load.latencies) * q)]) for q in (0.5, 0.99))
    return Reading(
        command=f"wrk -t1 -c1 -d{visit.seconds}s --timeout 10s -s serving_post.lua URL -- BODY ...",
        requests=load.requests,
        throughput=load.rate,
        p50=p50,
        p99=p99,
        failures=load.failures,
    )


def hey(visit: Visit) -> Reading:
    """One worker; its rate limit makes requests even."""
    post = _post(visit.prepared)
    body = visit.folder / "body"
    body.write_bytes(post.body)
    kind = post.headers["Content-Type"]
    others = [f"{name}: {value}" for name, value in post.headers.items() if name != "Content-Type"]
    command = [
        *("hey", "-c", "1", "-z", f"{visit.seconds}s", "-m", "POST", "-D", str(body), "-T", kind),
        *(word for other in others for word in ("-H", other)),
        *(("-q", f"{visit.expected:g}") if visit.point.mode == "constant" else ()),
        *("-o", "csv", post.url + post.path),
    ]
    rows = list(csv.DictReader(io.StringIO(_run(command, visit))))
    times = sorted(float(row["response-time"]) for row in rows if row["status-code"] == "200")
    return Reading(
        command=_told(command, visit),
        requests=len(times),
        throughput=len(times) / visit.seconds,
        p50=median(times),
        p99=times[int(len(times) * 0.99)],
        failures=len(rows) - len(times),
    )


def perf_analyzer(visit: Visit) -> Reading:
    """Pixels alone: random ones of its own, since it sends what metadata declare. Windows of time,
    three of which it puts together: over a number of requests it told two thirds of the throughput
    that its own latencies allow."""
    window = round(visit.seconds * 1e3 / _WINDOWS)
    load = (
        ("--concurrency-range", "1")
        if visit.point.mode == "closed"
        else (
            *("--request-rate-range", f"{visit.expected:g}"),
            *("--request-distribution", visit.point.mode),
        )
    )
    table = visit.folder / "table.csv"
    command = [
        *(str(PERF_ANALYZER / "perf_analyzer"), "-m", visit.point.model),
        *("-u", visit.url.removeprefix("http://"), "-b", str(visit.point.batch)),
        *(*load, "--measurement-interval", str(window), "--max-trials", str(_WINDOWS)),
        *("--stability-percentage", "999", "--verbose-csv", "-f", str(table)),
    ]
    _run(command, visit, {"LD_LIBRARY_PATH": str(PERF_ANALYZER)})
    with table.open(newline="") as file:
        (row,) = csv.DictReader(file)
    throughput = float(row["Inferences/Second"]) / visit.point.batch
    return Reading(
        command=_told(command, visit),
        requests=round(throughput * visit.seconds),
        throughput=throughput,
        p50=float(row["p50 latency"]) / 1e6,
        p99=float(row["p99 latency"]) / 1e6,
        failures=0,  # it ends at the first
    )


def locust(visit: Visit) -> Reading:
    """The users of loadtest/locustfile.py, one of them."""
    point = visit.point
    kind = "pixels" if point.body == "pixels" else "pictures"
    command = [
        *(str(Path(sys.executable).with_name("locust")), "-f", "loadtest/locustfile.py"),
        *("--headless", "--only-summary", "--host", visit.url, "--model", point.model),
        *("--mix", f"{kind}=1", "--batch-size", str(point.batch), "--picture", "jpeg-375"),
        *("--bodies", "1", "-u", "1", "-t", f"{visit.seconds}s"),
        *(("--user-rate", f"{visit.expected:g}") if point.mode == "constant" else ()),
        *("--csv", str(visit.folder / "locust")),
    ]
    _run(command, visit)
    with (visit.folder / "locust_stats.csv").open(newline="") as file:
        rows = {(row["Type"], row["Name"]): row for row in csv.DictReader(file)}
    name, group = (
        (f"infer x{point.batch}", f"infer x{point.batch}")
        if kind == "pixels"
        else ("classify jpeg-375", "classify")
    )
    client, served = rows["POST", name], rows["stage", f"{group}: total"]
    return Reading(
        command=_told(command, visit),
        requests=int(client["Request Count"]),
        throughput=float(client["Requests/s"]),
        p50=float(client["50%"]) / 1e3,
        p99=float(client["99%"]) / 1e3,
        failures=int(client["Failure Count"]),
        served_p50=float(served["50%"]) / 1e3,
    )


TOOLS: Mapping[str, Callable[[Visit], Reading]] = {
    STRIDE: stride, WRK: wrk, HEY: hey, NVIDIA: perf_analyzer, LOCUST: locust,
}  # fmt: skip
MODES: Mapping[str, Sequence[Mode]] = {
    STRIDE: ("closed", "constant", "poisson"),
    WRK: ("closed",),
    HEY: ("closed", "constant"),
    NVIDIA: ("closed", "constant", "poisson"),
    LOCUST: ("closed", "constant"),
}


def tools_for(point: Point) -> list[str]:
    """Those that can go there."""
    return [
        name
        for name in TOOLS
        if point.mode in MODES[name] and not (name == NVIDIA and point.body == "jpeg")
    ]


def require_tools() -> None:
    """Raises MissingError where one of the others' is not installed."""
    missing = [name for name in (WRK, HEY) if shutil.which(name) is None]
    if missing:
        raise MissingError(f"{' and '.join(missing)} not installed; scripts/install-test-tools")
    if not (PERF_ANALYZER / "perf_analyzer").exists():
        raise MissingError("perf_analyzer is not here; scripts/install-perf-analyzer fetches it")


def _post(prepared: Prepared) -> Post:
    path, headers, body = parted(prepared.messages[0])
    return Post(prepared.target.url, path, body, headers)


def _run(command: Sequence[str], visit: Visit, more: Mapping[str, str] | None = None) -> str:
    """Its standard output. Raises StrideError where it fails."""
    done = subprocess.run(  # noqa: S603  (words of our own, no shell)
        [*pinned((visit.core,)), *command],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | dict(more or {}),
    )  # fmt: skip
    if done.returncode:
        raise StrideError(f"{_told(command, visit)} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _told(command: Sequence[str], visit: Visit) -> str:
    """As a reader would type it."""
    words = [Path(command[0]).name, *command[1:]]
    text = shlex.join(words).replace(str(visit.folder) + "/", "")
    return text.replace(visit.url.removeprefix("http://"), "HOST")
