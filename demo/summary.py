"""The result: one row per network, as a table for people and a document for programs."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich import box
from rich.table import Table

from demo.model import Model
from demo.traffic import Tally
from measuring.machine import Machine
from measuring.percentiles import CLAIMS, least_count, percentile, supported

Origin = Literal["measured", "published", "none"]


@dataclass(frozen=True)
class Row:
    """`top1` in [0, 1] and where it comes from; `p50` and `p99` in seconds, as the client saw
    them, None where there were too few requests to claim them; `size` in bytes."""

    network: str
    model: str
    runtime: str
    trained: bool
    top1: float | None
    top1_origin: Origin
    requests: int
    failures: int
    p50: float | None
    p99: float | None
    images_per_second: float
    size: int


def row_of(model: Model, tally: Tally) -> Row:
    """What was measured of one model."""
    top1, origin = _accuracy(model, tally)
    return Row(
        network=model.network,
        model=model.id,
        runtime=model.runtime,
        trained=model.trained,
        top1=top1,
        top1_origin=origin,
        requests=len(tally.seconds) + len(tally.failures),
        failures=len(tally.failures),
        p50=_claimed(tally, "p50"),
        p99=_claimed(tally, "p99"),
        images_per_second=tally.throughput,
        size=model.size,
    )


def table_of(rows: tuple[Row, ...]) -> Table:
    """One line per network, in 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
    table.add_column("network", no_wrap=True)
    for heading in ("top-1 over HTTP (n)", "p50 ms", "p99 ms", "images/s", "artifact MB"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.network,
            _top1_text(row),
            _milliseconds(row.p50),
            _milliseconds(row.p99),
            f"{row.images_per_second:,.0f}",
            f"{row.size / 1e6:.1f}",
        )
    return table


def remarks(rows: tuple[Row, ...], machine: Machine, concurrency: int) -> tuple[str, ...]:
    """How the numbers came about: the arrival process, the machine, and what they do not say."""
    requests = max(row.requests for row in rows)
    lines = [
        f"{concurrency} clients in a closed loop, {requests} requests per network, "
        "client and service on one machine:",
        _machine_text(machine),
    ]
    if any(row.p99 is None for row in rows):
        lines.append(f"p99 is left out below {least_count(CLAIMS['p99'])} good answers")
    if any(row.top1_origin == "published" for row in rows):
        lines.append("top-1 as published for ImageNet; not measured here")
    if any(not row.trained for row in rows):
        lines.append("the weights are not trained: latencies are real, labels mean nothing")
    return tuple(lines)


def failure_lines(tallies: tuple[Tally, ...], *, most: int = 5) -> tuple[str, ...]:
    """What went wrong, the most frequent first; empty when all is well."""
    reasons = Counter((tally.model, reason) for tally in tallies for reason in tally.failures)
    return tuple(
        f"{model}: {number} of the requests failed: {reason}"
        for (model, reason), number in reasons.most_common(most)
    )


def document_of(rows: tuple[Row, ...], machine: Machine, **facts: Any) -> dict[str, Any]:
    """Everything, in seconds and bytes, with the machine it was measured on."""
    return facts | {"networks": [asdict(row) for row in rows], "machine": asdict(machine)}


def _accuracy(model: Model, tally: Tally) -> tuple[float | None, Origin]:
    if tally.top1 is not None:
        return tally.top1, "measured"
    if model.published_top1 is not None:
        return model.published_top1, "published"
    return None, "none"


def _claimed(tally: Tally, name: str) -> float | None:
    if name not in supported(len(tally.seconds)):
        return None
    return percentile(tally.latencies, CLAIMS[name])


def _top1_text(row: Row) -> str:
    if not row.trained:
        return "untrained"
    if row.top1 is None:
        return "unknown"
    return f"{row.top1:.1%} ({row.requests if row.top1_origin == 'measured' else row.top1_origin})"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.1f}"


def _machine_text(machine: Machine) -> str:
    parts = [
        machine.processor.model,
        f"{machine.cores} {'core' if machine.cores == 1 else 'cores'}",
        f"{machine.memory / 2**30:.0f} GiB",
        *(gpu.name for gpu in machine.gpus or ()),
        machine.system,
        f"Python {machine.python}",
    ]
    if version := machine.libraries.get("onnxruntime"):
        parts.append(f"onnxruntime {version}")
    return ", ".join(parts)
