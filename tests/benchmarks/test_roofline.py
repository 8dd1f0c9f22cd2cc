"""The roof over operations, from peaks and layers made by hand."""

import pytest

from benchmarks.roofline import LAYER, PEAK, Roof, points, roof
from benchmarks.roofline_shares import attained, by_kind, layer_rows, network_rows, roof_rows
from measuring.errors import InputError
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar

ROOF = Roof(50e9, ((64 * 1024, 100e9), (1024 * 1024, 100e9), (64 * 1024 * 1024, 20e9)))


def measured(name: str, seconds: list[float], **settings: Scalar) -> Measurement:
    common: dict[str, Scalar] = {"threads": 1, "device": "cpu"}
    return Measurement(
        name, common | settings, latencies(seconds), fingerprint(), "2026-11-26T12:00:00"
    )


def gemm(rate: float, precision: str = "fp32") -> Measurement:
    settings: dict[str, Scalar] = {"what": "gemm", "precision": precision, "macs": 10**9}
    return measured(PEAK, [1e9 / rate, 2e9 / rate], **settings)


def move(what: str, size: int, rate: float) -> Measurement:
    settings: dict[str, Scalar] = {"what": what, "precision": "fp32", "size": size, "bytes": 10**8}
    return measured(PEAK, [1e8 / rate], **settings)


def layer(kind: str, macs: int, moved: int, seconds: float, count: int = 1) -> Measurement:
    return measured(
        LAYER, [seconds] * 3, network="net", runtime="onnxruntime", kind=kind, operation="Conv",
        shape="8x8x1x1 to 1x8x4x4", count=count, macs=macs, bytes=moved,
    )  # fmt: skip


def test_arithmetic_limits_what_moves_little() -> None:
    assert ROOF.attainable(macs=10**9, moved=10**6) == 50e9


def test_memory_limits_what_moves_much() -> None:
    assert ROOF.attainable(macs=10**6, moved=64 * 1024 * 1024) == pytest.approx(
        10**6 / (64 * 2**20) * 20e9
    )
    assert ROOF.ridge == 2.5


def test_bandwidth_is_that_of_the_size() -> None:
    assert ROOF.bandwidth_for(1) == 100e9
    assert ROOF.bandwidth_for(1 << 40) == 20e9
    assert ROOF.bandwidth_for((1 << 20) * 32.5) == pytest.approx(60e9)


def test_roof_is_the_fastest_call_of_the_fastest_library() -> None:
    records = [
        *(gemm(40e9), gemm(55e9), gemm(90e9, "bf16")),
        *(move("copy", 1 << 20, 80e9), move("read", 1 << 20, 95e9), move("copy", 1 << 26, 20e9)),
    ]

    found = roof(records, threads=1)

    assert found.macs == pytest.approx(55e9)
    assert [rate for _, rate in found.bandwidth] == pytest.approx([95e9, 20e9])
    assert roof(records, threads=1, precision="bf16").macs == pytest.approx(90e9)


def test_smaller_data_is_at_least_as_fast_as_larger() -> None:
    records = [gemm(50e9), move("read", 1 << 16, 40e9), move("read", 1 << 18, 90e9)]

    assert [rate for _, rate in roof(records, threads=1).bandwidth] == pytest.approx([90e9, 90e9])


def test_roof_without_peaks_says_what_measures_them() -> None:
    with pytest.raises(InputError, match=r"no peaks of fp32 with 2 thread.*stride roofline"):
        roof([gemm(50e9)], threads=2)


def test_share_is_the_shortest_time_over_the_time_taken() -> None:
    (busy, moving) = points(
        [layer("pointwise", 10**9, 10**6, 0.025), layer("data movement", 0, 10**6, 20e-6)], ROOF
    )

    assert busy.rate == pytest.approx(40e9)
    assert busy.share == pytest.approx(0.8)
    assert moving.share == pytest.approx(0.5)
    assert busy.intensity == 1000.0


def test_what_the_profiler_saw_no_time_of_is_left_out() -> None:
    assert points([layer("element-wise", 0, 4000, 0.0)], ROOF) == []


def test_equal_operations_have_the_roof_of_one() -> None:
    (alone,) = points([layer("pointwise", 10**6, 10**6, 1e-4)], ROOF)
    (both,) = points([layer("pointwise", 2 * 10**6, 2 * 10**6, 2e-4, count=2)], ROOF)

    assert alone.share == pytest.approx(both.share)


def test_tables_add_up() -> None:
    found = points(
        [
            layer("pointwise", 10**9, 10**6, 0.03),
            layer("depthwise", 10**6, 10**6, 0.01),
        ],
        ROOF,
    )

    assert by_kind(found) == {"pointwise": 0.75, "depthwise": 0.25}
    assert attained(found) == pytest.approx((0.02 + 20e-6) / 0.04)
    (network,) = network_rows(found)
    assert network == ["net", "onnxruntime", "1001", "2.0", "500.5", "40.00", "25.0", "50%"]
    assert layer_rows(found, most=1)[0][2] == "pointwise"
    assert roof_rows(ROOF, precision="fp32")[0] == ["fp32 arithmetic", "50.0", "10⁹ MACs/s"]
