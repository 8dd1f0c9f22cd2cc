"""The same service on the GPU under the users of locust, by batch size: a generator that is not our
own, in processes that share nothing with it."""

import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.gpu.child import run_child
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.serving import MODEL, NEEDS, Served, serve
from benchmarks.gpu.step import Context, OutOfTimeError, Step, StepError
from benchmarks.pages import ROOT
from loadtest.locust_options import BATCH_SIZES
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "gpu-locust"
LOCUST = ("locust", "gevent", "geventhttpclient", "zmq", "flask")
_PICTURE = "jpeg-375"
_PATIENCE = 60.0  # beside the load: processes start, and bodies are made and answered once
Row = Mapping[str, str]


def steps(context: Context) -> list[Step]:
    """The first of the default networks alone: what locust adds is another look at one service."""
    first = context.scale.networks[0]
    return [Step("http", f"{first} with locust", partial(_swarm, first), needs=(*NEEDS, *LOCUST))]


def _swarm(network: str, context: Context) -> Iterator[list[Measurement]]:
    """Raises StepSkippedError without the artifact, and StepError where locust tells nothing."""
    server, served = serve(network, 1, context)
    with server:
        for mix, batch in _asked(context.scale):
            if context.late():
                raise OutOfTimeError(f"before {mix} x {batch}")
            users = max(4, context.scale.connections // batch)
            yield [_measure(served, mix, batch, users, context)]


def _asked(scale: Scale) -> list[tuple[str, int]]:
    """Kinds of users and pictures of a request: as elsewhere, as far as locust's users go."""
    batches = dict.fromkeys(min(batch, max(BATCH_SIZES)) for batch in scale.requested)
    return [*(("pixels", batch) for batch in batches), ("pictures", 1)]


def _measure(served: Served, mix: str, batch: int, users: int, context: Context) -> Measurement:
    seconds = max(1, round(2 * context.scale.loaded))
    processes = min(context.scale.senders, users)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest" / "locustfile.py")),
            *("--headless", "--only-summary", "--host", served.url, "--model", MODEL),
            *("--mix", f"{mix}=1", "--batch-size", str(batch), "--picture", _PICTURE),
            *("-u", str(users), "-r", str(users), "-t", f"{seconds}s"),
            *(("--processes", str(processes)) if processes > 1 else ()),
            *("--csv", str(Path(folder) / "locust")),
        ]
        # Its exit code is 1 where some requests failed, which the rows tell as well.
        done = run_child(command, context, most=seconds + _PATIENCE)
        rows = read_rows(Path(folder) / "locust_stats.csv")
    settings: dict[str, Scalar] = {
        "network": served.network, "precision": served.precision, "way": served.runtime,
        "device": context.device, "frontends": served.frontends,
        "body": "pixels" if mix == "pixels" else "jpeg", "batch": batch, "connections": users,
        "processes": processes, "seconds": seconds,
    }  # fmt: skip
    try:
        return measurement(settings, rows)
    except StepError as error:
        context.journal.log(f"locust:\n{done.said}")
        raise StepError(f"{mix} x {batch}: {error}; locust: {done.last()}") from error


def read_rows(path: Path) -> list[Row]:
    """Of locust's table of all requests; none where it wrote no table."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measurement(settings: Mapping[str, Scalar], rows: list[Row]) -> Measurement:
    """From locust's table, which keeps percentiles and not each time: the one latency is the
    median. Raises StepError where no answer was right."""
    asked = [row for row in rows if row["Type"] == "POST"]
    requests = sum(int(row["Request Count"]) for row in asked)
    failed = sum(int(row["Failure Count"]) for row in asked)
    if len(asked) != 1 or failed >= requests:
        raise StepError(f"{len(asked)} kinds of requests, {failed} of {requests} failed")
    row = asked[0]
    right = float(row["Requests/s"]) - float(row["Failures/s"])
    stages = {
        f"stage_{row['Name'].rpartition(': ')[2]}": _seconds(row, "50%")
        for row in rows
        if row["Type"] == "stage"
    }
    found: dict[str, Scalar] = {
        "images_per_second": right * int(str(settings["batch"])),
        "requests": requests, "errors": failed, "p50": _seconds(row, "50%"),
        "p99": _seconds(row, "99%"), "longest": _seconds(row, "Max Response Time"),
    }  # fmt: skip
    taken = latencies([_seconds(row, "50%")])
    return Measurement(NAME, {**settings, **found, **stages}, taken, fingerprint(), now())


def _seconds(row: Row, column: str) -> float:
    return float(row[column]) / 1e3
