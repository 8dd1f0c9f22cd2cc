"""Records made by hand: numbers one can check in one's head, no engine behind them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from measuring.latencies import latencies
from measuring.machine import Machine, Moment
from measuring.processor import Processor
from measuring.record import Measurement, Scalar

MACHINE = Machine(
    processor=Processor("Hand-made CPU", "x86_64", ("avx2",), 2, 2, virtual=True),
    affinity=(0, 1),
    quota=None,
    memory=8 << 30,
    gpus=None,
    system="Linux 6.1",
    python="3.11.7",
    libraries={"onnxruntime": "1.31.1", "openvino": "2026.4.1"},
    moment=Moment(None, None, 0.1, {}, ()),
)
STARTED = "2026-01-31T12:00:00+00:00"


def steady(seconds: float, *, count: int = 700, spread: float = 0.02) -> NDArray[np.float64]:
    """`count` calls around `seconds`, the same each time."""
    rng = np.random.Generator(np.random.PCG64(count))
    return seconds * (1.0 + spread * rng.uniform(-1.0, 1.0, count))


def bench(
    network: str = "shufflenet_v2_x1_0",
    *,
    batch: int = 1,
    seconds: float = 0.003,
    samples: NDArray[np.float64] | None = None,
    machine: Machine = MACHINE,
    started: str = STARTED,
    **settings: Any,
) -> Measurement:
    """As `stride bench` writes it; `seconds` of a call, `settings` over the usual ones."""
    precision = settings.get("precision", "int8")
    calls = steady(seconds) if samples is None else samples
    instances = int(str(settings.get("instances", 1)))
    rate = instances * batch / float(np.mean(calls))
    usual: dict[str, Scalar] = {
        "run": "20260131-120000-aaaa",
        "artifact": f"{network}-onnx-{precision}",
        "network": network,
        "format": "onnx",
        "precision": precision,
        "weights": "0" * 64,
        "trained": True,
        "runtime": "openvino",
        "device": "cpu",
        "engine": "openvino",
        "threads": 1,
        "instances": instances,
        "batch": batch,
        "images_per_second": rate,
        "ci_low": rate * 0.98,
        "ci_high": rate * 1.02,
        "rss": 90_000_000,
        "peak_rss": 100_000_000,
        "cold_start": 0.4,
        "accuracy": 0.7,
        "accuracy_source": "measured on 2000 pictures of photos/",
        "percentile": "p99",
        "valid": True,
        "reasons": "",
        "blocks": 20,
        "rounds": 1,
    }
    return Measurement(
        name="bench",
        settings={key: value for key, value in (usual | settings).items() if value is not None},
        latencies=latencies(calls),
        machine=machine,
        started=started,
    )


def sweep(
    network: str = "shufflenet_v2_x1_0",
    *,
    t0: float = 0.001,
    per_image: float = 0.004,
    sizes: Sequence[int] = (1, 2, 4, 8),
    **settings: Any,
) -> list[Measurement]:
    """A way at several batch sizes, exactly on T(b) = t0 + per_image b."""
    return [bench(network, batch=size, seconds=t0 + per_image * size, **settings) for size in sizes]


def invalid(record: Measurement, reason: str = "other load") -> Measurement:
    """The same, with something that speaks against it."""
    settings = {**record.settings, "valid": False, "reasons": reason}
    return replace(record, settings=settings, reasons=(reason,))
