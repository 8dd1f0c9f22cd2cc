"""Pure functions of what others report: traces, test reports, shapes."""

from pathlib import Path

import pytest

from benchmarks.gpu.floor import Work, floor, work
from benchmarks.gpu.journal import Journal
from benchmarks.gpu.kernels import summarised
from benchmarks.gpu.selftest import counted
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar


def test_trace_is_summed_by_kernel() -> None:
    events = [
        {"cat": "kernel", "name": "conv", "ts": 0.0, "dur": 10.0},
        {"cat": "cpu_op", "name": "aten::conv2d", "ts": 0.0, "dur": 99.0},
        {"cat": "kernel", "name": "cudnn::nchwToNhwcKernel<...>", "ts": 20.0, "dur": 5.0},
        {"cat": "gpu_memcpy", "name": "Memcpy HtoD", "ts": 30.0, "dur": 1.0},
        {"cat": "kernel", "name": "conv", "ts": 40.0, "dur": 20.0},
    ]
    profile = summarised(events, calls=2)
    assert profile.launches == 2.0
    assert profile.busy == pytest.approx(18e-6)
    assert profile.moving == pytest.approx(3e-6)
    assert profile.span == pytest.approx(30e-6)
    assert (profile.kernels[0].name, profile.kernels[0].launches) == ("conv", 1.0)
    assert summarised([], calls=2).launches == 0.0


def test_test_report_is_counted_with_reasons(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text(
        '<testsuites><testsuite><testcase classname="a" name="one" time="1.5"/>'
        '<testcase classname="a" name="two" time="0.5"><failure message="no"/></testcase>'
        '<testcase classname="a" name="three"><skipped message="needs a CUDA GPU"/></testcase>'
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    counts = counted(path)
    assert (counts["tests"], counts["failed"], counts["skipped"]) == (3, 1, 1)
    assert counts["first"] == "a::two"
    assert counts["reasons"] == "1 x needs a CUDA GPU"
    assert counts["seconds"] == 2.0


def test_work_counts_weights_once_and_pictures_each() -> None:
    one, two = (work("shufflenet_v2_x0_5", 224, batch=n, precision="fp16") for n in (1, 2))
    single = work("shufflenet_v2_x0_5", 224, batch=1, precision="fp32")
    assert one.operations == 2 * 40_476_448  # torchvision's count of multiply-accumulates
    assert two.operations == 2 * one.operations
    assert single.bytes == 2 * one.bytes
    weights = 2 * one.bytes - two.bytes
    # Of 1,366,792 parameters, those of BatchNorms fold into the convolutions.
    assert 2 * 1_300_000 < weights < 2 * 1_366_792


def test_floor_is_the_longer_of_two_times(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    todo = Work(operations=100, bytes=100)
    assert floor(todo, journal, device="cuda", precision="fp16") is None
    for kind, rate in (("copy", 10.0), ("fp16", 50.0), ("fp32", 2.0)):
        settings: dict[str, Scalar] = {"device": "cuda", "kind": kind, "per_second": rate}
        taken = latencies([1.0])
        journal.add([Measurement("gpu-peaks", settings, taken, fingerprint(), "2026-11-24")])
    half = floor(todo, journal, device="cuda", precision="fp16")
    full = floor(todo, journal, device="cuda", precision="fp32")
    assert half is not None
    assert full is not None
    assert (half.seconds, half.bound) == (10.0, "bytes")
    assert (full.seconds, full.bound) == (50.0, "operations")
