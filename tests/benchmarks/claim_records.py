"""Records that claims are judged by, made by hand."""

from typing import Any

from benchmarks.claims.evidence import NETWORK
from measuring.latencies import latencies
from measuring.record import Measurement
from tests.benchmarks.hand_made import MACHINE, STARTED


def record(name: str, seconds: float = 1.0, **settings: Any) -> Measurement:
    common: dict[str, Any] = {"device": "cpu", "runtime": "onnxruntime", "threads": 1}
    taken: dict[str, Any] = {
        "seconds": seconds, "seconds low": 0.99 * seconds, "seconds high": 1.01 * seconds
    }  # fmt: skip
    return Measurement(name, common | taken | settings, latencies([seconds] * 5), MACHINE, STARTED)


def times(base: str, ratio: float) -> dict[str, Any]:
    return {
        f"time of {base}": ratio,
        f"time of {base} low": 0.98 * ratio,
        f"time of {base} high": 1.02 * ratio,
    }


def operator(name: str, seconds: float = 1.0, **settings: Any) -> Measurement:
    common: dict[str, Any] = {
        "table": "operator", "channels": 96, "side": 56, "layers": 10,
        "macs": 10**9, "bytes": 10**7,
    }  # fmt: skip
    return record("operator", seconds, operator=name, **common | settings)


def network(name: str, macs: float = 1e9, **ratios: float) -> Measurement:
    settings: dict[str, Any] = {}
    for base, ratio in ratios.items():
        settings |= times(base, ratio)
    return record(NETWORK, network=name, macs=macs, **settings)
