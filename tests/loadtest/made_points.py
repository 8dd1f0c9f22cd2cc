"""Points made by hand: numbers one can check in one's head, no service behind them."""

from dataclasses import replace
from typing import Any

import numpy as np

from loadtest.load import Closed, Load, Open
from loadtest.outcome import SLICES, Generator, Outcome
from loadtest.point import Point
from loadtest.records import Run
from loadtest.server_usage import Usage
from loadtest.service import Model
from loadtest.slo import parse
from loadtest.target import Target
from measuring.latencies import latencies
from tests.benchmarks.hand_made import MACHINE, STARTED

MODEL = Model("small-onnx-fp32", size=224, classes=1000, aliases=("small",), runtime="onnxruntime")
FLOOR = Model("floor-onnx-fp32", size=224, classes=1000, runtime="null")
RUN = Run("20260131-120000-1a2b", MACHINE)


def point(
    *,
    model: Model = MODEL,
    batch: int = 1,
    traffic: Closed | Open = Closed(4),  # noqa: B008  frozen
    seconds: float = 0.010,
    count: int = 1000,
    spread: float = 0.2,
    errors: dict[str, int] | None = None,
    dropped: int = 0,
    slo: str | None = None,
    seed: int = 0,
    **outcome: Any,
) -> Point:
    """`count` right answers in ten seconds, of about `seconds` each, evenly over the slices."""
    rng = np.random.default_rng(seed)
    samples = seconds * (1.0 + spread * rng.uniform(-1.0, 1.0, count))
    found = latencies(samples, blocks=np.arange(count) * SLICES // max(count, 1)) if count else None
    failed = errors or {}
    sent = count + sum(failed.values())
    made = Outcome(
        target=Target("http://127.0.0.1:8000", model=model.id, batch=batch),
        load=Load(traffic, seconds=10.0),
        model=model,
        started=STARTED,
        ended=STARTED,
        due=sent + dropped,
        sent=sent,
        ok=count,
        dropped=dropped,
        answered=count,
        errors=failed,
        examples={kind: f"an example of {kind}" for kind in failed},
        latency=found,
        service_time=found,
        stages={"queue": latencies([0.001])},
        generator=Generator(cpu=(0.2,), late=0, lag=None, opened=0, lost=0),
    )
    parts = {
        "queue": 0.001, "compute_input": 0.0001, "compute_infer": 0.005, "compute_output": 0.0002
    }  # fmt: skip
    usage = Usage(cpu_per_image=0.004, memory=250_000_000, parts=parts)
    return Point(replace(made, **outcome), usage, parse(slo) if slo else None)
