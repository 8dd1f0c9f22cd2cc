"""The points as NVIDIA's perf_analyzer writes them with `-f FILE`, so that people can compare.

Its columns come first and mean what they mean there, times in microseconds; model, batch size and
what it has no column for follow. Source of the names: the file that perf_analyzer 2.51.0 writes.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.load import Closed, Open
from loadtest.point import Point
from loadtest.server_usage import STATISTICS
from measuring.errors import InputError

CONCURRENCY, RATE = "Concurrency", "Request Rate"
PARTS = (
    *("Inferences/Second", "Client Send", "Network+Server Send/Recv", "Server Queue"),
    *("Server Compute Input", "Server Compute Infer", "Server Compute Output", "Client Recv"),
)
PERCENTILES = {
    "p50 latency": "p50",
    "p90 latency": "p90",
    "p95 latency": "p95",
    "p99 latency": "p99",
}
OWN = ("p99.9 latency", "Avg latency", "Model", "Batch Size", "Requests", "Errors", "Valid")


def require_writable(path: Path) -> None:
    """Before anything is measured: as `write_csv`, leaving what is there. Raises InputError."""
    partial = _partial(path)
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        partial.unlink()


def write_csv(path: Path, points: Sequence[Point]) -> None:
    """The whole file or nothing. With closed and open loops in one test both of perf_analyzer's
    first columns are there. Raises InputError where it cannot be written."""
    partial = _partial(path)
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerows(rows(points))
        partial.replace(path)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"--csv {path} cannot be written: {error.strerror}; choose another place"
        ) from error


def rows(points: Sequence[Point]) -> list[list[str]]:
    """The head, then one for each point."""
    traffics = [point.outcome.load.traffic for point in points]
    first = [CONCURRENCY] * any(isinstance(it, Closed) for it in traffics)
    first += [RATE] * any(isinstance(it, Open) for it in traffics)
    head = [*(first or [CONCURRENCY]), *PARTS, *PERCENTILES, *OWN]
    return [head, *([row[name] for name in head] for row in map(_row, points))]


def _row(point: Point) -> dict[str, str]:
    outcome, traffic = point.outcome, point.outcome.load.traffic
    summary = outcome.latency.summary if outcome.latency else {}
    parts = point.usage.parts
    mean = outcome.service_time.summary["mean"] if outcome.service_time else None
    inside = sum(parts.values())
    return {
        CONCURRENCY: str(traffic.connections) if isinstance(traffic, Closed) else "",
        RATE: f"{traffic.rate:g}" if isinstance(traffic, Open) else "",
        "Inferences/Second": f"{point.images_per_second:.2f}",
        "Client Send": "0",  # both are in the column between them
        "Network+Server Send/Recv": _microseconds(
            None if mean is None or not parts else max(0.0, mean - inside)
        ),
        **{
            f"Server {name.replace('_', ' ').title()}": _microseconds(parts.get(name))
            for name in STATISTICS
        },
        "Client Recv": "0",
        **{
            column: _microseconds(summary.get(name))
            for column, name in {**PERCENTILES, "p99.9 latency": "p99.9"}.items()
        },
        "Avg latency": _microseconds(summary.get("mean")),
        "Model": point.model.id,
        "Batch Size": str(outcome.target.batch),
        "Requests": str(outcome.due),
        "Errors": str(outcome.failed + outcome.dropped),
        "Valid": "no" if outcome.invalid else "yes",
    }


def _microseconds(seconds: float | None) -> str:
    """Whole ones, as perf_analyzer writes; nothing for what is unknown or cannot be claimed."""
    return "" if seconds is None else f"{seconds * 1e6:.0f}"
