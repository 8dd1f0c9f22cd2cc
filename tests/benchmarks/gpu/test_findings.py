"""Sentences from records with times made by hand."""

from benchmarks.gpu.findings import findings
from benchmarks.gpu.onnx_engines import NAME
from benchmarks.gpu.table import tables
from benchmarks.gpu_page import NOTHING
from benchmarks.gpu_page import tables as page
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar

COMMON: dict[str, Scalar] = {"network": "mobilenet_v2", "precision": "fp16", "device": "cuda"}


def engine(way: str, batch: int, seconds: float, clock: str = "device") -> Measurement:
    settings = COMMON | {"way": way, "batch": batch, "clock": clock}
    settings |= {"floor": 0.001, "floor_bound": "bytes", "memory": None}
    return Measurement("gpu-engines", settings, latencies([seconds]), fingerprint(), "2026-11-26")


def test_findings_say_who_reached_the_targets() -> None:
    found = [
        engine("torch", 1, 0.008),
        engine("torch-cudagraph", 1, 0.002),
        engine("torch", 256, 0.012),
        engine("torch-compiled", 256, 0.011),
        engine("torch-compiled, recorded", 256, 0.010),
    ]
    told = findings(found)
    assert (
        "mobilenet_v2 8.00 ms and 2.00 ms (4.0 times). The target, 3 times, is met by all" in told
    )
    assert "21,333, 23,273, 25,600 (1.09 and 1.20 times)" in told
    assert "The target, 1.5 times, is missed by mobilenet_v2" in told
    assert "mobilenet_v2 10.0 times (torch-compiled, recorded)" in told
    assert "From memory to memory" not in told


def test_findings_take_the_latest_of_two_records() -> None:
    found = [
        engine("torch", 1, 0.1),
        engine("torch", 1, 0.004),
        engine("torch-cudagraph", 1, 0.002),
    ]
    assert "(2.0 times). The target, 3 times, is missed by mobilenet_v2" in findings(found)


def test_findings_and_table_tell_onnxruntime_beside_torch() -> None:
    speeds = {"speed": 2.5, "speed_low": 2.0, "speed_high": 3.0}
    settings = COMMON | {"way": "onnxruntime", "base": "torch", "batch": 8, **speeds}
    found = [Measurement(NAME, settings, latencies([0.001]), fingerprint(), "2026-11-26")]
    assert "fp16 at 8 2.50 (2.00 to 3.00)" in findings(found)
    assert "| onnxruntime | 1,000 us | 2.50 (2.00 to 3.00) |" in tables(found)


def test_page_has_findings_first_and_says_what_is_left() -> None:
    assert page([]) == NOTHING
    text = page([[engine("torch", 1, 0.008), engine("torch-cudagraph", 1, 0.002)]])
    assert text.index("**One picture") < text.index("#### mobilenet_v2 fp16, device")
    assert "no run here has records of: fingerprint, " in text
    assert ", compiled" in text
